"""Pairs of texts, and conversations, as stored columns."""
