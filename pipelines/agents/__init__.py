"""Stages and studies sent to Prefect work pools, and run there."""
