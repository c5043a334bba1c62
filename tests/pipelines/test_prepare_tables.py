"""Tables become matrices, and labels numbers; what is none is named."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.sources import hub_datasets
from pipelines.training import models
from tests.pipelines.records import manifest as manifest_of
from tests.pipelines.records import model_plan, task_plan

CSV = """day,degrees,wind,sky,code,count
2011-01-03,10,1.5,clear,01,5
2011-02-05,20,0,rain,1,7
2012-02-29,30,2,,01,9
,40,3,clear,02,11
2012-12-31,50,4.5,rain,1,20
2011-01-09,60,5,snow,01,2
"""
COLUMNS = {"numbers": ["degrees", "wind"], "categories": ["sky", "code"], "dates": ["day"], "label": "count"}
TABLE = {"kind": "table", "predicts": "number", "test": 2}


def csv(tmp_path, content=CSV, name="own.csv"):
    (tmp_path / name).write_text(content)
    return {"from": "files", "train": str(tmp_path / name)}


def decoded(values, features):
    """Return a matrix as a frame of what it was made of, by what the manifest says."""
    columns, start = {}, 0
    for feature in features:
        if feature["kind"] == "number":
            columns[feature["column"]] = values[:, start].astype(np.float64) * feature["deviation"] + feature["mean"]
            start += 1
        else:
            names = [*feature["values"], np.nan]
            assert (values[:, start : start + len(names)].sum(1) == 1).all()
            columns[feature["column"]] = [names[i] for i in values[:, start : start + len(names)].argmax(1)]
            start += len(names)
    assert start == values.shape[1]
    return pd.DataFrame(columns)


def test_a_table_comes_back_from_its_matrix(prepared, tmp_path):
    manifest, train, test = prepared(csv(tmp_path), COLUMNS, **TABLE)
    frame = pd.read_csv(tmp_path / "own.csv", dtype={"code": str}, parse_dates=["day"])
    for split in (train, test):
        rows = frame.loc[split.ids]
        found = decoded(split.examples.values, manifest.features)
        np.testing.assert_allclose(found["degrees"], rows["degrees"], rtol=1e-5)
        np.testing.assert_allclose(found["wind"], rows["wind"], atol=1e-5)
        whole = {"sky": frame["sky"], "code": frame["code"]}
        shapes = {"weekday": "%a", "month": "%m", "year": "%Y"}
        whole |= {f"day.{name}": frame["day"].dt.strftime(shape) for name, shape in shapes.items()}
        for column, values in whole.items():
            seen = set(values[train.ids].dropna())
            assert list(map(str, found[column])) == [v if v in seen else "nan" for v in values[split.ids]], column
    assert manifest.columns == {"row": f"fixed_size_list<item: float>[{manifest.shape[0]}]"}


def test_the_training_split_alone_sets_mean_and_deviation(prepared, tmp_path):
    manifest, train, test = prepared(csv(tmp_path), COLUMNS, **TABLE)
    frame = pd.read_csv(tmp_path / "own.csv").loc[train.ids]
    degrees = manifest.features[0]
    assert (degrees["mean"], degrees["deviation"]) == (frame["degrees"].mean(), pytest.approx(frame["degrees"].std(ddof=0)))
    assert train.examples.values[:, :2].mean(0) == pytest.approx([0, 0], abs=1e-6)
    assert train.examples.values[:, :2].std(0) == pytest.approx([1, 1], abs=1e-6)
    scale = manifest.label_scale
    assert (scale.mean, scale.deviation) == (frame["count"].mean(), pytest.approx(frame["count"].std(ddof=0)))
    assert (train.examples.target.dtype, train.examples.outputs) == (np.float32, 1)
    counts = pd.read_csv(tmp_path / "own.csv")["count"]
    np.testing.assert_allclose(test.examples.target * scale.deviation + scale.mean, counts[test.ids], rtol=1e-6)
    assert (manifest.target, manifest.metric, manifest.higher) == ("number", "r2", True)


def test_rows_are_read_where_they_lie(prepared, tmp_path):
    _, train, _ = prepared(csv(tmp_path), COLUMNS, **TABLE)
    assert not train.examples.values.flags.owndata
    assert not train.examples.values.flags.writeable
    rows = Rows(torch.tensor([2, 0]), torch.ones(2))
    batch = train.examples.fetch(rows, torch.device("cpu"))
    assert (batch.inputs["input"].numpy() == train.examples.values[[2, 0]]).all()


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


def test_a_hub_data_set_of_rows():
    import datasets

    split = datasets.Dataset.from_dict({"x": [1.0, 2.0], "c": ["u", None], "y": [0.5, 1.5]})
    columns = {"numbers": ["x"], "categories": ["c"], "label": "y"}
    raw = hub_datasets.of_datasets(task_plan(columns=columns), [split, split], "own")
    assert raw.inputs == {"x": [1.0, 2.0] * 2, "c": ["u", None] * 2}
    assert raw.label.tolist() == [0.5, 1.5] * 2


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
        r"the labels of training must differ, and all 3 are 5\.0",
    ),
    "a test split of one": (CSV, {"test": 1}, r"own: the test split must have 2 rows or more, of which R2 is a share, got 1"),
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


def test_a_category_of_too_many_values_is_named(prepared, tmp_path):
    lines = "\n".join(f"{i},{i}" for i in range(2000))
    with pytest.raises(UserError, match=r"own: id: must have at most 1000 values as a category, got 1998"):
        prepared(csv(tmp_path, f"id,y\n{lines}"), {"categories": ["id"], "label": "y"}, **TABLE)


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


def test_an_option_that_the_model_has_not_is_named_with_the_nearest(prepared, tmp_path):
    model = {"family": "small", "name": "table-mlp", "options": {"hiden": [8]}}
    manifest, _, _ = prepared(csv(tmp_path), COLUMNS, **TABLE, model=model)
    with pytest.raises(UserError, match=r"own\.model: options\.hiden: no such option of 'table-mlp', did you mean 'hidden'\?"):
        models.build(TrainingPlan.read(artifacts.plan_of("training")).model, manifest)


VIT = {"patch_size": 2, "num_layers": 1, "num_heads": 1, "hidden_dim": 8, "mlp_dim": 8}
BAD_MODELS = {
    "unknown option": (
        "vit",
        VIT | {"num_layer": 2},
        r"options\.num_layer: no such option of 'vit', did you mean 'num_layers'\?",
    ),
    "no depth": ("vit", {"patch_size": 2}, r"options: 'vit' also needs num_layers, num_heads, hidden_dim, mlp_dim"),
    "patches": ("vit", VIT | {"patch_size": 3}, r"patch_size must divide a side of 8 pixels, got 3; .* works is 2"),
    "heads": ("vit", VIT | {"num_heads": 3}, r"embed_dim must be divisible by num_heads"),
    "unknown name": ("vitt", {}, r"'vitt': no such torchvision model, did you mean 'vit'\?"),
    "windows": ("swin", {"embed_dim": 8}, r"options: 'swin' also needs patch_size, depths, num_heads, window_size"),
}


@pytest.mark.parametrize(("name", "options", "said"), BAD_MODELS.values(), ids=BAD_MODELS)
def test_a_vision_model_that_cannot_be_built_is_named(name, options, said):
    found = manifest_of(kind="image", shape=[1, 8, 8], outputs=10)
    with pytest.raises(UserError, match=said):
        models.build(model_plan(family="torchvision", name=name, options=options), found)


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
