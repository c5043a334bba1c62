"""Findings as they are written: keys, order and rounding."""

import pytest

from pipelines.core.artifacts import DIAGNOSIS, read_json
from pipelines.core.errors import UserError
from pipelines.data.findings.records import ClassFinding, Copy, Example, Findings, Suspect

COUNTS = {"train_exact": 1, "train_near": 0, "leaked_exact": 0, "leaked_near": 2, "sought": 12}
TOLD = {
    "task": "toy",
    "warm_up": "none",
    "metric": "accuracy",
    "duplicates": COUNTS,
    "shift": {"of": "training", "from": "test split", "auc": 0.5, "error": 0.1, "rows": [8, 4]},
    "classes": [{"name": "cat", "rows": 8}],
    "advice": {"method": None, "why": "because", "settings": {}, "warm_up": None, "cost": None},
}


def test_they_come_back_with_the_keys_that_they_had(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"diagnosis\.json: no such file"):
        Findings.written()
    Findings.of(TOLD).write(DIAGNOSIS / "diagnosis.json")
    assert read_json(DIAGNOSIS / "diagnosis.json") == TOLD
    found = Findings.written()
    assert (found.shift.one, found.shift.other, found.gradient) == ("training", "test split", None)


def test_shares_of_a_class_are_in_order_and_there_are_none_without_a_warm_up():
    shares = {"wrong_labels": 0.6, "never": 0.5, "forgotten": 0.4, "late": 0.3, "early": 0.2, "right": 0.0}
    assert ClassFinding(name="cat", rows=8, **shares).shares == [0.0, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert ClassFinding(name="cat", rows=8).shares == []


def test_a_suspect_is_a_row_that_waits_for_a_verdict():
    near = [Example(3, 0, "a joy"), Example(5, 2, "")]
    row = Suspect(Example(9, 4, "a bore"), given="good", likely="bad", sure=0.123456, near=near).columns()
    assert row == {
        "id": 9,
        "example": "a bore",
        "given": "good",
        "likely": "bad",
        "sure": 0.1235,
        "agreeing": "3: a joy; 5",
        "verdict": "",
    }


def test_a_copy_names_both_rows_and_their_splits():
    row = Copy(id=60, split="test", same_as=10, same_as_split="train", exact=False).columns()
    assert row == {"id": 60, "split": "test", "same_as": 10, "same_as_split": "train", "exact": False}
