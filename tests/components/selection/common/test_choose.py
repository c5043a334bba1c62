from itertools import permutations

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from components.selection.common import choose

#: Few values, so that ties are common.
SCORES = st.lists(st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 0.5, 1.0, np.inf]), min_size=1, max_size=30)
DRAWS = 4000


@given(SCORES, st.data())
def test_top_is_the_head_of_a_stable_sort(scores, data):
    k = data.draw(st.integers(1, len(scores)) | st.sampled_from([1, len(scores)]))
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    assert choose.top(np.array(scores, np.float32), k).tolist() == expected


@given(hnp.arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32, allow_nan=False)))
def test_the_best_come_first_as_by_a_stable_sort(scores):
    for score in (scores, scores.astype(np.float64)):
        np.testing.assert_array_equal(choose.best_first(score), np.argsort(-score, kind="stable"))


@pytest.mark.parametrize("kind", ["spread", "few values", "sorted", "sorted, the sample's places high", "all equal", "heavy"])
@pytest.mark.parametrize("share", [1e-5, 0.01, 0.3, 0.5, 0.999])
def test_among_many_the_largest_are_those_of_a_stable_sort(kind, share):
    n = 8 * choose.SAMPLE + 12345
    rng = np.random.default_rng(0)
    score = {
        "spread": rng.standard_normal(n),
        "few values": rng.integers(0, 5, n),
        "sorted": np.arange(n),
        "sorted, the sample's places high": np.where(np.arange(n) % (n // choose.SAMPLE) == 0, 10, 0) + rng.random(n),
        "all equal": np.zeros(n),
        "heavy": rng.standard_cauchy(n),
    }[kind].astype(np.float32)
    k = max(1, round(share * n))
    np.testing.assert_array_equal(choose.largest(score, k), np.sort(np.argsort(-score, kind="stable")[:k]))


def test_noise_is_drawn_the_same_however_much_at_once(monkeypatch):
    score = np.random.default_rng(1).standard_normal(100).astype(np.float32)
    whole = choose.perturbed(score, 0.5, np.random.default_rng(0))
    monkeypatch.setattr(choose, "AT_ONCE", 7)
    np.testing.assert_array_equal(choose.perturbed(score, 0.5, np.random.default_rng(0)), whole)
    expected = np.random.default_rng(0).gumbel(size=100).astype(np.float32) + score / np.float32(0.5)
    np.testing.assert_array_equal(whole, expected)


def test_top_refuses_what_is_not_a_number_by_place():
    with pytest.raises(ValueError, match="example 2"):
        choose.top(np.array([1, 2, np.nan, np.nan]), 1)


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=20), st.floats(0.01, 100))
def test_softmax_is_scipys(scores, temperature):
    got = choose.softmax(np.array(scores), temperature)
    np.testing.assert_allclose(got, scipy.special.softmax(np.array(scores) / temperature), rtol=1e-6, atol=1e-12)


def in_turn(p, k):
    """Return how likely each place is among the k drawn one after the other without replacement, by enumeration."""
    inclusion = np.zeros(len(p))
    for sequence in permutations(range(len(p)), k):
        chance, left = 1.0, 1.0
        for i in sequence:
            chance, left = chance * p[i] / left, left - p[i]
        inclusion[list(sequence)] += chance
    return inclusion


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_gumbel_top_draws_in_turn_by_the_softmax(temperature):
    scores = np.array([0.0, 0.4, 1.0, -0.7], np.float32)
    expected = in_turn(scipy.special.softmax(scores / temperature), 2)
    hits = np.zeros(4)
    for seed in range(DRAWS):
        hits[choose.gumbel_top(scores, 2, temperature, np.random.default_rng(seed))] += 1
    deviation = np.sqrt(expected * (1 - expected) / DRAWS)
    assert (abs(hits / DRAWS - expected) < 4 * deviation).all()


def test_gumbel_top_draws_the_first_place_by_the_softmax():
    scores = np.array([0.0, 1.5, -1.0], np.float32)
    expected = scipy.special.softmax(scores)
    firsts = [choose.gumbel_top(scores, 2, 1.0, np.random.default_rng(seed))[0] for seed in range(DRAWS)]
    deviation = np.sqrt(expected * (1 - expected) / DRAWS)
    assert (abs(np.bincount(firsts, minlength=3) / DRAWS - expected) < 4 * deviation).all()


def test_gumbel_top_repeats_with_its_seed_and_takes_distinct_places():
    scores = np.linspace(0, 1, 200, dtype=np.float32)
    given_scores = scores.tolist()
    one, same, other = (choose.gumbel_top(scores, 50, 1.0, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.tolist() == same.tolist() != other.tolist()
    assert len(set(one.tolist())) == 50
    assert scores.tolist() == given_scores


def test_gumbel_top_nears_top_as_the_temperature_falls():
    scores = np.array([0.3, 0.1, 0.9, 0.5], np.float32)
    assert choose.gumbel_top(scores, 2, 1e-6, np.random.default_rng(0)).tolist() == [2, 3]


def test_standardised_has_mean_zero_and_deviation_one_and_bears_equal_scores():
    scores = np.array([1.0, 2.0, 3.0, 6.0], np.float32)
    np.testing.assert_allclose(choose.standardised(scores), (scores - 3) / np.sqrt(3.5), rtol=1e-6)
    assert choose.standardised(np.full(3, 7, np.float32)).tolist() == [0, 0, 0]
    assert choose.standardised(scores).dtype == np.float32


def greedy(features, k):
    """Return the k centres by the definition, distance by distance."""
    far = np.linalg.norm(features[:, None].astype(np.float64) - features[None], axis=2)
    chosen = [int(np.linalg.norm(features - features.mean(0, dtype=np.float64), axis=1).argmin())]
    while len(chosen) < k:
        nearest = far[:, chosen].min(1)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_k_centres_are_those_of_the_definition(seed):
    features = np.random.default_rng(seed).normal(3, 2, (60, 5)).astype(np.float32)
    chosen, distance = choose.k_centres(features, 20)
    assert chosen.tolist() == greedy(features, 20)
    far = np.linalg.norm(features[:, None] - features[None, chosen], axis=2)
    rest = np.setdiff1d(np.arange(60), chosen)
    np.testing.assert_allclose(distance[rest], far[rest].min(1), rtol=1e-3)
    np.testing.assert_allclose(distance[chosen[1:]], [far[c, :i].min() for i, c in enumerate(chosen) if i], rtol=1e-3)
    assert distance[chosen[0]] == np.inf


def test_k_centres_by_hand():
    line = np.float32([[0], [1], [2], [4], [10]])
    # The mean is 3.4: first 4, then 10 at 6, 0 at 4, 2 at 2 and last 1.
    chosen, distance = choose.k_centres(line, 5)
    assert chosen.tolist() == [3, 4, 0, 2, 1]
    np.testing.assert_allclose(distance, [4, 1, 2, np.inf, 6], atol=1e-3)


FEATURES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.floats(-100, 100, width=32)
)


@given(FEATURES, st.randoms(use_true_random=False))
def test_k_centres_are_different_places_whatever_the_columns_order(features, random):
    n, d = features.shape
    chosen, distance = choose.k_centres(features, n)
    assert sorted(chosen.tolist()) == list(range(n))
    assert (np.diff(distance[chosen]) <= 0).all() or n == 1
    columns = random.sample(range(d), d)
    again, _ = choose.k_centres(features[:, columns], n)
    assert again.tolist() == chosen.tolist()
