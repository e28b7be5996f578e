"""Reservoir computing: what a reservoir is asked, and how a device is read out."""
