"""Notebooks run, and swept over parameters, from the command line."""
