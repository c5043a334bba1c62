"""Thin runs over the components: the room that knows files, DVC, Prefect and MLflow, and no arithmetic on examples."""
