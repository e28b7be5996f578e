"""Spoken digits: corpora, the ear, time multiplexing, and recognition."""
