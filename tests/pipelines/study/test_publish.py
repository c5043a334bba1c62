"""The tables of a study, and of several tasks together, as they are written and printed."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pipelines.core.artifacts import STUDY, read_json
from pipelines.costs.account import CostColumns, Gains
from pipelines.study import publish
from pipelines.study.across_tasks import RegimeRow
from pipelines.trials.rows import Head, Reached, TrialRow
from pipelines.trials.study_folder import StudyFolder
from pipelines.trials.study_summary import Column
from tests.pipelines.study_rows import method_row, study_tables

SUMMARY = {
    "full": Column(mean=0.9, deviation=0.01, seeds=3, rank=1.5, ranked=3),
    "a": Column(mean=None, deviation=None, seeds=0, rank=None, ranked=0),
}


def trial(score, error=""):
    head = Head("a", "method", "a", None, "")
    return TrialRow(head, 0, 2.0, 2.0, "accuracy", Reached(score), CostColumns(), Gains(), error)


def tables(*trials):
    methods = [method_row(method="full", accuracy=0.9), method_row(method="a", above_chance=-0.1)]
    changes = {"cells": list(trials), "summary": SUMMARY, "columns": ["full", "a"]}
    return study_tables(methods).model_copy(update=changes)


def test_the_papers_table_has_a_row_a_number_and_a_column_a_method():
    assert publish._as_in_the_paper(SUMMARY) == [
        {"": "mean", "full": 0.9, "a": None},
        {"": "deviation", "full": 0.01, "a": None},
        {"": "rank", "full": 1.5, "a": None},
    ]


def test_what_is_printed_has_means_ranks_and_what_is_at_chance(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tables().write(STUDY / "toy" / "study.json")
    publish.show("toy")
    said = capsys.readouterr().out
    for text in ("0.9000 ± 0.0100", "1.50", "At chance: a:"):
        assert text in said


@pytest.fixture
def together(tmp_path, monkeypatch):
    """Write the tables of two tasks as one; return the folder that holds them."""
    monkeypatch.chdir(tmp_path)
    rows = [RegimeRow("one", "one", "{}", "accuracy", 0.9, "a", 1, None, None)]
    studies = {task: StudyFolder(Path(task), None, (0,)) for task in ("one", "two")}
    publish._write_together(
        Path("out"), studies, {"one": tables(trial(0.8)), "two": tables(trial(0.7), trial(None, "nan"))}, rows
    )
    return Path("out")


def test_the_tables_of_all_tasks_are_written_as_one(together):
    trials = pd.read_csv(together / "cells.csv")
    assert trials["task"].tolist() == ["one", "two", "two"]
    assert trials["accuracy"].tolist()[:2] == [0.8, 0.7]
    assert pd.read_parquet(together / "study.parquet")["method"].tolist() == ["full", "a"] * 2
    assert [row["method"] for row in read_json(together / "regimes.json")] == ["a"]
    assert "<h2>By regime</h2>" in (together / "report.html").read_text()


def test_a_study_of_one_task_has_no_tables_together_and_its_failures_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read, written = SimpleNamespace(study=SimpleNamespace(tasks=[])), tables(trial(0.8), trial(None, "nan"), trial(None, "no"))
    assert publish.publish_across_tasks(read, Path("params.yaml"), {}, {}, {"toy": written}) == 2
    assert not list(tmp_path.iterdir())
