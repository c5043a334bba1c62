"""Two numbers an example, end to end: riders without and with a subscription, by the hour."""

import mlflow
import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from tests.pipelines.end_to_end.test_run_kinds import published, whole  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow
NAMES = ["casual", "registered"]


def test_riders_in_two_epochs(published):  # noqa: F811 - the fixture
    place = published("bike-riders", training={"epochs": 2})
    manifest, found = Manifest.prepared(), read_json(result("evaluate", "full", "metrics.json"))
    assert manifest.numbers == NAMES
    assert found["r2"] > 0.5 > 0.1 > found["base_r2"]
    table, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    target, predicted = (np.stack([table[f"{key}.{name}"] for name in NAMES], axis=1) for key in ("target", "predicted"))
    np.testing.assert_allclose(target, np.round(target), atol=1e-3)
    row = read_json(artifacts.COMPARISON / "comparison.json")["rows"][0]
    for key, score in (("r2", r2_score), ("rmse", root_mean_squared_error), ("mae", mean_absolute_error)):
        each = score(target, predicted, multioutput="raw_values")
        assert [row[f"{key}.{name}"] for name in NAMES] == [found[f"{key}.{name}"] for name in NAMES] == pytest.approx(each)
        assert row[key] == found[key] == pytest.approx(each.mean())
    (logged,) = mlflow.search_runs(search_all_experiments=True, filter_string="metrics.`test_r2.casual` > -10").to_dict(
        "records"
    )
    assert logged["metrics.test_mae.registered"] == pytest.approx(found["mae.registered"])
    model = mlflow.pytorch.load_model(str(place))
    said = model(whole(read_split("test", manifest)).inputs["input"]).detach().numpy().astype(np.float64)
    scales = mlflow.models.Model.load(str(place)).metadata["label_scales"]
    assert [scale["name"] for scale in scales] == NAMES
    in_units = said * [scale["deviation"] for scale in scales] + [scale["mean"] for scale in scales]
    np.testing.assert_allclose(in_units, predicted, rtol=1e-3, atol=0.1)
