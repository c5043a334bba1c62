"""Rows of each split: training, validation and test."""
