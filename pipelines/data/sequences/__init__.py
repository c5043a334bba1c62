"""Texts to be written, of a source, a conversation or a sound, as stored columns."""
