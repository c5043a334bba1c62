"""The pipeline: its stages are the files here, what they stand on the packages; the arithmetic is in components."""

from pipelines.core.loopback import ask_directly

# Whatever is begun here may ask a server of its own, or start what does: Prefect's client, its workers, MLflow's.
ask_directly()
