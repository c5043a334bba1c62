"""A training of everything on eight rows, and subsets that it cannot start from."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipelines import train
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import result
from pipelines.core.errors import UserError
from pipelines.costs.history import history_of
from pipelines.costs.records import CostRecord
from pipelines.subset import subset
from pipelines.training import job
from pipelines.training.models import WEIGHTS
from pipelines.warm_up import warm_up
from tests.pipelines.records import cost_record

SUBSET = result("subset", "full", "subset.parquet")


@pytest.fixture
def begun(prepared, tmp_path, torch_as_it_was, monkeypatch):
    """Prepare twelve rows, of which four are for testing, and run the stages before the training; return its split."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    # It stands for the energy meter, which asks the machine for a second.
    spent = {"kwh": dict.fromkeys(("cpu", "gpu", "memory"), 0.0), "record": lambda: cost_record().metered}
    meter = SimpleNamespace(**spent, start=lambda: None, stop=lambda: None)
    monkeypatch.setattr(job, "EnergyMeter", lambda *_: meter)
    (tmp_path / "own.csv").write_text("\n".join(["x,y", *(f"{i},{'ab'[i % 2]}" for i in range(12))]))
    source = {"from": "files", "train": str(tmp_path / "own.csv")}
    _, split, _ = prepared(source, {"numbers": ["x"], "label": "y"}, kind="table", test=4)
    warm_up("none")
    subset("full")
    return split


def test_full_trains_every_row_in_every_epoch_and_says_what_it_did(begun):
    train.train("full")
    ledger, origin = tables.read_table(result("train", "full", "ledger.parquet"))
    assert ledger["id"].tolist() == begun.ids.tolist()
    assert ledger["trained"].tolist() == [5] * 8
    assert set(ledger) == {"id", *train.LEDGER}
    assert origin["checkpoint"] == artifacts.digest_of(result("train", "full", "model") / WEIGHTS)
    assert [(e.epoch, e.trained, e.steps) for e in history_of(result("train", "full", "history.json"))] == [
        (epoch, 8, 4) for epoch in range(5)
    ]
    assert CostRecord.of_stage("train", "full").counted.trained == 5 * 8


def test_a_subset_of_other_rows_or_data_is_refused(begun):
    columns, facts = tables.read_table(SUBSET)
    tables.write_table(SUBSET, columns | {"id": np.array([*columns["id"][:-1], 999])}, facts)
    with pytest.raises(UserError, match=r"subset\.parquet: id 999 is not in the training split; run 'dvc repro'"):
        train.train("full")
    tables.write_table(SUBSET, columns, facts | {"data": "0" * 64})
    with pytest.raises(UserError, match=r"subset\.parquet: was made from other data: .*; run 'dvc repro'"):
        train.train("full")
    assert not result("train", "full", "model").exists()


def test_chosen_ids_are_found_wherever_they_lie():
    assert train._positions(np.array([7, 3, 9]), np.array([9, 7]), "here").tolist() == [2, 0]
    with pytest.raises(UserError, match="here: id 4 is not in the training split"):
        train._positions(np.array([7, 3, 9]), np.array([7, 4]), "here")
