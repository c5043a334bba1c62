"""Processes of stages: what this machine has room for, and warm starts."""
