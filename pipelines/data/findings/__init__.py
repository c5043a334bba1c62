"""Findings of a diagnosis: their measures and their records."""
