"""The pipeline: a file for each stage, packages below them."""

from pipelines.core.no_proxy import bypass_proxy

# Whatever is begun here may ask a server of its own, or start what does: Prefect's client, its workers, MLflow's.
bypass_proxy()
