"""A study over several tasks: what each is made of."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipelines.config.loader import load
from pipelines.core.artifacts import read_json
from pipelines.core.errors import UserError
from pipelines.study.across_tasks import options_of
from pipelines.study.tasks import bases, each, together
from pipelines.trials.grid import grid_of
from tests.conftest import ROOT
from tests.pipelines.study.test_command import project

NOISY = {"task": "digits", "label_noise": {"fraction": 0.2}}


def test_without_tasks_it_is_the_one_of_the_file(asked):
    found = asked([])
    assert list(found) == ["digits"]
    assert found["digits"] == load()


def test_names_alone_are_tasks_as_they_are(asked):
    found = asked(["movie-reviews", "digits"])
    assert {name: (p.task, p.chosen) for name, p in found.items()} == {
        n: (n, load().tasks[n]) for n in ("movie-reviews", "digits")
    }


def test_a_task_may_be_another_one_with_some_settings_changed(asked):
    tasks = {"digits": None, "noisy": NOISY, "long": {"task": "digits", "training": {"epochs": 9}, "limit": 500}}
    found, own = asked(tasks), load().tasks["digits"]
    assert found["digits"].chosen == own
    assert found["noisy"].chosen.label_noise.fraction == 0.2
    assert found["noisy"].chosen.training == own.training
    assert found["long"].chosen.training == own.training.model_copy(update={"epochs": 9})
    assert {name: options_of(p) for name, p in found.items()} == {
        "digits": {}, "noisy": {"label_noise": {"fraction": 0.2, "by_class": False, "seed": 0}}, "long": {"limit": 500},
    }  # fmt: skip
    assert bases(load()) == {"digits": "digits", "noisy": "digits", "long": "digits"}


def test_every_task_of_the_file_may_be_one_of_a_study(asked):
    names = list(load(ROOT / "params.yaml").tasks)
    assert list(asked(names, {"warm_ups": {"none": {"epochs": 0}}, "diagnose": {"warm_up": "none"}})) == names


@pytest.mark.parametrize("path", sorted((ROOT / "docs/studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_of_the_docs_can_be_planned(path):
    for task, read in each(load(ROOT / "params.yaml", path), path).items():
        assert {c.method for c in grid_of(read).trials} > {"full"}, task


REFUSED = {
    "a task that is none": ({"noisy": {"task": "digit"}}, r"study.tasks.noisy: 'digit': no such task, did you mean 'digits'"),
    "no task of its own name": (["nowhere"], r"study.tasks.nowhere: 'nowhere': no such task"),
    "a key that is none": (
        {"digits": {"label_nois": {}}},
        r"study.tasks.digits: 'label_nois': no such key, did you mean 'label_noise'",
    ),
    "out of bounds": (
        {"noisy": NOISY | {"label_noise": {"fraction": 1.5}}},
        r"study.tasks.noisy: label_noise.fraction: .*got 1.5",
    ),
    "a ramp beyond training": (
        {"digits": {"training": {"schedule": {"name": "linear", "ramp": 8.0, "hold": 2.0}}}},
        r"schedule.ramp: must be under the 6 of tasks.digits",
    ),
    "twice": (["digits", "digits"], r"study: tasks: each must be there once, got 'digits' 2 times"),
    "the name of all": ({"regimes": {"task": "digits"}}, r"study.tasks.regimes: is the folder of the joint tables"),
}


@pytest.mark.parametrize(("tasks", "said"), REFUSED.values(), ids=REFUSED)
def test_a_task_that_cannot_be_is_refused_by_name(asked, tasks, said):
    with pytest.raises(UserError, match=said):
        asked(tasks)


def test_the_tables_of_two_studies_lie_apart():
    one, other = (together(Path(file)) for file in ("params.yaml", "docs/studies/debian.yaml"))
    assert (str(one), str(other)) == ("results/study/regimes/params", "results/study/regimes/debian")


@pytest.mark.slow
def test_two_tasks_end_to_end_and_again(tmp_path, tmp_path_factory):
    import mlflow

    tasks = {"digits": None, "half": {"task": "digits", "duplicates": {"fraction": 0.5}, "training": {"epochs": 3}}}
    folder = project(
        tmp_path / "project", methods={"infobatch": "none"}, seeds=[0], tasks=tasks, controls={"learning_rates": [1.0]}
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    env |= {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")), "PYTHONWARNINGS": "", "PYTHONPATH": str(folder)}

    def run():
        command = [sys.executable, "-m", "pipelines.study"]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr + done.stdout

    said = run()
    assert "4 of 4 trials to run on digits" in said
    assert "4 of 4 trials to run on half" in said
    results = folder / "results/study/regimes/params"
    for name, count in {"regimes": 2, "study": 4, "cells": 8}.items():
        table, typed = pd.read_csv(results / f"{name}.csv"), pd.read_parquet(results / f"{name}.parquet")
        assert list(table.columns) == list(typed.columns)
        assert len(table) == len(typed) == count
        assert set(table["task"]) == {"digits", "half"}
    own = pd.read_csv(folder / "results/study/half/cells.csv")
    together = pd.read_csv(results / "cells.csv")
    assert together[together["task"] == "half"]["accuracy"].tolist() == own["accuracy"].tolist()
    page = (results / "report.html").read_text()
    assert page.index("By regime") < page.index("half: each method beside its controls")
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    before = _runs(client)
    assert "nothing had changed" in run()
    assert _runs(client) == before
    (top,) = [run for run, parent in before.items() if parent is None]
    assert sorted(before.values(), key=str).count(top) == 2
    assert len(before) == 1 + 2 + 8
    assert len(read_json(results / "regimes.json")) == 2


def _runs(client):
    found = client.search_runs([client.get_experiment_by_name("winnow").experiment_id])
    return {r.info.run_id: r.data.tags.get("mlflow.parentRunId") for r in found}
