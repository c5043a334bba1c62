"""Several labels a row, from files of every format and from the hub, become splits of multi-hot targets."""

import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.core.errors import UserError
from pipelines.data import summary
from pipelines.data.label_sets.reading import label_sets
from pipelines.data.split_files import read_split
from pipelines.report.run_results import label_of
from pipelines.report.run_results import prepared as stored
from pipelines.sources.hub_datasets import of_datasets
from tests.pipelines.records import task_plan

SETS = [["a", "b"], ["b"], [], ["a", "c"], ["c"], ["a"], ["b", "c"], ["a", "b", "c"]]
NAMES = ["a", "b", "c"]
HOT = np.array([[name in row for name in NAMES] for row in SETS], np.uint8)
COLUMNS = {"numbers": ["x"], "label": "tags"}


def written(folder, suffix):
    """Write the rows to a file; return its path, and the keys of the task for it."""
    path = folder / f"rows{suffix}"
    if suffix == ".csv":
        path.write_text("x,tags\n" + "\n".join(f"{i},{' ; '.join(row)}" for i, row in enumerate(SETS)))
        return path, {"separator": ";"}
    if suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"x": i, "tags": row}) for i, row in enumerate(SETS)))
    else:
        pq.write_table(pa.table({"x": range(len(SETS)), "tags": SETS}), path)
    return path, {}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_labels_of_every_format(prepared, tmp_path, suffix):
    path, keys = written(tmp_path, suffix)
    source = {"from": "files", "train": str(path)}
    manifest, train, test = prepared(source, COLUMNS, "table", predicts="classes", test=2, **keys)
    assert (manifest.target, manifest.labels, manifest.classes, manifest.outputs) == ("classes", NAMES, [], 3)
    for split in (train, test):
        assert np.array_equal(split.examples.target, HOT[split.ids])
        assert split.examples.target.dtype == np.uint8
    assert manifest.by_label.train == HOT[train.ids].sum(0).tolist()
    (first, *_) = summary.summary_lines(manifest, None)
    assert first.startswith(f"6 training and 2 test examples with {HOT[train.ids].sum() / 6:.2f} of 3 classes: ")


def test_a_row_is_shown_by_the_names_of_its_labels(prepared, tmp_path):
    path, _ = written(tmp_path, ".jsonl")
    manifest, train, _ = prepared({"from": "files", "train": str(path)}, COLUMNS, "table", predicts="classes", test=2)
    shown = [label_of(manifest, label) for label in stored("train")["label"].to_pylist()]
    assert shown == [", ".join(SETS[i]) or "none" for i in train.ids]


def test_a_part_that_judges_while_training_has_its_labels(prepared, tmp_path):
    path, _ = written(tmp_path, ".jsonl")
    keys = {"predicts": "classes", "test": 2, "validation": 0.3, "training": {"evaluate_every": 1}}
    manifest, train, test = prepared({"from": "files", "train": str(path)}, COLUMNS, "table", **keys)
    aside = read_split("validation", manifest)
    assert np.array_equal(aside.examples.target, HOT[aside.ids])
    assert sorted([*train.ids, *aside.ids, *test.ids]) == list(range(8))


def test_copies_have_the_labels_of_their_originals(prepared, tmp_path):
    path, _ = written(tmp_path, ".jsonl")
    source = {"from": "files", "train": str(path)}
    _, train, _ = prepared(source, COLUMNS, "table", predicts="classes", test=2, duplicates={"fraction": 0.5})
    assert np.array_equal(train.examples.target, HOT[train.ids % len(SETS)])
    assert len(np.unique(train.ids % len(SETS))) == 3


def test_a_limit_that_leaves_no_row_of_a_class_is_refused_or_drops_it(prepared, tmp_path):
    path, _ = written(tmp_path, ".jsonl")
    source = {"from": "files", "train": str(path)}
    with pytest.raises(UserError, match=r"own: training has no example of .*; train without with 'empty_classes: drop'"):
        prepared(source, COLUMNS, "table", predicts="classes", test=2, limit=1)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ('{"x": 1, "tags": ["a", 2.5]}', r"rows.jsonl: tags: must hold lists of texts or whole numbers, got \[\"a\", 2.5\]"),
        ('{"x": 1, "tags": [["a"]]}', r"rows.jsonl: tags: must hold lists of texts or whole numbers, got \[\[\"a\"\]\]"),
        ('{"x": 1, "tags": "a"}\n{"x": 2, "tags": ["b"]}', r"tags: must hold lists of texts .*, got \"a\" in line 1"),
        ('{"x": 1, "tags": "a"}\n{"x": 2, "tags": "b,c"}', r"tasks.own.separator: must be set, since labels are texts"),
    ],
)
def test_what_is_no_set_of_labels_is_refused(prepared, tmp_path, rows, text):
    Path(tmp_path / "rows.jsonl").write_text(rows)
    with pytest.raises(UserError, match=text):
        prepared({"from": "files", "train": str(tmp_path / "rows.jsonl")}, COLUMNS, "table", predicts="classes", test=1)


def test_a_nested_column_of_parquet_is_refused(prepared, tmp_path):
    pq.write_table(pa.table({"x": [1, 2], "tags": [[["a"]], [["b"]]]}), tmp_path / "rows.parquet")
    with pytest.raises(UserError, match=r"rows.parquet: tags: must hold a list of labels a row, got list"):
        prepared({"from": "files", "train": str(tmp_path / "rows.parquet")}, COLUMNS, "table", predicts="classes", test=1)


def test_pictures_of_the_hub_have_the_names_of_their_feature():
    task = task_plan(kind="image", columns={"image": "picture", "label": "kind"}, predicts="classes")
    names = datasets.ClassLabel(names=["cat", "dog", "hat"])
    features = datasets.Features({"picture": datasets.Image(), "kind": datasets.List(names)})
    pictures = [Image.fromarray(np.full((4, 4), i, np.uint8)) for i in range(3)]
    split = datasets.Dataset.from_dict({"picture": pictures, "kind": [[0, 2], [], [1]]}, features=features)
    raw = of_datasets(task, [split, split], "own")
    found, known, _ = label_sets(raw.label, raw.names, task)
    assert known == ["cat", "dog", "hat"]
    assert found.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]] * 2


def test_texts_of_the_hub():
    task = task_plan(kind="text", columns={"text": "body", "label": "tags"}, predicts="classes")
    split = datasets.Dataset.from_dict({"body": ["one", "two"], "tags": [["x", "y"], ["y"]]})
    raw = of_datasets(task, [split, None], "own")
    found, names, _ = label_sets(raw.label, raw.names, task)
    assert (names, found.tolist()) == (["x", "y"], [[1, 1], [0, 1]])
