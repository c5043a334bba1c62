"""The pipeline: a file for each stage, packages below them."""

import sys

from pipelines.core.environment import FORK_SERVER
from pipelines.core.no_proxy import bypass_proxy

# Any process started here may connect to a server on this machine: Prefect's client, its workers, MLflow's.
bypass_proxy()

if FORK_SERVER.is_set and sys.orig_argv[1:2] == ["-m"]:
    # A stage of a flow: it runs in a copy of a process that has imported its libraries, before they are imported here.
    from pipelines.processes.fork_client import hand_over_stage

    hand_over_stage(sys.orig_argv[2:])
