"""MLflow is told a study's trials once, and again where one has changed."""

import pytest

from pipelines.core.artifacts import MANIFEST, STUDY
from pipelines.costs.account import CostColumns, Gains
from pipelines.study import tracking
from pipelines.trials.rows import Head, Reached, TrialRow
from pipelines.trials.study_folder import DATA, StudyFolder
from pipelines.trials.study_summary import Column
from tests.pipelines.records import manifest
from tests.pipelines.study_rows import method_row, study_tables
from tests.pipelines.told_runs import Told

COSTS = {"cpu_seconds": 3.0, "time_measured": 0.5, "energy_kwh": 0.25, "co2e_kg": 0.125}


def trial(error="", seed=0):
    reached = Reached() if error else Reached(0.9, loss=0.1, examples_trained=10)
    costs = CostColumns() if error else CostColumns(**COSTS, energy_label="measured")
    return TrialRow(Head("a-0.3", "method", "a", 0.3, ""), seed, 2.0, 2.5, "accuracy", reached, costs, Gains(1.5), error)


def tables(*trials, methods=()):
    full = Column(mean=0.95, deviation=None, seeds=1, rank=1.0, ranked=1)
    return study_tables(methods, seeds=(0,)).model_copy(update={"cells": list(trials), "summary": {"full": full}})


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Go to a folder with a study's data; return what publishes tables, and what MLflow was told."""
    monkeypatch.chdir(tmp_path)
    study, told = StudyFolder(tmp_path / "abc", None, (0,)), Told()
    manifest().write(study.path / DATA / MANIFEST)
    monkeypatch.setattr(tracking, "with_tracker", lambda work: work(told.tracker))

    def run(written):
        written.write(STUDY / "toy" / "study.json")
        return tracking.publish(study, written)

    return run, told


def test_a_cell_without_results_is_replaced_when_it_is_told_anew(publish):
    run, told = publish
    parent = run(tables(trial("nan")))
    assert (told.runs[parent].info.run_name, told.runs[parent].info.status) == ("toy study", "FAILED")
    first = told.named("a-0.3 seed 0")
    assert (first.info.status, first.data.tags["winnow.failed"]) == ("FAILED", "nan")
    assert run(tables(trial("nan"))) == parent
    assert told.named("a-0.3 seed 0") is first
    assert run(tables(trial("no memory"))) == parent
    again = told.named("a-0.3 seed 0")
    assert (again.data.tags["winnow.failed"], again.data.tags["mlflow.parentRunId"]) == ("no memory", parent)


def test_the_studys_run_has_gains_under_the_names_of_cells(publish):
    run, told = publish
    gains = {"gain_over_best_control": 0.02, "gain_over_best_control_low": 0.01, "cost_ratio": 0.5}
    parent = told.runs[run(tables(methods=[method_row(method="a", fraction=0.3, settings='{"start": 0.1}', **gains)]))]
    name = "a-start-0.1-0.3"
    assert parent.data.metrics == {
        f"gain_over_best_control/{name}": 0.02, f"gain_over_best_control_low/{name}": 0.01, f"cost_ratio/{name}": 0.5,
    }  # fmt: skip
    assert parent.info.status == "FINISHED"
    assert "full has accuracy 0.9500" in parent.data.tags["mlflow.note.content"]


def test_costs_of_a_cell_say_how_its_energy_was_come_by():
    assert {name: value for name, value, _ in tracking._costs(trial())} == {
        "planned_cost_epochs": 2.0, "cost_epochs": 2.5, "examples_trained": 10, "cpu_seconds": 3.0, "time_measured": 0.5,
        "energy_kwh_measured": 0.25, "co2e_kg_measured": 0.125, "agot": 1.5,
    }  # fmt: skip
