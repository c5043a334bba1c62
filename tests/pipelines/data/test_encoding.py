"""Tables become matrices fitted to training; texts that are none are named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.core.errors import UserError
from tests.pipelines.text_pairs import COLUMNS as PAIR
from tests.pipelines.text_pairs import spoiled, written
from tests.pipelines.weather import COLUMNS, TABLE, csv

BAD = {
    "an empty second text": (
        spoiled(sentence=["a", "b", "", "d", "e", "f"]),
        r"text_pair of id 2 must be a text, got ''; 'drop_em",
    ),
    "no second text": (spoiled(sentence=["a", None, "c", "d", "e", "f"]), r"text_pair of id 1 must be a text, got None"),
    "numbers for texts": (spoiled(question=[3, 1, 4, 1, 5, 9]), r"own: text of id 0 must be a text, got 3"),
    "no such column": ({"question": list("abcdef"), "label": [0] * 6}, r"pairs\.parquet: columns: 'sentence': no such column"),
    "a class of the test split alone": (
        spoiled(label=["a", "b", "a", "b", "a", "c"]),
        r"own: the test split has classes that training lacks: [abc](, [abc])*; give training rows of each, or take its rows",
    ),
}


@pytest.mark.parametrize(("table", "said"), BAD.values(), ids=BAD)
def test_pairs_that_cannot_be_used_are_named(prepared, encoder, tmp_path, table, said):
    source = written(tmp_path, {k: v[:5] for k, v in table.items()})
    source["test"] = written(tmp_path, {k: v[5:] or v for k, v in table.items()}, "test.parquet")["train"]
    with pytest.raises(UserError, match=said):
        prepared(source, PAIR)
    assert not Path("results/prepare").exists()


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


def test_a_category_of_too_many_values_is_named(prepared, tmp_path):
    lines = "\n".join(f"{i},{i}" for i in range(2000))
    with pytest.raises(UserError, match=r"own: id: must have at most 1000 values as a category, got 1998"):
        prepared(csv(tmp_path, f"id,y\n{lines}"), {"categories": ["id"], "label": "y"}, **TABLE)
