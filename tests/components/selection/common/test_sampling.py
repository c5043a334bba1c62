import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.selection.common.sampling import inclusion, pareto

SIZES = st.lists(st.sampled_from([0.0, 0.01, 0.5, 1.0, 3.0, 200.0]) | st.floats(0.001, 10), min_size=1, max_size=40)
DRAWS = 6000


def by_bisection(size, k):
    """Return the probabilities by looking for c, the slow way."""
    low, high = 0.0, k / size[size > 0].min()
    for _ in range(200):
        c = (low + high) / 2
        low, high = (c, high) if np.minimum(1, c * size).sum() < k else (low, c)
    return np.minimum(1, c * size)


@given(SIZES, st.data())
def test_probabilities_are_in_proportion_and_bounded_and_sum_to_k(sizes, data):
    size = np.array(sizes)
    positive = int((size > 0).sum())
    k = data.draw(st.integers(1, len(sizes)))
    p = inclusion(size, k)
    assert p.dtype == np.float32
    assert p.sum(dtype=np.float64) == pytest.approx(min(k, positive), rel=1e-5)
    assert ((p > 0) == (size > 0)).all()
    if k < positive:
        np.testing.assert_allclose(p, by_bisection(size, k), rtol=1e-4)


def test_by_hand():
    # 8 of 10 twos: c is k / sum until the 8 is capped; then the one left is shared by the others, 1/4 each.
    np.testing.assert_allclose(inclusion(np.array([8.0, 1, 1, 1, 1]), 2), [1, 0.25, 0.25, 0.25, 0.25])
    # Capping the 6 gives the 3 so much that it is capped too.
    np.testing.assert_allclose(inclusion(np.array([6.0, 3, 1, 1]), 3), [1, 1, 0.5, 0.5])


@given(SIZES, st.data(), st.integers(0, 1000))
def test_exactly_k_different_ones_are_drawn_the_certain_among_them(sizes, data, seed):
    size = np.array(sizes)
    positive = int((size > 0).sum())
    if not positive:
        return
    k = data.draw(st.integers(1, positive))
    p = inclusion(size, k)
    drawn = pareto(p, k, np.random.default_rng(seed))
    assert len(set(drawn.tolist())) == len(drawn) == k
    assert (np.diff(drawn) > 0).all()
    assert (p[drawn] > 0).all()
    assert set(np.flatnonzero(p == 1)) <= set(drawn.tolist())


def test_each_is_drawn_as_often_as_its_probability_says():
    p = inclusion(np.array([5.0, 3, 2, 2, 1, 1, 1, 1, 0.5, 0.5, 0]), 4)
    hits = np.zeros(len(p))
    for seed in range(DRAWS):
        hits[pareto(p, 4, np.random.default_rng(seed))] += 1
    # The draw is by p to order 1 / k: two hundredths of bias beside four standard errors.
    assert (abs(hits / DRAWS - p) < 0.02 + 4 * np.sqrt(p * (1 - p) / DRAWS)).all()
    assert hits[-1] == 0


def test_a_rounding_error_moves_hardly_any_draw():
    size = np.random.default_rng(0).gamma(0.5, size=5000).astype(np.float32)
    other = size * (1 + 1e-6 * np.random.default_rng(1).standard_normal(5000).astype(np.float32))
    one, two = (pareto(inclusion(s, 1500), 1500, np.random.default_rng(7)) for s in (size, other))
    assert len(np.setdiff1d(one, two)) <= 1
