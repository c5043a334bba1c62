"""Arithmetic shared by several methods."""
