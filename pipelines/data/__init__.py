"""Preparation of data: from a source's rows to prepared splits."""
