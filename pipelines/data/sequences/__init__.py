"""Pairs of texts as stored columns."""
