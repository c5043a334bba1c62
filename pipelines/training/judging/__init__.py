"""Predictions of a split, and validation while a model trains."""
