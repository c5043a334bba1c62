"""Sounds of audio files, decoded and turned into features."""
