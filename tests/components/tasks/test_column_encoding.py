import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.tasks.column_encoding import MOST_VALUES, Category, Number, matrix, spread, standardised

VALUES = st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=2, max_size=12)


def objects(values):
    return np.array(values, object)


def test_by_hand():
    degrees, sky = np.array([10.0, 20.0, 40.0]), objects(["clear", None, "rain"])
    train = np.array([0, 1])
    features = [Number.fitted("degrees", degrees, train), Category.fitted("sky", sky, train)]
    # Of 10 and 20 the mean is 15 and the deviation 5; rain is not in training, and so stands beside what is missing.
    assert matrix(features, [degrees, sky]).tolist() == [[-1, 1, 0], [1, 0, 1], [5, 0, 1]]
    assert [f.record() for f in features] == [
        {"column": "degrees", "kind": "number", "mean": 15.0, "deviation": 5.0},
        {"column": "sky", "kind": "category", "values": ["clear"]},
    ]


@given(VALUES, st.data())
def test_categories_against_pandas(values, data):
    train = np.array(data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1, unique=True)))
    feature = Category.fitted("c", objects(values), train)
    known = sorted({values[i] for i in train} - {None})
    seen = [v if v in known else None for v in values]
    expected = pd.get_dummies(pd.Categorical(seen, known), dummy_na=True).to_numpy(np.float32)
    got = matrix([feature], [objects(values)])
    assert got.dtype == np.float32
    assert (got == expected).all()
    decoded = [feature.values[i] if i < len(feature.values) else None for i in got.argmax(1)]
    assert decoded == seen


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=12), st.integers(2, 3))
def test_numbers_against_pandas(values, count):
    series, train = pd.Series(values), np.arange(count)
    feature = Number.fitted("x", series.to_numpy(), train)
    got = matrix([feature], [series.to_numpy()])[:, 0]
    deviation = series[:count].std(ddof=0)
    if deviation > 1e-3:
        assert feature.mean == pytest.approx(series[:count].mean(), abs=1e-6)
        np.testing.assert_allclose(got, (series - series[:count].mean()) / deviation, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got.astype(np.float64) * feature.deviation + feature.mean, values, rtol=1e-5, atol=0.5)


def test_what_never_varies_is_nought():
    assert spread(np.full(5, 0.1)) == (pytest.approx(0.1), 1.0)
    assert spread(np.full(7, 1e9 + 0.1))[1] == 1.0
    assert standardised(np.array([3.0, 4.0]), 3.0, 1.0).tolist() == [0, 1]


def test_a_category_of_too_many_values_is_refused():
    values = objects([str(i) for i in range(MOST_VALUES + 1)])
    with pytest.raises(ValueError, match="must have at most 1000 values as a category, got 1001"):
        Category.fitted("id", values, np.arange(len(values)))
    assert Category.fitted("id", values, np.arange(MOST_VALUES)).width == MOST_VALUES + 1
