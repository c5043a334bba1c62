"""Rows to prepared splits."""
