"""Tables and their labels become splits; what cannot be used is named."""

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from components.tasks.batch import Rows
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.training import models
from tests.pipelines.records import model_plan
from tests.pipelines.weather import COLUMNS, CSV, TABLE, csv


def test_a_table_of_classes_in_parquet_with_files_of_its_own_for_testing(prepared, tmp_path):
    days = [datetime.datetime(2012, 1, i + 1, 9) for i in range(4)]
    columns = {"x": [1.0, 2.0, 3.0, 4.0], "on": [True, False, None, True], "at": days, "kind": ["a", "b", "a", "b"]}
    for name, rows in (("train", slice(None)), ("test", slice(1, 3))):
        pq.write_table(pa.table({k: v[rows] for k, v in columns.items()}), tmp_path / f"{name}.parquet")
    source = {"from": "files", "train": str(tmp_path / "train.parquet"), "test": str(tmp_path / "test.parquet")}
    named = {"numbers": ["x"], "categories": ["on"], "dates": ["at"], "label": "kind"}
    manifest, train, test = prepared(source, named, kind="table")
    assert (manifest.classes, manifest.outputs, manifest.metric) == (["a", "b"], 2, "accuracy")
    assert (train.ids.tolist(), test.ids.tolist()) == ([0, 1, 2, 3], [4, 5])
    assert (test.examples.values == train.examples.values[1:3]).all()
    assert test.examples.target.tolist() == [1, 0]


BAD = {
    "a hole": (CSV.replace("30,2", ",2"), {}, r"own: degrees of id 2 must be a finite number, got none"),
    "a word": (CSV.replace("30,2", "warm,2"), {}, r"own: degrees of id 2 must be a finite number, got 'warm'"),
    "an infinite number": (CSV.replace("30,2", "inf,2"), {}, r"own: degrees of id 2 must be a finite number, got 'inf'"),
    "a number that float32 cannot hold": (
        CSV.replace("30,2", "1e39,2"),
        {},
        r"own: degrees of id 2 must be within \+-3.4e\+38, which float32 holds, got 1e\+39",
    ),
    "a label that float32 cannot hold": (CSV.replace(",9\n", ",-1e200\n"), {}, r"own: label of id 2 must be within"),
    "a number far from the others": (
        "degrees,count\n" + "".join(f"{i},{i}\n" for i in range(40)) + "1e20,1\n",
        {"columns": {"numbers": ["degrees"], "label": "count"}},
        r"own: degrees of id 40 must be nearer to the others, got 1e\+20: ",
    ),
    "no date": (CSV.replace("2012-02-29", "29 Feb"), {}, r"own: day of id 2 must be a date such as 2011-12-31, got '29 Feb'"),
    "a label that is no number": (
        CSV.replace(",9\n", ",nine\n"),
        {},
        r"own: label of id 2 must be a finite number, got 'nine'",
    ),
    "no label": (CSV.replace(",9\n", ",\n"), {}, r"own\.csv: count: id 2 has no label"),
    "labels that are all alike": (
        "degrees,count\n" + "1,5\n" * 5,
        {"columns": {"numbers": ["degrees"], "label": "count"}},
        r"the training labels must differ, and all 3 are 5\.0",
    ),
    "a test split of one": (
        CSV,
        {"test": 1},
        r"own: the test split must have 2 rows or more, since R2 needs a variance, got 1",
    ),
    "a column that is not there": (
        CSV,
        {"columns": COLUMNS | {"categories": ["skye"]}},
        r"own\.csv: columns: 'skye': no such column, did you mean 'sky'\?",
    ),
    "floats as classes": (CSV.replace(",9\n", ",9.5\n"), {"predicts": "class"}, r"labels must be classes.*'predicts: number'"),
}


@pytest.mark.parametrize(("content", "more", "said"), BAD.values(), ids=BAD)
def test_a_table_that_cannot_be_used_is_named(prepared, tmp_path, content, more, said):
    with pytest.raises(UserError, match=said):
        prepared(
            csv(tmp_path, content), more.get("columns", COLUMNS), **TABLE | {k: v for k, v in more.items() if k != "columns"}
        )
    assert not Path("results/prepare").exists()


BAD_TASKS = {
    "no inputs": ({"label": "count"}, {}, r"columns: must name 'categories' or 'dates' or 'numbers' and 'label', got label"),
    "a text in a table": (COLUMNS | {"text": "sky"}, {}, r"each column may be named once, got 'sky' 2 times"),
    "the label among the inputs": (COLUMNS | {"numbers": ["count"]}, {}, r"each column may be named once, got 'count' 2 times"),
    "a key that is none": (COLUMNS | {"number": ["wind"]}, {}, r"columns: 'number': no such key, did you mean 'numbers'\?"),
    "no list": (COLUMNS | {"numbers": "wind"}, {}, r"columns\.numbers: .*valid list, got 'wind'"),
    "noise of numbers": (COLUMNS, {"label_noise": {"fraction": 0.1}}, r"label_noise: is for classes.*predicts: number"),
    "the sign of numbers": (COLUMNS, {"binarize": 0.5}, r"binarize: is for classes.*predicts: number"),
    "a model of images": (
        COLUMNS,
        {"model": {"family": "small", "name": "lenet"}},
        r"model\.name: a task of kind 'table' takes 'table-mlp', got 'lenet'",
    ),
    "a family of images": (
        COLUMNS,
        {"model": {"family": "torchvision", "name": "resnet18"}},
        r"model\.family: a task of kind 'table' takes 'small', got 'torchvision'",
    ),
}


@pytest.mark.parametrize(("columns", "more", "said"), BAD_TASKS.values(), ids=BAD_TASKS)
def test_a_task_that_cannot_be_is_refused_by_name(prepared, tmp_path, columns, more, said):
    with pytest.raises(UserError, match=said):
        prepared(csv(tmp_path), columns, **TABLE | more)


def test_texts_and_images_may_predict_numbers_too(prepared, tmp_path):
    path = tmp_path / "rated.csv"
    path.write_text("text,stars\n" + "\n".join(f"a fine film,{i / 2}" for i in range(6)))
    source, columns = {"from": "files", "train": str(path)}, {"text": "text", "label": "stars"}
    manifest, train, _ = prepared(source, columns, predicts="number", test=2)
    assert (manifest.target, manifest.outputs) == ("number", 1)
    stars = train.examples.target * manifest.label_scale.deviation + manifest.label_scale.mean
    assert stars == pytest.approx(train.ids / 2)
    manifest, train, _ = prepared({"from": "scikit-learn", "name": "digits"}, {}, kind="image", predicts="number", test=100)
    model = models.build(model_plan(family="small", name="mlp"), manifest)
    batch = train.examples.fetch(Rows(torch.arange(3), torch.ones(3)), torch.device("cpu"))
    assert model(**batch.inputs).shape == (3, 1)
    with pytest.raises(UserError, match=r"label of id 0 must be a finite number, got 'cat'"):
        prepared(pets(tmp_path), {}, kind="image", predicts="number", test=1)


def pets(tmp_path):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "pets" / name / "0.png")
    return {"from": "folder", "folder": str(tmp_path / "pets")}


def test_preparing_a_table_twice_is_the_same_to_the_byte(prepared, tmp_path):
    first, *_ = prepared(csv(tmp_path), COLUMNS, **TABLE, limit=3)
    second, *_ = prepared(csv(tmp_path), COLUMNS, **TABLE, limit=3)
    assert first == second
    assert first.counts.model_dump() == {"train": 3, "test": 2}
    assert read_split("train", Manifest.prepared()).examples.values.shape == (3, first.shape[0])
