"""Metrics of several numbers against scikit-learn's, each in its own unit."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from components.evaluation.metrics import metrics
from components.evaluation.several_numbers import in_units, names_of

SCALES = {"when": (1.7e9, 20.0), "how much": (-3.0, 0.5)}


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(50, 2)).astype(np.float32)
    predicted = (target + 0.5 * rng.normal(size=(50, 2))).astype(np.float32)
    return {"target": target, "predicted": predicted, "loss": ((target - predicted) ** 2).mean(1)}


def test_each_number_is_in_its_own_unit_and_in_float64(columns):
    found = in_units(columns, SCALES)
    assert list(found) == ["loss", "target.when", "predicted.when", "target.how much", "predicted.how much"]
    assert names_of(found) == list(SCALES)
    assert names_of(columns) == []
    for k, (name, (mean, deviation)) in enumerate(SCALES.items()):
        for key in ("target", "predicted"):
            np.testing.assert_array_equal(found[f"{key}.{name}"], columns[key][:, k].astype(np.float64) * deviation + mean)
            # Differences of seconds outlive a mean of 1.7e9.
            assert found[f"{key}.{name}"].std() == pytest.approx(columns[key][:, k].std() * deviation, rel=1e-3)


def test_metrics_are_scikit_learns_of_each_and_their_means(columns):
    told = in_units(columns, SCALES)
    found = metrics(told, "numbers")
    target, predicted = (np.stack([told[f"{key}.{name}"] for name in SCALES], axis=1) for key in ("target", "predicted"))
    for key, score in (("r2", r2_score), ("rmse", root_mean_squared_error), ("mae", mean_absolute_error)):
        each = score(target, predicted, multioutput="raw_values")
        assert [found[f"{key}.{name}"] for name in SCALES] == pytest.approx(each)
        assert found[key] == pytest.approx(score(target, predicted))
    assert found["loss"] == pytest.approx(columns["loss"].mean())
    assert list(found)[:3] == ["r2", "rmse", "mae"]
