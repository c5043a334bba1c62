"""Splits on disk are mapped, open in other libraries too, and must be whole."""

import datasets
import numpy as np
import pyarrow as pa
import pytest
import torch

from components.tasks.batch import Rows
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.data.encoding import listed
from pipelines.data.split_files import read_split, write_split
from tests.pipelines.records import manifest
from tests.pipelines.reviews import write
from tests.pipelines.weather import COLUMNS, TABLE, csv


def test_rows_are_read_where_they_lie(prepared, tmp_path):
    _, train, _ = prepared(csv(tmp_path), COLUMNS, **TABLE)
    assert not train.examples.values.flags.owndata
    assert not train.examples.values.flags.writeable
    rows = Rows(torch.tensor([2, 0]), torch.ones(2))
    batch = train.examples.fetch(rows, torch.device("cpu"))
    assert (batch.inputs["input"].numpy() == train.examples.values[[2, 0]]).all()


def test_splits_open_in_datasets_too(prepared, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/own.csv")}
    _, train, _ = prepared(source, {"text": "text", "label": "label"}, test=2)
    opened = datasets.Dataset.from_file(str(artifacts.PREPARED / "train.arrow"))
    assert opened["id"][:] == train.ids.tolist()
    assert opened["text"][:] == train.table["text"].to_pylist()


def test_a_split_that_is_not_whole_is_named(tmp_path):
    table = pa.table({"id": [5, 9], "label": [0, 1], "row": listed(np.array([[1, 2], [3, 4]], np.float32))})
    write_split(tmp_path / "test.arrow", table)
    of_two, of_three = (manifest(counts={"train": 8, "test": count}, shape=[2]) for count in (2, 3))
    assert read_split("test", of_two, tmp_path).examples.values.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(UserError, match=r"test\.arrow: must hold 3 examples, got 2; run 'dvc repro -f prepare'"):
        read_split("test", of_three, tmp_path)
    (tmp_path / "test.arrow").write_bytes((tmp_path / "test.arrow").read_bytes()[:100])
    with pytest.raises(UserError, match=r"test\.arrow: cannot be read: .*; run 'dvc repro -f prepare'"):
        read_split("test", of_two, tmp_path)


def test_other_labels_leave_those_of_the_split_as_they_were(tmp_path):
    table = pa.table({"id": [5, 9], "label": [0, 1], "row": listed(np.array([[1, 2], [3, 4]], np.float32))})
    write_split(tmp_path / "train.arrow", table)
    split = read_split("train", manifest(counts={"train": 2, "test": 4}, shape=[2]), tmp_path)
    other = split.relabelled(np.array([2, 2]), 3)
    assert (other.examples.target.tolist(), other.examples.outputs, other.ids.tolist()) == ([2, 2], 3, [5, 9])
    assert (split.examples.target.tolist(), split.examples.outputs) == ([0, 1], 2)
