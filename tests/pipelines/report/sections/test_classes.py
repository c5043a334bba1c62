"""Shares by class are of each class's passes and test examples."""

import numpy as np
import pyarrow as pa

from pipelines.core import artifacts, tables
from pipelines.report.page import NOTHING
from pipelines.report.sections import classes
from pipelines.trials.grid import Grid, Trial
from pipelines.trials.study_folder import StudyFolder
from tests.pipelines.records import manifest
from tests.pipelines.report.given_runs import run


def test_shares_by_class_are_of_the_passes_and_the_test_examples_of_each(monkeypatch):
    monkeypatch.setattr(classes, "prepared", lambda split, root=None: pa.table({"label": [0, 1, 1, 1]}))
    predictions = {"target": np.array([0, 1, 1, 1]), "predicted": np.array([1, 1, 1, 0])}
    one = run(ledger={"trained": np.array([2, 4, 0, 1])}, predictions=predictions)
    three = manifest(classes=["a", "b", "c"])
    trained, right = (s.table.rows for s in classes.of_comparison([one], three, 4))
    assert trained == [["b", "3", "41.7"], ["a", "1", "50.0"], ["c", "0", NOTHING], ["all", "4", "43.8"]]
    assert right == [["b", "3", "66.7"], ["a", "1", "0.0"], ["c", "0", NOTHING], ["all", "4", "50.0"]]
    assert classes.of_comparison([one], manifest(classes=[]), 4) == []
    monkeypatch.setattr(classes, "MOST", 1)
    assert "The 1 largest of 3 classes." in classes.of_comparison([one], three, 4)[0].text[0]


def test_shares_by_class_of_a_study_are_means_over_the_seeds_that_are_done(tmp_path, monkeypatch):
    trials = [Trial("full", "full", "full"), Trial("a-0.5", "method", "a", 0.5), Trial("b", "method", "b")]
    study = StudyFolder(tmp_path, Grid(tuple(trials), None), (0, 1))
    monkeypatch.setattr(StudyFolder, "is_done", lambda self, seed, name: name != "b" and (name, seed) != ("full", 1))
    monkeypatch.setattr(classes, "prepared", lambda split, root=None: pa.table({"label": [0, 1, 1, 1]}))
    target = np.array([0, 1, 1, 1])
    for seed in study.seeds:
        folder = study.of(seed)
        for one in trials:
            path = folder / artifacts.result("train", one.name, "ledger.parquet")
            tables.write_table(path, {"trained": np.array([2 + 2 * seed, 4, 0, 2])}, {"data": "d"})
            path = folder / artifacts.result("evaluate", one.name, "predictions.parquet")
            tables.write_table(path, {"target": target, "predicted": np.array([seed, 1, 1, 0])}, {"data": "d"})
    two = manifest(classes=["x", "y"], content="d")
    trained, right = (s.table for s in classes.of_study(study, trials, two, 4))
    assert trained.heads == ["class", "examples", "full", "a, 0.5 kept"]
    assert trained.rows == [
        ["y", "3", "50.0", "50.0 ± 0.0"],
        ["x", "1", "50.0", "75.0 ± 35.4"],
        ["all", "4", "50.0", "56.2 ± 8.8"],
    ]
    assert [row[-1] for row in right.rows] == ["66.7 ± 0.0", "50.0 ± 70.7", "62.5 ± 17.7"]
    assert classes.of_study(study, trials, manifest(classes=[]), 4) == []
    assert classes.of_study(study, trials[2:], two, 4) == []
