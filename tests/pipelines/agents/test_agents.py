"""Stages sent over work pools to agents in clones of their own: real servers, real agents, a remote of git and one of DVC."""

import re
import signal
import subprocess
from functools import partial

import pytest

from pipelines.services import automations
from pipelines.services.databases import MLFLOW, PREFECT
from tests.pipelines.agents.real_agents import (
    agents,
    asked,
    clones_of,
    environment,
    family,
    runs_of,
    said_by,
    serving,
    signal_all,
    untimed,
    wait_for,
)

#: Twelve stages, each sent to an agent, one of them twice: minutes on a quiet machine, and many on a busy one.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def clones(finished_copy, tmp_path):
    return clones_of(finished_copy, tmp_path, "servers", "main", "cpu", "gpu", "user", "other")


@pytest.fixture
def servers(clones, tmp_path, postgres):
    """Start both servers on PostgreSQL and on ports of their own, and end them; return the environment to find them in."""
    kept = {PREFECT: f"postgresql+asyncpg://{postgres['prefect']}", MLFLOW: f"postgresql://{postgres['mlflow']}"}
    with serving(clones["servers"], environment(tmp_path / "home"), **kept) as env:
        yield env | {"WINNOW_DVC_REMOTE": str(tmp_path / "remote")}


def refused(folder, env, *parameters):
    """Check that Prefect's server lets no run with these parameters begin."""
    given = [part for parameter in parameters for part in ("--param", parameter)]
    command = ["prefect", "deployment", "run", "winnow-stage/gpu-pool", *given]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode != 0, done.stdout
    assert "does not match" in done.stdout + done.stderr


@pytest.fixture
def start_agent(clones, servers, tmp_path):
    """Start an agent of a pool in a clone, which saves after every batch, also where others find it; return its log."""
    env = servers | {"WINNOW_CHECKPOINTS": str(tmp_path / "copies"), "WINNOW_CHECKPOINT_SECONDS": "0"}
    with agents(clones, env, tmp_path) as start:
        yield start


def test_agents_of_which_one_dies_make_what_repro_makes(clones, servers, start_agent, tmp_path, finished_copy):
    main, cpu, gpu = (start_agent(name, f"{name}-pool") for name in ("main", "cpu", "gpu"))
    command = ["prefect", "deployment", "run", "winnow/main", "--watch"]
    run = subprocess.Popen(command, cwd=clones["user"], env=servers, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        saved = partial((tmp_path / "copies").glob, "train.full.*.safetensors")
        wait_for(lambda: list(saved()), lambda: main.read_text() + gpu.read_text(), run)
        signal_all(family(clones["gpu"]), signal.SIGKILL)
        other = start_agent("other", "gpu-pool")
        said = run.communicate(timeout=500)[0].decode()
    finally:
        run.kill()
    assert "Completed" in said, said + main.read_text() + other.read_text()
    told = r"train@full: agent [^ ]+ sent no heartbeat for 15 s; submitting it again"
    assert re.search(told, main.read_text()), main.read_text()
    went_on = r"train\.full\.\w+\.safetensors: resumes from the shared copy, epoch "
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
    assert [a["name"] for a in asked(f"{env['PREFECT_API_URL']}/automations/filter", {})] == [automations.NAME]
    artifacts = {a["key"]: a for a in asked(f"{env['PREFECT_API_URL']}/artifacts/latest/filter", {"limit": 100})}
    assert artifacts["winnow-train-swiftlearn"]["data"] == 100
    assert "In MLflow: [comparison](http" in artifacts["winnow-comparison"]["description"]
    found = asked(f"{env['PREFECT_API_URL']}/logs/filter", {"limit": 200, "sort": "TIMESTAMP_DESC"})
    lines = [line["message"] for line in found]
    assert any(line.startswith("train swiftlearn: epoch ") for line in lines), lines
