"""Several numbers a row, from files of every format and from the hub, become splits of standardised targets."""

import json
import re

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.core.errors import UserError
from pipelines.data.numeric.reading import number_lists
from pipelines.data.split_files import read_split
from pipelines.report.run_results import label_of
from pipelines.report.run_results import prepared as stored
from pipelines.sources.hub_datasets import of_datasets
from tests.pipelines.records import task_plan

ROWS = [{"x": i, "a": 10.0 * i, "b": float((i - 3) ** 2), "y": [10.0 * i, float((i - 3) ** 2)]} for i in range(12)]
TARGET = np.array([row["y"] for row in ROWS])
NAMED, LISTED = {"numbers": ["x"], "label": ["a", "b"]}, {"numbers": ["x"], "label": "y"}


def written(folder, suffix, rows=ROWS):
    """Write the rows to a file; return it as a source."""
    path = folder / f"rows{suffix}"
    if suffix == ".csv":
        path.write_text("x,a,b\n" + "\n".join(f"{row['x']},{row['a']},{row['b']}" for row in rows))
    elif suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return {"from": "files", "train": str(path)}


@pytest.mark.parametrize(
    ("suffix", "columns"),
    [(".csv", NAMED), (".jsonl", NAMED), (".jsonl", LISTED), (".parquet", NAMED), (".parquet", LISTED)],
)
def test_numbers_of_every_format(prepared, tmp_path, suffix, columns):
    manifest, train, test = prepared(written(tmp_path, suffix), columns, "table", predicts="numbers", test=3)
    names = ["a", "b"] if columns is NAMED else ["y.0", "y.1"]
    assert (manifest.target, manifest.numbers, manifest.classes, manifest.outputs) == ("numbers", names, [], 2)
    mean, deviation = TARGET[train.ids].mean(0), TARGET[train.ids].std(0)
    for split in (train, test):
        np.testing.assert_allclose(split.examples.target, (TARGET[split.ids] - mean) / deviation, rtol=1e-6, atol=1e-6)
        assert split.examples.target.dtype == np.float32
    shown = label_of(manifest, stored("train")["label"].to_pylist()[-1])
    assert shown == ", ".join(f"{name} {value:,.4g}" for name, value in zip(names, TARGET[train.ids[-1]], strict=True))


def test_lists_of_one_size_in_parquet_are_lists(prepared, tmp_path):
    table = pa.table({"x": range(12), "y": pa.array([row["y"] for row in ROWS], pa.list_(pa.float32(), 2))})
    pq.write_table(table, tmp_path / "rows.parquet")
    manifest, *_ = prepared(
        {"from": "files", "train": str(tmp_path / "rows.parquet")}, LISTED, "table", predicts="numbers", test=3
    )
    assert manifest.numbers == ["y.0", "y.1"]


def test_a_part_that_judges_while_training_and_copies_have_their_numbers(prepared, tmp_path):
    keys = {"predicts": "numbers", "test": 3, "validation": 0.3, "training": {"evaluate_every": 1}}
    manifest, train, _ = prepared(written(tmp_path, ".csv"), NAMED, "table", duplicates={"fraction": 0.5}, **keys)
    aside = read_split("validation", manifest)
    scales = manifest.label_scales
    for split in (train, aside):
        in_unit = split.examples.target * [s.deviation for s in scales] + [s.mean for s in scales]
        np.testing.assert_allclose(in_unit, TARGET[split.ids % 12], rtol=1e-5, atol=1e-4)
    with pytest.raises(UserError, match="validation: must be 2 rows or more, since R2 needs a variance, got 1"):
        prepared(written(tmp_path, ".csv"), NAMED, "table", **keys | {"validation": 0.1})


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
@pytest.mark.parametrize("columns", [NAMED, LISTED], ids=["named", "listed"])
def test_what_is_missing_is_named_by_id_and_column(prepared, tmp_path, columns, bad):
    rows = [dict(row) for row in ROWS]
    rows[4] |= {"b": bad, "y": [1.0, bad]}
    name = "b" if columns is NAMED else "y.1"
    said = rf"own: {re.escape(name)} of id 4 must be a finite number, got {'none' if bad is None else bad}"
    with pytest.raises(UserError, match=said):
        prepared(written(tmp_path, ".jsonl", rows), columns, "table", predicts="numbers", test=3)


def test_a_text_of_a_csv_is_named_and_so_is_a_column_that_is_not_there(prepared, tmp_path):
    source = written(tmp_path, ".csv", [*ROWS[:5], ROWS[5] | {"a": "ten"}, *ROWS[6:]])
    with pytest.raises(UserError, match=r"own: a of id 5 must be a finite number, got 'ten'"):
        prepared(source, NAMED, "table", predicts="numbers", test=3)
    with pytest.raises(UserError, match=r"rows.csv: columns: 'c': no such column"):
        prepared(source, {"numbers": ["x"], "label": ["a", "c"]}, "table", predicts="numbers", test=3)


def test_pictures_and_texts_of_the_hub():
    pictures = [Image.fromarray(np.full((4, 4), i, np.uint8)) for i in range(3)]
    rows = {"picture": pictures, "a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "y": [[1.0, 0.5], [2.0, 1.5], [3.0, 2.5]]}
    split = datasets.Dataset.from_dict(rows, features=datasets.Features({
        "picture": datasets.Image(), "a": datasets.Value("int64"), "b": datasets.Value("float32"),
        "y": datasets.List(datasets.Value("float32"), length=2),
    }))  # fmt: skip
    for label in (["a", "b"], "y"):
        task = task_plan(kind="image", columns={"image": "picture", "label": label}, predicts="numbers")
        value, _ = number_lists(of_datasets(task, [split, split], "own").label, task)
        assert value.tolist() == rows["y"] * 2
    texts = datasets.Dataset.from_dict({"body": ["one", "two"], "a": [1, 2], "b": [3, 4]})
    task = task_plan(kind="text", columns={"text": "body", "label": ["a", "b"]}, predicts="numbers")
    assert number_lists(of_datasets(task, [texts, None], "own").label, task)[0].tolist() == [[1.0, 3.0], [2.0, 4.0]]
