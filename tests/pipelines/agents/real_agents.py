"""Servers and agents as a user starts them: what tests of stages that agents run have in common."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import psutil
import yaml

from pipelines.flows.prefect_server import free_port

#: What holds timings, or is made of them: it differs from run to run.
TIMED = ("results/cost/", "results/account/", "results/compare")


def environment(home, **more):
    """Return an environment without the settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "WINNOW_", "PREFECT_", "PYTHONPATH"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quiet = {"PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1", "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
    # Not the usual ports: who was told of them, of another run of these tests, would be answered here.
    ports = {name: str(free_port()) for name in ("WINNOW_PREFECT_PORT", "WINNOW_MLFLOW_PORT")}
    soon = {"PREFECT_WORKER_QUERY_SECONDS": "1", "WINNOW_LOST_SECONDS": "15"}
    return kept | quiet | ports | soon | {"PATH": path, "PREFECT_HOME": str(home)} | more


def said_by(folder, env, *command):
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def clones_of(project, folder, *names):
    """Return a folder for each name: clones, without any result, of a bare git remote of the project."""
    origin = folder / "origin.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", project, origin], check=True)
    folders = {name: folder / name / "a" / "clone" for name in names}
    for clone in folders.values():
        subprocess.run(["git", "clone", "--quiet", origin, clone], check=True)
    return folders


@contextmanager
def serving(folder, env, **databases):
    """Start both servers in a clone, and end them; give the environment to find them in."""
    said_by(folder, env | databases, sys.executable, "-m", "pipelines.services", "servers")
    pids = [p["pid"] for p in json.loads((folder / ".winnow/services.json").read_text())["processes"]]
    try:
        # Again is the same.
        pages = said_by(folder, env, sys.executable, "-m", "pipelines.services", "servers")
        found = dict(line.split(": ", 1) for line in pages.splitlines() if ": http" in line)
        yield env | {"PREFECT_API_URL": f"{found['Prefect']}/api", "MLFLOW_TRACKING_URI": found["MLflow"]}
    finally:
        for _ in range(2):
            said_by(folder, env, sys.executable, "-m", "pipelines.services", "down")
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert len(pids) == 2


@contextmanager
def agents(clones, env, logs):
    """Give what starts an agent of a pool in a clone, and returns its log; end them all."""
    started = []

    def start(name, pool):
        path = logs / f"{name}.log"
        with path.open("wb") as log:
            command = [sys.executable, "-m", "pipelines.services.worker", pool]
            started.append(subprocess.Popen(command, cwd=clones[name], env=env, stdout=log, stderr=log))
        return path

    try:
        yield start
    finally:
        for process in started:
            end(process)


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def family(folder):
    """Return the worker that runs in ``folder`` and all that it has started, in whatever session."""
    (worker,) = [p for p in psutil.Process().children() if p.cwd() == str(folder)]
    return [worker, *worker.children(recursive=True)]


def signal_all(processes, number):
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def wait_for(found, what, process=None, pause=0.005):
    deadline = time.monotonic() + 500
    while not found():
        assert time.monotonic() < deadline, what()
        assert process is None or process.poll() is None, what()
        time.sleep(pause)


def asked(address, body=None):
    """Return what a server answers to a question, or to a ``body`` that it is sent; one that is too busy is asked again."""
    request = urllib.request.Request(address, None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    for _ in range(100):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
        time.sleep(0.5)
    raise AssertionError(f"{address} is busy for ever")


def runs_of(tracker):
    found = asked(f"{tracker}/api/2.0/mlflow/runs/search", {"experiment_ids": ["1"]})
    return {run["info"]["run_name"] for run in found["runs"]}


def untimed(folder):
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    outs = {o["path"]: o["md5"] for stage in stages.values() for o in stage["outs"]}
    return {path: md5 for path, md5 in outs.items() if not path.startswith(TIMED)}
