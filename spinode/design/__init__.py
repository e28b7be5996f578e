"""Designing a reservoir through its twin: the knobs, the search, and micromagnetics' verdict."""
