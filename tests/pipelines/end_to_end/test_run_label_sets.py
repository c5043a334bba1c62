"""Several labels an example, end to end: scikit-learn's digits by what is true of their numbers."""

import json

import mlflow
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from tests.pipelines.end_to_end.test_run_kinds import published, whole  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow
TRUE = {"even": {0, 2, 4, 6, 8}, "prime": {2, 3, 5, 7}, "square": {0, 1, 4, 9}, "small": {0, 1, 2, 3, 4}}


def test_digits_by_what_is_true_of_them(published, tmp_path):  # noqa: F811 - the fixture
    digits, path = load_digits(), tmp_path / "digits.jsonl"
    used = [f"p{i}" for i in range(64) if digits.data[:, i].std() > 0.5]
    with path.open("w") as file:
        for pixels, number in zip(digits.data, digits.target, strict=True):
            tags = [tag for tag, numbers in TRUE.items() if number in numbers]
            file.write(json.dumps({**{f"p{i}": v for i, v in enumerate(pixels)}, "tags": tags}) + "\n")
    place = published(
        "bike-sharing",
        predicts="classes",
        source={"from": "files", "train": str(path)},
        columns={"numbers": used, "label": "tags"},
        training={"epochs": 3, "optimizer": {"name": "sgd", "learning_rate": 0.3, "momentum": 0.9}},
    )
    manifest, found = Manifest.prepared(), read_json(result("evaluate", "full", "metrics.json"))
    assert manifest.labels == sorted(TRUE)
    assert found["mean_average_precision"] > 0.9 > found["chance_mean_average_precision"]
    row = read_json(artifacts.COMPARISON / "comparison.json")["rows"][0]
    names = ("mean_average_precision", "macro_f1", "micro_f1", "subset_accuracy")
    assert {k: row[k] for k in names} == {k: found[k] for k in names}
    table, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    assert found["mean_average_precision"] == pytest.approx(average_precision_score(table["target"], table["probability"]))
    split = read_split("test", manifest)
    said = mlflow.pytorch.load_model(str(place))(whole(split).inputs["input"]).sigmoid().detach().numpy()
    np.testing.assert_allclose(said, table["probability"], atol=1e-5)
    assert np.array_equal(said >= 0.5, table["predicted"] > 0)
