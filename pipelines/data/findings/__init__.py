"""Findings of a diagnosis, as they are made and as they are written."""
