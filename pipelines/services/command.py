"""make up and make down: Prefect's server, MLflow's server and agents, by process id."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core import artifacts
from pipelines.core.command import BAD_INPUT, FAILED
from pipelines.core.environment import GIT_REMOTE, MLFLOW_PORT, PREFECT_PORT
from pipelines.core.errors import StageFailedError, UserError
from pipelines.core.locks import alone
from pipelines.flows.prefect_server import wait_for
from pipelines.services import automations, daemons, databases, worker

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

#: Default ports, taken if they are free and no others are set.
PORTS = (PREFECT_PORT, MLFLOW_PORT)
START_SECONDS = 180
#: Variable with MLflow's file of users, which turns its authentication on.
ASKING = "MLFLOW_AUTH_CONFIG_PATH"
USER = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY")
POOLS = (worker.MAIN_POOL, "cpu-pool", "gpu-pool")


def up(*, agents: bool = True) -> None:
    """Start servers and agents, wait until they answer, and print the servers' pages.

    If all run already, only print.

    Raises:
        UserError: if a port is taken, a database does not answer, or a setting needs another.
        StageFailedError: if something does not answer in time; everything is then ended.
    """
    running = daemons.recorded()
    if running.pages and all(daemons.living(daemon) for daemon in running.processes):
        return _show(running.pages)
    daemons.end_all()
    databases.check()
    ports = [daemons.port(variable) for variable in PORTS]
    prefect, mlflow = (f"http://127.0.0.1:{port}" for port in ports)
    environment = _environment(prefect, mlflow)
    try:
        _start_servers(*ports, environment=environment)
        with _client(environment) as client:
            _make_pools(client)
            _deploy(environment)
            _watch_comparisons(client)
            if agents:
                _start_agents(databases.without_secrets(environment), client)
    except BaseException:
        daemons.end_all()
        raise
    pages = {"Prefect": prefect, "MLflow": mlflow, "MLflow, this project's runs": _page(mlflow, environment)}
    daemons.recorded().model_copy(update={"pages": pages}).write(daemons.STATE)
    return _show(pages)


def _environment(prefect: str, mlflow: str) -> dict[str, str]:
    clone = Path.cwd()
    own = {
        "PREFECT_API_URL": f"{prefect}/api",
        "PREFECT_HOME": str(clone / artifacts.SCRATCH / "prefect"),
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
        "MLFLOW_TRACKING_URI": mlflow,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    # Any commit here can be run, even if it was not pushed. Prefect's page would call port 4200 whatever the server's is.
    usual = {GIT_REMOTE.name: str(clone), "PREFECT_SERVER_UI_API_URL": f"{prefect}/api"}
    given = usual | worker.settings(clone)
    if given.get(ASKING) and not all(given.get(name) for name in USER):
        missing = ", ".join(name for name in USER if not given.get(name))
        raise UserError(f"{ASKING}: is set, but these are not: {missing}")
    if user := given.get("PREFECT_SERVER_API_AUTH_STRING"):
        given.setdefault("PREFECT_API_AUTH_STRING", user)
    return given | own


def _start_servers(prefect: int, mlflow: int, *, environment: dict[str, str]) -> None:
    """Start both servers and wait for them; at first start they create their databases."""
    server_only = {k: v for k, v in environment.items() if k != "PREFECT_API_URL"} | databases.stores(environment)
    host = ("--host", "127.0.0.1", "--port")
    asking = ("--app-name", "basic-auth") if server_only.get(ASKING) else ()
    first = daemons.start("prefect", ["prefect", "server", "start", *host, str(prefect)], server_only)
    second = daemons.start("mlflow", ["mlflow", "server", *host, str(mlflow), "--workers", "1", *asking], server_only)
    daemons.wait_for_port(first, prefect, "Prefect's server")
    daemons.wait_for_port(second, mlflow, "MLflow's server")
    wait_for(f"http://127.0.0.1:{prefect}/api/health", first.poll, daemons.LOGS)
    wait_for(f"http://127.0.0.1:{mlflow}/health", second.poll, daemons.LOGS, "MLflow's server")


@contextmanager
def _client(environment: dict[str, str]) -> Iterator[SyncPrefectClient]:
    """Yield Prefect's client of the started server; it asks again while the server is busy.

    Raises:
        StageFailedError: if the server refuses a request, or does not answer.
    """
    import httpx
    from prefect.client.orchestration import SyncPrefectClient

    user = environment.get("PREFECT_API_AUTH_STRING")
    try:
        with SyncPrefectClient(environment["PREFECT_API_URL"], auth_string=user) as made:
            yield made
    except httpx.HTTPError as error:
        raise StageFailedError(f"Prefect's server: {str(error).partition(chr(10))[0] or type(error).__name__}") from None


def _make_pools(client: SyncPrefectClient) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    for pool in POOLS:
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=pool, type="process", base_job_template=template))


def _deploy(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["prefect", "--no-prompt", "deploy", "--all"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StageFailedError(f"prefect deploy --all: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _page(server: str, environment: dict[str, str]) -> str:
    """Return the URL of the project's runs in MLflow."""
    command = [sys.executable, "-m", "pipelines.tracking.experiment_url", server]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip() or server


def _watch_comparisons(client: SyncPrefectClient) -> None:
    """Replace the server's automation that ends lost comparisons by this version's."""
    from prefect.events.schemas.automations import AutomationCore

    for old in client.read_automations_by_name(automations.NAME):
        client.delete_automation(old.id)
    client.create_automation(AutomationCore.model_validate(automations.lost_comparisons()))


def _start_agents(environment: dict[str, str], client: SyncPrefectClient) -> None:
    """Start agents for comparisons, the CPU and each GPU, and wait until the server lists them."""
    started = [_start_agent(worker.MAIN_POOL, "main", environment), _start_agent("cpu-pool", "cpu", environment)]
    devices = gpus(environment)
    for device in devices:
        started.append(_start_agent("gpu-pool", f"gpu-{device}", environment | {"CUDA_VISIBLE_DEVICES": device}))
    if not devices:
        sys.stderr.write("winnow: no GPU found; the agent of gpu-pool runs without one\n")
        started.append(_start_agent("gpu-pool", "gpu-none", environment))
    _wait_for_agents(client, {worker.MAIN_POOL: 1, "cpu-pool": 1, "gpu-pool": max(1, len(devices))}, started)


def gpus(environment: dict[str, str]) -> list[str]:
    """Return the devices for agents: those of CUDA_VISIBLE_DEVICES, or all that nvidia-smi lists."""
    if (given := environment.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [device for device in given.split(",") if device not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines() if not done.returncode else []
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in lines))]


def _start_agent(pool: str, name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return daemons.start(name, [*worker.command(pool), "--name", name], environment)


def _wait_for_agents(client: SyncPrefectClient, wanted: dict[str, int], started: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and all(p.poll() is None for p in started):
        found = {pool: client.read_workers_for_work_pool(pool) for pool in wanted}
        if all(sum(w.status.name == "ONLINE" for w in found[p]) >= n for p, n in wanted.items()):
            return
        time.sleep(0.5)
    raise StageFailedError(f"agents: did not report to {str(client.api_url).rstrip('/')}; their logs are in {daemons.LOGS}")


def _show(pages: dict[str, str]) -> None:
    lines = [f"{name}: {address}" for name, address in pages.items()]
    lines.append(f"run the commit that is checked out here, with PREFECT_API_URL={pages['Prefect']}/api:")
    lines.append("  prefect deployment run winnow/main --watch")
    sys.stdout.write("\n".join(lines) + "\n")


COMMANDS: dict[str, Callable[[], None]] = {"up": up, "servers": partial(up, agents=False), "down": daemons.end_all}


def main() -> int:
    """Run the given command under this working copy's lock, and return the exit status."""
    try:
        if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
            raise UserError(f"python -m pipelines.services takes one of {', '.join(COMMANDS)}")
        with alone("services"):
            COMMANDS[sys.argv[1]]()
    except UserError as error:
        sys.stderr.write(f"winnow: {error}\n")
        return BAD_INPUT
    except StageFailedError as error:
        sys.stderr.write(f"winnow: {error}\n")
        return FAILED
    return 0
