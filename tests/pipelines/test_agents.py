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
from pathlib import Path

import psutil
import pytest
import yaml

from pipelines.server import free_port

pytestmark = pytest.mark.slow
#: What holds timings, or is made of them: it differs from run to run.
TIMED = ("results/cost/", "results/account/", "results/compare")


def environment(home, **more):
    """Return an environment without the settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "WINNOW_", "PREFECT_", "PYTHONPATH"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quiet = {"PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1", "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
    soon = {"PREFECT_WORKER_QUERY_SECONDS": "1", "WINNOW_LOST_SECONDS": "30"}
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
    folders = {name: tmp_path / name / "a" / "clone" for name in ("servers", "cpu", "gpu", "user", "other")}
    for folder in folders.values():
        subprocess.run(["git", "clone", "--quiet", origin, folder], check=True)
    return folders


@pytest.fixture
def servers(clones, tmp_path):
    """Start both servers on ports of their own, and end them; return the environment in which they are found."""
    # Not the usual ports: who was told of them, of another run of these tests, would be answered here.
    ports = {name: str(free_port()) for name in ("WINNOW_PREFECT_PORT", "WINNOW_MLFLOW_PORT")}
    env = environment(tmp_path / "home", **ports)
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


class Lost:
    """The worker that runs in ``folder`` and all that it has started, in whatever session."""

    def __init__(self, folder):
        (worker,) = [p for p in psutil.Process().children() if p.cwd() == str(folder)]
        self.all = [worker, *worker.children(recursive=True)]

    def send(self, number):
        for process in self.all:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def shared(tmp_path):
    return {path for path in (tmp_path / "remote").rglob("*") if path.is_file()}


def wait_for(found, what, process=None, seconds=500):
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, what()
        assert process is None or process.poll() is None, what()
        time.sleep(0.005)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "cut off"])
def test_the_stage_of_a_lost_agent_goes_on_elsewhere(clones, servers, start_agent, tmp_path, finished_copy, how):
    """An agent that is stopped is one that cannot be reached: when it is back, it must not share what nobody waits for."""
    cpu, gpu = start_agent("cpu", "cpu-pool"), start_agent("gpu", "gpu-pool")
    command = ["prefect", "deployment", "run", "winnow/main", "--watch"]
    run = subprocess.Popen(command, cwd=clones["user"], env=servers, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(
        lambda: list((tmp_path / "copies").glob("train.full.*.safetensors")), lambda: cpu.read_text() + gpu.read_text(), run
    )
    lost = Lost(clones["gpu"])
    try:
        lost.send(how)
        other = start_agent("other", "gpu-pool")
        said = run.communicate(timeout=500)[0].decode()
        assert "Completed" in said, said + cpu.read_text() + other.read_text()
        told = r"train@full: agent [^ ]+ was not heard of for 30 s; the stage is sent again"
        assert re.search(told, cpu.read_text()), cpu.read_text()
        assert re.search(r"train\.full\.\w+\.safetensors: goes on from the shared copy, epoch ", other.read_text()), (
            other.read_text()
        )
        if how == signal.SIGSTOP:
            before = shared(tmp_path)
            lost.send(signal.SIGCONT)
            wait_for(lambda: "was given up" in gpu.read_text(), gpu.read_text)
            psutil.wait_procs(lost.all[1:], 60)
            assert shared(tmp_path) == before
    finally:
        lost.send(signal.SIGKILL)
        run.kill()
    said_by(clones["user"], servers, "dvc", "remote", "add", "--local", "--default", "shared", servers["WINNOW_DVC_REMOTE"])
    assert "Running stage" not in said_by(clones["user"], servers, "dvc", "repro", "--pull")
    assert untimed(clones["user"]) == untimed(finished_copy)
    check_what_is_seen(servers)


def check_what_is_seen(env):
    """Check that Prefect's pages have a stage's progress and lines, and the comparison with its runs."""
    artifacts = {a["key"]: a for a in post(env, "artifacts/latest/filter", limit=100)}
    assert artifacts["winnow-train-swiftlearn"]["data"] == 100
    assert "In MLflow: [comparison](http" in artifacts["winnow-comparison"]["description"]
    lines = [line["message"] for line in post(env, "logs/filter", limit=200, sort="TIMESTAMP_DESC")]
    assert any(line.startswith("train swiftlearn: epoch ") for line in lines), lines
