"""What is read of a run, and by which score its subset was taken."""

import numpy as np
import pytest

from pipelines import compare
from pipelines.core import artifacts, tables
from pipelines.core.errors import UserError
from pipelines.report.run_results import Run, label_of
from tests.pipelines.records import manifest
from tests.pipelines.report.given_runs import scored

EVIL = '<script>alert("x")</script>'
CLASSES = manifest(kind="text", classes=["bad", EVIL])


def test_the_column_that_a_subset_was_taken_by_is_found_by_its_scores():
    one = scored()
    assert one.selected_by == "change"
    assert one.in_subset.tolist() == [True, False, True, False]
    one.subset["score"][0] += 1  # a score that no column holds
    assert scored().selected_by == "change"
    del one.__dict__["selected_by"]
    assert one.selected_by is None
    assert scored(by="loss").selected_by is None  # all the same: nothing was chosen by it


def test_a_subset_of_everything_was_taken_by_nothing():
    assert scored(kept=(3, 1, 2, 5)).selected_by is None


def test_a_label_is_its_class_or_a_number_in_its_own_unit():
    assert label_of(CLASSES, 0) == "bad"
    assert label_of(manifest(classes=[], label_scale={"mean": 100.0, "deviation": 10.0}), -1.5) == "85"


def test_a_table_of_other_data_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = artifacts.result("evaluate", "m", "predictions.parquet")
    tables.write_table(path, {"target": np.array([1])}, {"data": "one"})
    assert Run("m", "one").predictions["target"].tolist() == [1]
    with pytest.raises(
        UserError, match=r"evaluate/m/predictions.parquet: was made from other data: it has one, this run has two"
    ):
        Run("m", "two").predictions  # noqa: B018 - reads the file


def test_before_anything_ran_there_is_no_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"results/plan/comparison.json: no such file; 'dvc repro' makes it"):
        compare.compare()
    with pytest.raises(UserError, match=r"results/train/m/ledger.parquet: cannot be read"):
        Run("m").ledger  # noqa: B018 - reads the file
