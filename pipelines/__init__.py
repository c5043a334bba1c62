"""Thin runs over the components: the room that knows files, DVC, Prefect and MLflow, and no arithmetic on examples."""

from pipelines.loopback import ask_directly

# Whatever is begun here may ask a server of its own, or start what does: Prefect's client, its workers, MLflow's.
ask_directly()
