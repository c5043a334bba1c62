"""The sections of params.yaml, as pydantic models."""
