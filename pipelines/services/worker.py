"""Agent: a Prefect worker of one work pool in this clone."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path

from pipelines.core.command import BAD_INPUT
from pipelines.core.environment import CHECKPOINTS, CLONE, DVC_REMOTE, LOST_SECONDS
from pipelines.core.errors import UserError
from pipelines.services.automations import BEAT_SECONDS
from pipelines.training import shared_checkpoints
from pipelines.versioning import dvc_remote

#: Defaults of Prefect and MLflow settings.
SETTINGS = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(BEAT_SECONDS),
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_WORKER_HEARTBEAT_SECONDS": "5",
}
NEEDED = {
    "PREFECT_API_URL": "the address of Prefect's server, http://127.0.0.1:4200/api for example",
    "MLFLOW_TRACKING_URI": "the address of MLflow's server, http://127.0.0.1:5000 for example",
}
#: Pool of the comparisons, which wait while their stages run in other pools.
MAIN_POOL = "main-pool"
#: Runs that an agent of a pool takes at a time; 1 for other pools, since two on one device could not be metered separately.
AT_ONCE = {MAIN_POOL: 8, "cpu-pool": 2}


def settings(clone: Path) -> dict[str, str]:
    """Return an environment in which Prefect's commands find this clone and these packages."""
    bin_folder = str(Path(sys.executable).parent)
    own = {CLONE.name: str(clone), "PYTHONPATH": str(clone), "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    return {**SETTINGS, **os.environ, **own}


def command(pool: str) -> list[str]:
    """Return the command line of an agent of ``pool``."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", pool):
        raise UserError(f"POOL: must be the name of a work pool, like gpu-pool, got {pool!r}")
    limit = str(AT_ONCE.get(pool, 1))
    return ["prefect", "worker", "start", "--pool", pool, "--type", "process", "--limit", limit]


def name() -> str:
    """Return the agent's name, unique per process."""
    return f"{socket.gethostname()}-{os.getpid()}"


def check(environment: dict[str, str]) -> None:
    """Check that the agent's settings are complete.

    Raises:
        UserError: names the variable.
    """
    for variable, meaning in NEEDED.items():
        if not environment.get(variable):
            raise UserError(f"{variable}: is not set; an agent needs {meaning}")
    LOST_SECONDS.value()
    if address := environment.get(CHECKPOINTS.name):
        shared_checkpoints.check(address)
    if not (environment.get(DVC_REMOTE.name) or dvc_remote.address()):
        raise UserError(f"{DVC_REMOTE.name}: is not set, and .dvc/config has no remote; agents need a shared one")


def main() -> None:
    """Replace this process by an agent of the pool on the command line."""
    try:
        if len(sys.argv) != 2:
            raise UserError("python -m pipelines.services.worker takes the name of a work pool; make agent POOL=gpu-pool")
        line, environment = [*command(sys.argv[1]), "--name", name()], settings(Path.cwd())
        check(environment)
    except UserError as error:
        sys.stderr.write(f"winnow agent: {error}\n")
        sys.exit(BAD_INPUT)
    # Prefect's worker stops by SIGINT, which shells make their background commands ignore.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvpe(line[0], line, environment)


if __name__ == "__main__":
    main()
