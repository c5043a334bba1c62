"""A study over two agents in clones of their own, of which one is killed: real servers, a remote of git and one of DVC."""

import csv
import json
import re
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import mlflow
import pytest
import yaml

from tests.pipelines.agents.real_agents import (
    agents,
    asked,
    clones_of,
    environment,
    family,
    said_by,
    serving,
    signal_all,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
#: Seven trials a seed: full, two methods, and the controls of both, of which two are planned when their trial has run.
STUDY = {
    "methods": {"swiftlearn": "two-epochs", "infobatch": "none"},
    "fractions": [0.5],
    "seeds": [0, 1],
    "controls": {"learning_rates": [1.0]},
}
CELLS = 7
OVERRIDES = {"study": STUDY, "tasks.digits.training.epochs": 4}
ASKED = ("prefect", "deployment", "run", "winnow-study/main-pool", "--watch", "--param", f"overrides={json.dumps(OVERRIDES)}")
#: What the names of columns that hold timings, or are made of them, have in them.
TIMED = ("time", "measured", "seconds", "kwh", "co2e", "energy", "agot", "speed", "cpu")


@pytest.fixture
def study(finished_copy, tmp_path):
    """Servers, clones of the project, and the local study that is compared with, under way."""
    clones = clones_of(finished_copy, tmp_path, "servers", "main", "one", "two", "local")
    env = environment(tmp_path / "home", WINNOW_LOST_SECONDS="10")
    path = clones["local"] / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["study"] = STUDY
    params["tasks"]["digits"]["training"]["epochs"] = OVERRIDES["tasks.digits.training.epochs"]
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    command = [sys.executable, "-m", "pipelines.study"]
    local = subprocess.Popen(command, cwd=clones["local"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        with serving(clones["servers"], env) as served:
            said = local.communicate(timeout=300)[0].decode()
            assert local.returncode == 0, said
            yield clones, served | {"WINNOW_DVC_REMOTE": str(tmp_path / "remote")}
    finally:
        local.kill()


def untimed(text):
    rows = csv.DictReader(StringIO(text))
    return [{k: v for k, v in row.items() if not any(word in k for word in TIMED)} for row in rows]


def runs_of_cells(env):
    found = asked(f"{env['PREFECT_API_URL']}/flow_runs/filter", {"flows": {"name": {"any_": ["winnow-cells"]}}})
    return [(run["name"], run["state"]["type"]) for run in found]


def lines_of(env):
    lines = asked(f"{env['PREFECT_API_URL']}/logs/filter", {"limit": 200, "sort": "TIMESTAMP_ASC"})
    return "\n".join(line["message"] for line in lines)


def test_a_study_over_agents_of_which_one_dies_is_the_local_one_and_is_not_run_twice(study, tmp_path):
    clones, env = study
    with agents(clones, env, tmp_path) as start:
        main, _, two = start("main", "main-pool"), start("one", "gpu-pool"), start("two", "gpu-pool")
        workers = f"{env['PREFECT_API_URL']}/work_pools/gpu-pool/workers/filter"
        wait_for(lambda: len(asked(workers, {})) > 1, two.read_text, pause=0.5)
        run = subprocess.Popen(ASKED, cwd=clones["main"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        second = ".winnow/kept/*/.winnow/study/*/seed-*/.winnow/done/evaluate@swiftlearn-0.5.json"
        wait_for(lambda: list(clones["one"].glob(second)), lambda: main.read_text() + two.read_text(), run)
        (seed,) = (re.search(r"seed-(\d)", str(path))[1] for path in clones["one"].glob(second))
        signal_all(family(clones["one"]), signal.SIGKILL)
        said = run.communicate(timeout=300)[0].decode()
        assert "Completed" in said, said + main.read_text() + two.read_text()
        told = rf"digits seed {seed}: agent [^ ]+ sent no heartbeat for 10 s; submitting it again"
        assert re.search(told, main.read_text()), main.read_text()
        # At most the trial that it was at is lost.
        left = re.findall(rf"(\d) of {CELLS} trials to run on digits with seed {seed}", lines_of(env))
        assert len(left) == 2
        assert int(left[1]) < int(left[0]) == CELLS
        check_tables(clones["local"], env, tmp_path)
        check_again(clones, env)
    for name in ("main", "two"):
        assert not [path for kind in ("worktrees", "kept") for path in (clones[name] / ".winnow" / kind).glob("*")]


def check_tables(local, env, folder):
    """Check that MLflow has the tables of the local study, timings aside, and every trial."""
    client = mlflow.MlflowClient(env["MLFLOW_TRACKING_URI"])
    runs = client.search_runs([client.get_experiment_by_name("winnow").experiment_id])
    whole = next(run for run in runs if run.info.run_name == "digits study")
    assert whole.info.status == "FINISHED"
    assert len(runs) == 1 + 2 * CELLS
    (folder / "tables").mkdir()
    for table in ("study.csv", "cells.csv"):
        path = Path(client.download_artifacts(whole.info.run_id, f"study/{table}", str(folder / "tables")))
        mine = untimed((local / "results/study/digits" / table).read_text())
        assert untimed(path.read_text()) == mine
        assert len(mine) > 2
        assert len(mine[0]) > 8


def check_again(clones, env):
    """Check that nothing of a finished study is sent again."""
    before = runs_of_cells(env)
    assert sorted(state for _, state in before) == ["COMPLETED", "COMPLETED", "CRASHED"]
    assert "Completed" in said_by(clones["main"], env, *ASKED)
    assert runs_of_cells(env) == before
