"""Stages sent over work pools to agents in clones of their own: real servers, real agents, a remote of git and one of DVC."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
import yaml

pytestmark = pytest.mark.slow
#: What holds timings, or is made of them: it differs from run to run.
TIMED = ("results/cost/", "results/account/", "results/compare")


def environment(home, **more):
    """Return an environment without the settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "WINNOW_", "PREFECT_", "PYTHONPATH"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quiet = {"PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1", "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
    return kept | quiet | {"PATH": path, "PREFECT_HOME": str(home), "PREFECT_WORKER_QUERY_SECONDS": "1"} | more


def said_by(folder, env, *command):
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def untimed(folder):
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    outs = {o["path"]: o["md5"] for stage in stages.values() for o in stage["outs"]}
    return {path: md5 for path, md5 in outs.items() if not path.startswith(TIMED)}


@pytest.fixture
def clones(finished_copy, tmp_path):
    """Return a bare git remote of the finished project, and clones of it without any result, in different folders."""
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", finished_copy, origin], check=True)
    folders = {name: tmp_path / name / "a" / "clone" for name in ("servers", "cpu", "gpu", "user", "other")}
    for folder in folders.values():
        subprocess.run(["git", "clone", "--quiet", origin, folder], check=True)
    return folders


@pytest.fixture
def servers(clones, tmp_path):
    """Start both servers on ports of their own, and end them; return the environment in which they are found."""
    env = environment(tmp_path / "home")
    said_by(clones["servers"], env, sys.executable, "-m", "pipelines.services", "servers")
    pids = [p["pid"] for p in json.loads((clones["servers"] / ".winnow/services.json").read_text())["processes"]]
    try:
        # Again is the same.
        pages = said_by(clones["servers"], env, sys.executable, "-m", "pipelines.services", "servers")
        found = dict(line.split(": ", 1) for line in pages.splitlines() if ": http" in line)
        urls = {"PREFECT_API_URL": f"{found['Prefect']}/api", "MLFLOW_TRACKING_URI": found["MLflow"]}
        yield env | urls | {"WINNOW_DVC_REMOTE": str(tmp_path / "remote")}
    finally:
        for _ in range(2):
            said_by(clones["servers"], env, sys.executable, "-m", "pipelines.services", "down")
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert len(pids) == 2


@pytest.fixture
def agents(clones, servers, tmp_path):
    """Run an agent of each pool in a clone of its own; return the file that each writes to."""
    started, logs = [], {}
    try:
        for pool in ("cpu", "gpu"):
            logs[pool] = tmp_path / f"{pool}.log"
            with logs[pool].open("wb") as log:
                command = [sys.executable, "-m", "pipelines.agent", f"{pool}-pool"]
                started.append(subprocess.Popen(command, cwd=clones[pool], env=servers, stdout=log, stderr=log))
        yield logs
    finally:
        for process in started:
            end(process)


def refused(folder, env, *parameters):
    """Check that Prefect's server lets no run with these parameters begin."""
    given = [part for parameter in parameters for part in ("--param", parameter)]
    command = ["prefect", "deployment", "run", "winnow-stage/gpu-pool", *given]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode != 0, done.stdout
    assert "does not match" in done.stdout + done.stderr


def test_agents_in_their_own_clones_make_what_repro_makes(clones, servers, agents, finished_copy):
    said = said_by(clones["user"], servers, "prefect", "deployment", "run", "winnow/main", "--watch")
    assert "Completed" in said, (said, *(log.read_text() for log in agents.values()))
    assert "train full: epoch 6" in agents["gpu"].read_text()
    assert "train full" not in agents["cpu"].read_text()
    for name in ("user", "other"):
        config = ["dvc", "remote", "add", "--local", "--default", "shared", servers["WINNOW_DVC_REMOTE"]]
        said_by(clones[name], servers, *config)
        assert "Running stage" not in said_by(clones[name], servers, "dvc", "repro", "--pull"), name
    assert untimed(clones["user"]) == untimed(finished_copy)
    assert (clones["user"] / "dvc.lock").read_bytes() == (clones["other"] / "dvc.lock").read_bytes()
    for pool in ("cpu", "gpu"):
        assert list((clones[pool] / ".winnow/worktrees").iterdir()) == []
        assert not (clones[pool] / "results").exists()
    refused(clones["user"], servers, "stage=train@full", "revision=--exec=x")
    names = runs_of(servers["MLFLOW_TRACKING_URI"])
    assert {"digits comparison", "full", "swiftlearn"} <= names


def runs_of(tracker):
    asked = urllib.request.Request(f"{tracker}/api/2.0/mlflow/runs/search", json.dumps({"experiment_ids": ["1"]}).encode())
    asked.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return {run["info"]["run_name"] for run in json.loads(answer.read())["runs"]}
