"""Trials of a study: grid, folder, run, rows, summary."""
