"""The pipeline: a file for each stage, packages below them."""

from pipelines.core.no_proxy import bypass_proxy

# Any process started here may connect to a server on this machine: Prefect's client, its workers, MLflow's.
bypass_proxy()
