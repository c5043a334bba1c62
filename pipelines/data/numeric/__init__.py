"""Targets and columns that are numbers: reading and checking them, and settling targets."""
