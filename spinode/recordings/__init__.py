"""Recordings of a device of your own: read, looked at, learned from, reported."""
