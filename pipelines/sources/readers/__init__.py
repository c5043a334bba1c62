"""Readers of text files: csv, tsv and JSON lines, row by row."""
