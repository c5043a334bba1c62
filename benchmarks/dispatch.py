"""Cost of running stages by agents: dispatch, a DVC remote, one comparison, and eight at once.

All of it runs on the servers of `make up`, in a fresh copy of the project, on scikit-learn's digits, whose trainings take a
second: what is measured is the overhead. The servers use SQLite, or new PostgreSQL databases that the environment names, as
for `make up`. It measures wall time, so the machine must be idle.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from benchmarks.common import ROOT, environment, inside, save, summary
from pipelines.flows.prefect_server import free_port

TARGETS = {"dispatch_seconds": 8.0}
#: A table of a million examples with four 32-bit columns, and the size of a transfer.
TABLE_BYTES, GIGABYTE = 16_000_000, 10**9
EXPERIMENTS, PATIENCE_SECONDS = 8, 3600
#: Messages of DVC, git and SQLite when another process has a lock.
#: Variables with the URLs of `make up`'s databases.
DATABASES = ("PREFECT_API_DATABASE_CONNECTION_URL", "MLFLOW_BACKEND_STORE_URI")
LOCKED = ("Unable to acquire lock", "blocked by", "database is locked", "index.lock")


def digits(seed: int = 0) -> dict[str, Any]:
    """Return params.yaml for two methods on the digits."""
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return params | {"task": "digits", "seed": seed, "compare": {"full": "none", "swiftlearn": "two-epochs"}}


def text_of(seed: int) -> str:
    """Return the text of a params.yaml, a different one for each seed."""
    return yaml.safe_dump(digits(seed), sort_keys=False)


def clean(folder: Path) -> dict[str, str]:
    """Return the environment of a command in ``folder``, without user settings that point elsewhere."""
    kept = {k: v for k, v in environment(folder).items() if not k.startswith(("PREFECT_", "MLFLOW_", "WINNOW_"))}
    return kept | {"PYTHONWARNINGS": "", "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"}


def call(folder: Path, *command: str) -> str:
    """Run a command in ``folder`` and return its output; exit with that output if it fails."""
    done = subprocess.run(command, cwd=folder, env=clean(folder), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds(folder: Path, *command: str) -> float:
    """Return the wall seconds of a command."""
    start = time.perf_counter()
    call(folder, *command)
    return time.perf_counter() - start


@contextmanager
def committed() -> Iterator[Path]:
    """Change into a fresh copy of the project, committed as a whole."""
    with inside(digits()) as folder:
        who = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")
        call(folder, "git", "add", "--all")
        call(folder, "git", *who, "commit", "--quiet", "--message", "start")
        yield folder


@contextmanager
def served() -> Iterator[Path]:
    """Run `make up` in a fresh copy of the project, and point this process to its servers."""
    with committed() as folder:
        services = (sys.executable, "-m", "pipelines.services")
        try:
            # Not the default ports, so that servers already running there are not measured.
            ports = (f"WINNOW_PREFECT_PORT={free_port()}", f"WINNOW_MLFLOW_PORT={free_port()}")
            databases = (f"{name}={os.environ[name]}" for name in DATABASES if name in os.environ)
            lines = call(folder, "env", *ports, *databases, *services, "up").splitlines()
            pages = dict(line.split(": ", 1) for line in lines if ": http" in line)
            os.environ |= {"PREFECT_API_URL": f"{pages['Prefect']}/api", "PREFECT_HOME": str(folder / ".winnow/client")}
            os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
            yield folder
        finally:
            call(folder, *services, "down")


def run(deployment: str, patience: float = PATIENCE_SECONDS, **parameters: str) -> Any:  # noqa: ANN401 - Prefect's FlowRun
    """Run a deployment, polled as a comparison polls its stages, and return its run.

    It returns at once if ``patience`` is 0.
    """
    from prefect.deployments import run_deployment

    from pipelines.agents.run_watcher import POLL_SECONDS

    return run_deployment(deployment, parameters=parameters, poll_interval=POLL_SECONDS, timeout=patience, as_subflow=False)


def completed(run: Any) -> None:  # noqa: ANN401 - Prefect's FlowRun
    """Check that a run has completed."""
    if not run.state.is_completed():
        sys.exit(f"{run.name}: {run.state.name}: {run.state.message}")


def dispatch(folder: Path, rounds: int) -> dict[str, Any]:
    """Return the overhead of a run of the stage ``plan`` in seconds: agent, worktree and DVC."""
    revision = call(folder, "git", "rev-parse", "HEAD").strip()
    own, whole = [], []
    for seed in range(rounds):
        start = time.perf_counter()
        completed(run("winnow-stage/cpu-pool", stage="plan", revision=revision, params=text_of(1000 + seed)))
        whole.append(time.perf_counter() - start)
        own.append(seconds(folder, sys.executable, "-m", "pipelines.plan"))
    over = [a - b for a, b in zip(whole, own, strict=True)]
    return {"stage_seconds": summary(own), "dispatched_seconds": summary(whole), "dispatch_seconds": summary(over)}


def transfer(size: int) -> dict[str, Any]:
    """Return the seconds of ``dvc push`` and ``dvc pull`` of ``size`` bytes of tables, through a folder."""
    with TemporaryDirectory(prefix="winnow-") as name:
        folder = Path(name)
        dvc = (sys.executable, "-m", "dvc")
        call(folder, *dvc, "init", "--no-scm", "--quiet")
        call(folder, *dvc, "remote", "add", "--default", "there", str(folder / "remote"))
        (folder / "tables").mkdir()
        rng, count = np.random.default_rng(0), max(1, round(size / TABLE_BYTES))
        for i in range(count):
            (folder / "tables" / f"{i}.parquet").write_bytes(rng.bytes(TABLE_BYTES))
        call(folder, *dvc, "add", "--quiet", "tables")
        push = seconds(folder, *dvc, "push", "--quiet")
        shutil.rmtree(folder / "tables")
        shutil.rmtree(folder / ".dvc/cache")
        pull = seconds(folder, *dvc, "pull", "--quiet")
        if len(list((folder / "tables").iterdir())) != count:
            sys.exit("dvc pull: not all tables came back")
    megabytes = count * TABLE_BYTES / 1e6
    each = {"push": push, "pull": pull}
    rates = {f"{k}_megabytes_a_second": round(megabytes / v, 1) for k, v in each.items()}
    return {"megabytes": megabytes, "files": count, **{f"{k}_seconds": round(v, 2) for k, v in each.items()}, **rates}


def comparison() -> dict[str, float]:
    """Return the seconds of a comparison run by agents, and of the same one as a flow in a fresh copy."""
    start = time.perf_counter()
    completed(run("winnow/main", params=text_of(0)))
    sent = time.perf_counter() - start
    with committed() as folder:
        alone = seconds(folder, sys.executable, "-m", "pipelines.flow")
    return {"agents_seconds": round(sent, 1), "flow_seconds": round(alone, 1), "ratio": round(sent / alone, 2)}


def at_once(folder: Path, experiments: int = EXPERIMENTS) -> dict[str, Any]:
    """Run ``experiments`` at once, check that each of their stages ran once, and count lock messages.

    Raises:
        AssertionError: if one failed, or a stage ran twice.
    """
    start = time.perf_counter()
    texts = [text_of(2000 + seed) for seed in range(experiments)]
    asked = [run("winnow/main", patience=0, params=text).id for text in texts]
    ended = _wait_for(asked)
    states = Counter(r.state.name for r in ended)
    assert states == {"Completed": experiments}, [(r.state.name, r.state.message) for r in ended]
    runs = _stage_runs(texts)
    sent = Counter((r.parameters["stage"], r.parameters["params"]) for r in runs)
    assert set(sent.values()) == {1}, [key[0] for key, count in sent.items() if count > 1]
    assert {r.state.name for r in runs} == {"Completed"}
    logs = "".join(p.read_text(encoding="utf-8", errors="replace") for p in (folder / ".winnow/logs").iterdir())
    said = {word: logs.count(word) for word in LOCKED}
    total = time.perf_counter() - start
    return {"experiments": experiments, "seconds": round(total, 1), "stages": len(runs), "run_twice": 0, "logged": said}


def _wait_for(ids: list[Any]) -> list[Any]:
    from prefect.client.orchestration import get_client

    deadline = time.monotonic() + PATIENCE_SECONDS
    with get_client(sync_client=True) as client:
        while True:
            found = [client.read_flow_run(i) for i in ids]
            if all(r.state and r.state.is_final() for r in found):
                return found
            assert time.monotonic() < deadline, Counter(r.state_name for r in found)
            time.sleep(2)


def _stage_runs(texts: list[str]) -> list[Any]:
    """Return the runs of stages with one of the ``texts``.

    The server returns at most 200 at a time.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter

    found: list[Any] = []
    asked = FlowFilter.model_validate({"name": {"any_": ["winnow-stage"]}})
    with get_client(sync_client=True) as client:
        while page := client.read_flow_runs(flow_filter=asked, limit=200, offset=len(found)):
            found += page
    return [r for r in found if r.parameters["params"] in texts]


def main() -> None:
    """Measure, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of the stage that is dispatched")
    parser.add_argument("--experiments", type=int, default=EXPERIMENTS, help="at once; none, if 0")
    parser.add_argument("--bytes", type=int, default=GIGABYTE, help="pushed and pulled")
    asked = parser.parse_args()
    moved = transfer(asked.bytes)
    with served() as folder:
        found = {"stage": dispatch(folder, asked.rounds), "comparison": comparison()}
        if asked.experiments:
            found["at_once"] = at_once(folder, asked.experiments)
    name = "dispatch.postgresql" if all(name in os.environ for name in DATABASES) else "dispatch"
    save(name, {"targets": TARGETS, **found, "transfer": moved})


if __name__ == "__main__":
    main()
