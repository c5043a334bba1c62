"""Stages sent over work pools to agents in clones of their own: real servers, real agents, a remote of git and one of DVC."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
import yaml

from pipelines import automations
from pipelines.databases import MLFLOW, PREFECT
from pipelines.server import free_port

#: Twelve stages, each sent to an agent, one of them twice: minutes on a quiet machine, and many on a busy one.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
#: What holds timings, or is made of them: it differs from run to run.
TIMED = ("results/cost/", "results/account/", "results/compare")


def environment(home, **more):
    """Return an environment without the settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "WINNOW_", "PREFECT_", "PYTHONPATH"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quiet = {"PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1", "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
    soon = {"PREFECT_WORKER_QUERY_SECONDS": "1", "WINNOW_LOST_SECONDS": "15"}
    return kept | quiet | soon | {"PATH": path, "PREFECT_HOME": str(home)} | more


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
    folders = {name: tmp_path / name / "a" / "clone" for name in ("servers", "main", "cpu", "gpu", "user", "other")}
    for folder in folders.values():
        subprocess.run(["git", "clone", "--quiet", origin, folder], check=True)
    return folders


@pytest.fixture
def servers(clones, tmp_path, postgres):
    """Start both servers on PostgreSQL and on ports of their own, and end them; return the environment to find them in."""
    # Not the usual ports: who was told of them, of another run of these tests, would be answered here.
    ports = {name: str(free_port()) for name in ("WINNOW_PREFECT_PORT", "WINNOW_MLFLOW_PORT")}
    env = environment(tmp_path / "home", **ports)
    kept = {PREFECT: f"postgresql+asyncpg://{postgres['prefect']}", MLFLOW: f"postgresql://{postgres['mlflow']}"}
    said_by(clones["servers"], env | kept, sys.executable, "-m", "pipelines.services", "servers")
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


def refused(folder, env, *parameters):
    """Check that Prefect's server lets no run with these parameters begin."""
    given = [part for parameter in parameters for part in ("--param", parameter)]
    command = ["prefect", "deployment", "run", "winnow-stage/gpu-pool", *given]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode != 0, done.stdout
    assert "does not match" in done.stdout + done.stderr


def runs_of(tracker):
    asked = urllib.request.Request(f"{tracker}/api/2.0/mlflow/runs/search", json.dumps({"experiment_ids": ["1"]}).encode())
    asked.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return {run["info"]["run_name"] for run in json.loads(answer.read())["runs"]}


def post(env, path, **asked):
    request = urllib.request.Request(f"{env['PREFECT_API_URL']}/{path}", json.dumps(asked).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


@pytest.fixture
def start_agent(clones, servers, tmp_path):
    """Start an agent of a pool in a clone, which saves after every batch, also where others find it; return its log."""
    env = servers | {"WINNOW_CHECKPOINTS": str(tmp_path / "copies"), "WINNOW_CHECKPOINT_SECONDS": "0"}
    started = []

    def start(name, pool):
        path = tmp_path / f"{name}.log"
        with path.open("wb") as log:
            command = [sys.executable, "-m", "pipelines.agent", pool]
            started.append(subprocess.Popen(command, cwd=clones[name], env=env, stdout=log, stderr=log))
        return path

    yield start
    for process in started:
        end(process)


def kill_all_in(folder):
    """Kill the worker that runs in ``folder`` and all that it has started, in whatever session, as a machine that dies."""
    (worker,) = [p for p in psutil.Process().children() if p.cwd() == str(folder)]
    for process in [worker, *worker.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def wait_for(found, what, process=None, seconds=500):
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, what()
        assert process is None or process.poll() is None, what()
        time.sleep(0.005)


def test_agents_of_which_one_dies_make_what_repro_makes(clones, servers, start_agent, tmp_path, finished_copy):
    main, cpu, gpu = (start_agent(name, f"{name}-pool") for name in ("main", "cpu", "gpu"))
    command = ["prefect", "deployment", "run", "winnow/main", "--watch"]
    run = subprocess.Popen(command, cwd=clones["user"], env=servers, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        saved = partial((tmp_path / "copies").glob, "train.full.*.safetensors")
        wait_for(lambda: list(saved()), lambda: main.read_text() + gpu.read_text(), run)
        kill_all_in(clones["gpu"])
        other = start_agent("other", "gpu-pool")
        said = run.communicate(timeout=500)[0].decode()
    finally:
        run.kill()
    assert "Completed" in said, said + main.read_text() + other.read_text()
    told = r"train@full: agent [^ ]+ was not heard of for 15 s; the stage is sent again"
    assert re.search(told, main.read_text()), main.read_text()
    went_on = r"train\.full\.\w+\.safetensors: goes on from the shared copy, epoch "
    assert re.search(went_on, other.read_text()), other.read_text()
    assert "train full" not in cpu.read_text()
    check_results(clones, servers, finished_copy)
    check_what_is_seen(servers)
    refused(clones["user"], servers, "stage=train@full", "revision=--exec=x")
    assert {"digits comparison", "full", "swiftlearn"} <= runs_of(servers["MLFLOW_TRACKING_URI"])


def check_results(clones, env, finished_copy):
    """Check that users find what ``dvc repro`` makes, byte for byte, and agents keep nothing but caches."""
    for name in ("user", "servers"):
        said_by(clones[name], env, "dvc", "remote", "add", "--local", "--default", "shared", env["WINNOW_DVC_REMOTE"])
        assert "Running stage" not in said_by(clones[name], env, "dvc", "repro", "--pull"), name
    assert untimed(clones["user"]) == untimed(finished_copy)
    assert (clones["user"] / "dvc.lock").read_bytes() == (clones["servers"] / "dvc.lock").read_bytes()
    for name in ("main", "cpu", "other"):
        assert list((clones[name] / ".winnow/worktrees").iterdir()) == []
        assert not (clones[name] / "results").exists()


def check_what_is_seen(env):
    """Check that Prefect's pages have a stage's progress and lines, the comparison, and one watch over those."""
    assert [a["name"] for a in post(env, "automations/filter")] == [automations.NAME]
    artifacts = {a["key"]: a for a in post(env, "artifacts/latest/filter", limit=100)}
    assert artifacts["winnow-train-swiftlearn"]["data"] == 100
    assert "In MLflow: [comparison](http" in artifacts["winnow-comparison"]["description"]
    lines = [line["message"] for line in post(env, "logs/filter", limit=200, sort="TIMESTAMP_DESC")]
    assert any(line.startswith("train swiftlearn: epoch ") for line in lines), lines
