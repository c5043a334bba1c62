"""The tables of a study are read as written; a point is a mean over seeds."""

import json

import pytest

from components.costs.savings import Metric
from pipelines.core.errors import UserError
from pipelines.costs.account import CostColumns, Gains
from pipelines.trials.grid import Grid, Trial
from pipelines.trials.method_rows import Spread
from pipelines.trials.rows import Head, Reached, TrialRow
from pipelines.trials.study_summary import Column
from pipelines.trials.study_tables import StudyTables, points
from tests.pipelines.study_rows import method_row, study_tables

FULL, METHOD = Trial("full", "full", "full", cost=6.0), Trial("a", "method", "a", cost=2.0)
GRID, ACCURACY = Grid((FULL, METHOD), None), Metric("accuracy", True)


def row(trial, seed, score, time=0.5, error=""):
    costs = CostColumns(time_measured=time, time_counted=time / 2)
    return TrialRow(Head.of(trial), seed, trial.cost, trial.cost, "accuracy", Reached(score), costs, Gains(1.5), error)


ROWS = [row(FULL, 0, 0.75, 1.0), row(FULL, 1, 0.25, 0.5), row(METHOD, 0, None, error="nan"), row(METHOD, 1, 0.5)]


def test_a_point_is_the_mean_over_the_seeds_that_have_a_score():
    full, method = points(ROWS, GRID, ACCURACY)
    assert (full.score.mean, full.time_measured.mean, full.time_counted.mean) == (0.5, 0.75, 0.375)
    assert full.score.deviation == pytest.approx(0.25 * 2**0.5)
    assert (method.score, method.time_measured, method.agot) == (Spread(0.5), Spread(0.5), Spread(1.5))
    columns = {"cell": "full", "role": "full", "accuracy": 0.5, "time_measured": 0.75, "cost_epochs": 6.0}
    assert columns.items() <= full.columns().items()


@pytest.fixture
def written():
    column = Column(mean=0.5, deviation=None, seeds=1, rank=1.0, ranked=1)
    found = study_tables([method_row(method="full", accuracy=0.5)], points(ROWS, GRID, ACCURACY))
    return found.model_copy(update={"cells": ROWS, "columns": ["full"], "summary": {"full": column}})


def test_tables_are_read_as_they_were_written(written, tmp_path):
    written.write(tmp_path / "study.json")
    assert StudyTables.read(tmp_path / "study.json") == written
    rows = json.loads((tmp_path / "study.json").read_text())["cells"]
    assert [r["accuracy"] for r in rows] == [0.75, 0.25, None, 0.5]


def test_tables_of_another_version_are_refused(written, tmp_path):
    path = tmp_path / "study.json"
    path.write_text(json.dumps(written.dumped() | {"winner": "a"}))
    with pytest.raises(UserError, match=r"study.json: winner: .*another version wrote it"):
        StudyTables.read(path)


def test_failed_are_the_cells_without_results(written):
    assert [(r.head.cell, r.seed) for r in written.failed] == [("a", 0)]
