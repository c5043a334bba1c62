"""Seconds to publish a comparison of many runs to MLflow, in a database and through a server."""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import environment, inside, params_of, repro, save

#: Name that replaces the real run's in the paths of the copies.
REAL, STAGES = "full", ("subset", "train", "evaluate")
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def widen(runs: int) -> None:
    """Make a comparison of ``runs`` methods out of that of one in the current folder: copies under other names."""
    names = [REAL, *(f"copy-{i:03}" for i in range(1, runs))]
    for name in names[1:]:
        for stage in STAGES:
            shutil.copytree(f"results/{stage}/{REAL}", f"results/{stage}/{name}")
            shutil.copy(f"results/cost/{stage}.{REAL}.json", f"results/cost/{stage}.{name}.json")
        plan = json.loads(Path(f"results/plan/methods/{REAL}.json").read_text(encoding="utf-8"))
        Path(f"results/plan/methods/{name}.json").write_text(json.dumps(plan | {"name": name}), encoding="utf-8")
    _change("results/plan/comparison.json", lambda held: held | {"methods": names})
    _change("results/account/account.json", lambda held: held | {"methods": dict.fromkeys(names, held["methods"][REAL])})
    _change("results/compare/comparison.json", lambda held: held | {"rows": [held["rows"][0] | {"method": n} for n in names]})
    _lock(names)


def _change(path: str, change: Any) -> None:  # noqa: ANN401 - a function of a JSON object
    file = Path(path)
    file.write_text(json.dumps(change(json.loads(file.read_text(encoding="utf-8")))), encoding="utf-8")


def _lock(names: list[str]) -> None:
    """Write the dvc.lock that DVC would have written."""
    from pipelines.versioning.dvc_lock import md5_of

    lock = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))
    for name in names[1:]:
        for stage in STAGES:
            entry = copy.deepcopy(lock["stages"][f"{stage}@{REAL}"])
            for file in [*entry["deps"], *entry["outs"]]:
                file["path"] = file["path"].replace(f"/{REAL}", f"/{name}").replace(f".{REAL}.json", f".{name}.json")
            lock["stages"][f"{stage}@{name}"] = entry
    for entry in lock["stages"].values():
        for file in [*entry.get("deps", []), *entry.get("outs", [])]:
            if file["path"].startswith("results/"):
                file["md5"] = md5_of(Path(file["path"]))
    Path("dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")


@contextmanager
def server() -> Any:  # noqa: ANN401 - an iterator over addresses
    """Yield the address of an MLflow server that is stopped at the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", "sqlite:///server.db", "--host", "127.0.0.1"]
    command += ["--port", address.rpartition(":")[2], "--workers", "1"]
    null = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | QUIET, stdout=null, stderr=null, start_new_session=True)
    try:
        while process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=5):
                break
            time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def publish(folder: Path, uri: str) -> dict[str, float]:
    """Return the seconds of the command that publishes to ``uri``, imports included."""
    given = environment(folder) | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.tracking"], cwd=folder, env=given, capture_output=True, text=True, check=True
    )
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    if done.stderr:
        sys.exit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_seconds": round(wall, 2), "cpu_seconds": round(cpu, 2)}


def main() -> None:
    """Publish to a new database and to a new server, twice each, and save the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    with inside(params_of("digits", "") | {"compare": {REAL: "none"}}) as folder:
        repro(folder)
        widen(runs)
        found: dict[str, Any] = {"publishing": runs, "database": [publish(folder, "sqlite:///runs.db") for _ in range(2)]}
        with server() as address:
            found["server"] = [publish(folder, address) for _ in range(2)]
    save("publish", found)


if __name__ == "__main__":
    main()
