"""Advice on digits, end to end: killed and gone on with, asked again, refused."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean

import mlflow
import pytest
import yaml

from pipelines.advise import proposal, rungs
from pipelines.advise.records import Advice
from pipelines.config.loader import load
from pipelines.config.planning import plans_of
from tests.conftest import ROOT, defaults

ADVISE = {
    "methods": {"swiftlearn": "two-epochs"},
    "fractions": [0.2, 0.5],
    "seeds": [0, 1, 2],
    "rungs": [0.5, 1.0],
    "validation": 0.25,
    "controls": {"learning_rates": [1.0]},
}
#: full, two methods and four controls on half of the data; then full, a method, and its controls or others with three seeds.
FIRST = 7


def project(folder):
    folder.mkdir(parents=True)
    for name in ("components", "pipelines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "MLproject"):
        shutil.copy(ROOT / name, folder / name)
    params = defaults() | {"task": "digits", "advise": ADVISE}
    params["tasks"]["digits"]["training"]["epochs"] = 4
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def start(folder, *given, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    env = {
        **kept,
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "200",
        **environment,
    }
    command = [sys.executable, "-m", "pipelines.advise", *given]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process, code=0):
    said, _ = process.communicate(timeout=500)
    assert process.returncode == code, said
    return said


def read(folder):
    return json.loads((folder / "results/advice/digits/advice.json").read_text())


def marks(folder):
    return {p: p.stat().st_mtime_ns for p in folder.glob(".winnow/study/*/seed-*/.winnow/done/*.json")}


@pytest.fixture(scope="session")
def advised(tmp_path_factory, prefect_home):
    """A project that was killed in the middle of an advice within a tolerance, and then brought it to its end."""
    folder = project(tmp_path_factory.mktemp("advised") / "project")
    process = start(folder, "--tolerance", "0.02", WINNOW_CHECKPOINT_SECONDS="0", **prefect_home)
    while len([m for m in marks(folder) if m.name.startswith("evaluate")]) < 3 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    finish(process, -signal.SIGKILL)
    said = finish(start(folder, "--tolerance", "0.02", **prefect_home))
    assert f"1/{FIRST - 3}: " in said or f"1/{FIRST - 4}: " in said
    return folder, said


@pytest.mark.slow
def test_advice_within_a_tolerance_keeps_to_it_and_adds_up(advised):
    folder, said = advised
    found = read(folder)
    assert Advice.of(found).dumped() == found
    answer, last = found["answer"], found["rungs"][-1]
    by_name = {o["name"]: o for o in last["outcomes"]}
    assert len(found["rungs"][0]["outcomes"]) == FIRST
    assert last["seeds"] == [0, 1, 2]
    assert answer["kind"] in ("full", "control", "method")
    assert by_name["full"]["score"] - answer["score"] <= 0.02 + 1e-9
    assert answer["score"] == by_name[answer["name"]]["score"]
    assert all(answer["score"] > by_name[c]["score"] for c in by_name[answer["name"]]["controls"])
    assert found["validation_rows"] == round(0.25 * 1438)
    assert not any(r["failed"] for r in found["rungs"])
    with (folder / "results/advice/digits/advice.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["trials"]) == FIRST + 3 * len(last["outcomes"])
    assert found["sentence"] in said
    assert f"paid back after {found['balance']['paid_back_after']:,} training" in said or answer["kind"] == "full"
    assert found["balance"]["cost"]["cpu_seconds"] > sum(float(r["cpu_seconds"]) for r in rows) * 0.8
    assert (found["test"] is None) == (answer["kind"] == "full")


@pytest.mark.slow
def test_its_page_and_its_runs_hold_every_trial(advised):
    folder, _ = advised
    found, page = read(folder), (folder / "results/advice/digits/report.html").read_text()
    assert "python -m pipelines.advise --tolerance 0.02" in page
    for outcome in found["rungs"][0]["outcomes"]:
        assert f">{outcome['name']}<" in page
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("winnow").experiment_id])
    (parent,) = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    assert parent.info.run_name == "digits advice"
    assert parent.data.tags["advice"] == found["sentence"]
    assert parent.data.metrics["advice_cpu_seconds"] == found["balance"]["cost"]["cpu_seconds"]
    trials = {r.info.run_name: r for r in runs if r is not parent}
    assert len(trials) == len(found["trials"])
    assert {r.data.tags["mlflow.parentRunId"] for r in trials.values()} == {parent.info.run_id}
    (full,) = [t for t in found["trials"] if (t["cell"], t["share"], t["seed"]) == ("full", 1.0, 2)]
    assert trials["full on 1 seed 2"].data.metrics["accuracy"] == full["accuracy"]


@pytest.mark.slow
def test_its_block_is_one_that_params_yaml_takes(advised, tmp_path, monkeypatch):
    folder, _ = advised
    monkeypatch.chdir(folder)
    last = rungs.Rung(1.0, rungs.study_at(load(), 1.0, [0, 1, 2]), 1.0, [], [], [])
    trial = last.study.grid["swiftlearn-0.2"]
    method = proposal.block(load(), last, trial)
    for block, names in ((read(folder)["block"], {"full"}), (method, {"full", "uniform", "short", "swiftlearn-0.2"})):
        (tmp_path / "over.yaml").write_text(block)
        planned = plans_of(load(over=tmp_path / "over.yaml")).methods
        assert names <= planned.keys()
    assert planned["uniform"].planned_cost == pytest.approx(trial.cost, abs=1e-3)


@pytest.mark.slow
def test_asked_again_nothing_is_trained_and_a_budget_asks_only_for_what_is_new(advised, tmp_path, prefect_home):
    folder = Path(shutil.copytree(advised[0], tmp_path / "project", symlinks=True))
    before, found = marks(folder), read(folder)
    said = finish(start(folder, "--tolerance", "0.02", **prefect_home))
    assert marks(folder) == before
    again = read(folder)
    assert again["balance"]["cost_now"] == {"cpu_seconds": 0, "energy_kwh": 0}
    assert {**again, "balance": 0} == {**found, "balance": 0}
    assert again["balance"]["cost"] == found["balance"]["cost"]
    assert "0 CPU seconds of it in this run" in said
    most = found["answer"]["full_cost"] * 0.8
    finish(start(folder, "--budget-cpu-seconds", str(most), **prefect_home))
    budget = read(folder)
    assert before.items() <= marks(folder).items()
    assert budget["answer"]["kind"] == "nothing" or budget["answer"]["cost"] <= most
    assert budget["answer"]["kind"] != "full"


@pytest.mark.slow
def test_a_budget_in_kwh_is_of_the_energy_of_the_trials(advised, tmp_path, prefect_home):
    folder = Path(shutil.copytree(advised[0], tmp_path / "project", symlinks=True))
    before, tried = marks(folder), read(folder)
    full = [t for t in tried["trials"] if (t["cell"], t["share"]) == ("full", 1.0)]
    # Trials leave out what they are judged by; costs are of a training on all data.
    scale = tried["answer"]["full_cost"] / fmean(t["cpu_seconds"] for t in full)
    energy = scale * fmean(t["energy_kwh"] for t in full)
    most = float(f"{0.8 * energy:g}")
    said = finish(start(folder, "--budget-kwh", str(most), **prefect_home))
    found = read(folder)
    assert (found["goal"], found["unit"], found["bound"]) == ("budget", "energy_kwh", most)
    assert before.items() <= marks(folder).items()
    last = {o["name"]: o for o in found["rungs"][-1]["outcomes"]}
    assert last["full"]["cost"] == pytest.approx(energy)
    answer = found["answer"]
    assert answer["kind"] != "full"
    assert answer["kind"] == "nothing" or answer["cost"] <= most
    assert answer["kind"] == "nothing" or f" at {answer['cost']:.3g} kWh" in found["sentence"]
    assert found["sentence"] in said
    assert f"python -m pipelines.advise --budget-kwh {most:g}" in (folder / "results/advice/digits/report.html").read_text()


@pytest.mark.slow
def test_a_mistake_is_one_line_and_exit_status_two(advised):
    said = finish(start(advised[0], "--tolerance", "-1"), 2)
    assert said == "winnow advise: --tolerance: must be a finite number, 0 or more, got -1.0; the nearest that works is 0.0\n"
