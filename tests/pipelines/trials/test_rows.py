"""The row of a trial and seed: its columns, and why there are no results."""

from dataclasses import replace

import pytest

from components.costs.savings import Metric
from pipelines.core.artifacts import MANIFEST
from pipelines.costs.account import CostColumns, Gains
from pipelines.costs.validation_curve import TimeTo
from pipelines.trials import rows as rows_module
from pipelines.trials.rows import Head, Reached, TrialRow, _others, collect, metric_of, scores
from pipelines.trials.study_folder import DATA, StudyFolder
from tests.pipelines.records import manifest

REACHED = Reached(0.9, 0.01, 0.1, 0.7, loss=0.2, examples_drawn=30, examples_looked=20, examples_trained=10)


def row(trial="a", seed=0, reached=REACHED, error=""):
    costs = CostColumns(cpu_seconds=3.0, energy_label="measured")
    return TrialRow(Head(trial, "method", "a", 0.3, ""), seed, 2.0, 2.5, "r2", reached, costs, Gains(1.5), error)


def test_a_row_is_read_as_it_was_written():
    for written in (
        row(),
        row(reached=Reached(), error="nan"),
        replace(row(), time_to=TimeTo(10, 1.0)),
        replace(row(), time_to=TimeTo()),
    ):
        assert TrialRow.of(written.columns(), "r2") == written


def test_a_score_stands_under_the_name_of_its_metric():
    columns = row().columns()
    named = {"r2": 0.9, "r2_standard_error": 0.01, "chance_r2": 0.1, "above_chance": 0.7, "loss": 0.2}
    named |= {"planned_cost_epochs": 2.0, "cost_epochs": 2.5, "cpu_seconds": 3.0, "agot": 1.5}
    assert named.items() <= columns.items()
    names = list(columns)
    assert names[:9] == ["cell", "role", "method", "fraction", "settings", "seed", "planned_cost_epochs", "cost_epochs", "r2"]
    assert names[-1] == "error"
    assert "score" not in names


def test_scores_are_of_the_rows_that_have_one():
    rows = [row(), row(seed=1, reached=Reached()), row("b", 1, Reached(0.5))]
    assert scores(rows) == {("a", 0): 0.9, ("b", 1): 0.5}


@pytest.mark.parametrize("higher", [True, False])
def test_the_metric_is_that_of_the_data(tmp_path, higher):
    manifest(metric="perplexity", higher=higher).write(tmp_path / DATA / MANIFEST)
    assert metric_of(StudyFolder(tmp_path, None, (0,))) == Metric("perplexity", higher)


def test_of_what_has_not_run_the_rows_say_why(study):
    laid = study()
    rows = collect(laid, Metric("accuracy", True), {(1, "full"): "the loss is nan"})
    assert [(r.seed, r.head.cell) for r in rows] == [(seed, trial.name) for seed in (0, 1) for trial in laid.grid.trials]
    of = {(r.head.cell, r.seed): r for r in rows}
    assert (of["full", 0].error, of["full", 1].error) == ("not run", "the loss is nan")
    assert {r.score for r in rows} == {None}
    # What a control after a trial costs is known when that has run.
    assert (of["full", 0].planned_cost_epochs, of["short-at-infobatch", 0].planned_cost_epochs) == (6.0, None)


FOUND = {"accuracy": 0.9, "macro_f1": 0.6, "macro_f1_standard_error": 0.1, "worst_class_accuracy": 0.2, "loss": 0.3}


@pytest.mark.parametrize(
    ("metric", "others"), [("macro_f1", {"accuracy": 0.9, "worst_class_accuracy": 0.2}), ("accuracy", {}), ("r2", {})]
)
def test_where_models_are_judged_by_class_the_other_metrics_are_columns(metric, others):
    assert _others(FOUND, metric) == others
    written = replace(row(reached=replace(REACHED, others=others)), metric=metric)
    columns = written.columns()
    assert others.items() <= columns.items()
    assert list(columns)[8 : 11 + len(others)] == [metric, f"{metric}_standard_error", f"chance_{metric}", *others]
    assert TrialRow.of(columns, metric) == written


def test_rows_without_results_have_the_same_columns(study, monkeypatch):
    laid = study()
    found = Reached(0.5, others={"accuracy": 0.9})
    monkeypatch.setattr(rows_module, "_tested", lambda study, seed, name, metric: found)
    monkeypatch.setattr(rows_module, "cost_had", lambda name, root: 1.0)
    monkeypatch.setattr(StudyFolder, "is_done", lambda self, seed, name: (seed, name) == (0, "short-at-2.4"))
    rows = collect(laid, Metric("macro_f1", True), {})
    assert len({tuple(r.columns()) for r in rows}) == 1
    assert [r.reached.others["accuracy"] for r in rows if r.score is not None] == [0.9]
    assert [r.reached.others["accuracy"] for r in rows if r.score is None] == [None] * (len(rows) - 1)
