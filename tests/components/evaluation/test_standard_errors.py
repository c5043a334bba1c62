"""The error over the examples: worked by hand, and against what the metric itself does when examples are drawn anew."""

import numpy as np
import pytest

from components.evaluation.metrics import METRICS_OF
from components.evaluation.standard_errors import paired_error, shares


def test_by_hand_on_four_examples():
    target = np.array([0, 1, 1, 0])
    mine, other = ({"target": target, "predicted": np.array(p)} for p in ([0, 1, 1, 1], [0, 0, 1, 0]))
    # Hits 1 1 1 0 and 1 0 1 1: differences 0 1 0 -1, of variance 2/3 over n - 1.
    assert paired_error([mine], [other], "accuracy") == pytest.approx((2 / 3 / 4) ** 0.5)
    assert paired_error([mine], [mine], "accuracy") == 0
    # Over two seeds the differences 0 1 0 -1 and 0 -1 0 1 cancel.
    assert paired_error([mine, other], [other, mine], "accuracy") == 0


def drawn(kind, rng, n=400):
    target = rng.normal(size=n) if kind == "number" else rng.integers(0, 3, n)
    for quality in (0.3, 0.5):
        loss = rng.gamma(2.0, quality, n)
        # The last class is the worst by far: the least of several that are level is no smooth metric.
        wrong = rng.random(n) < quality * (0.5 + (target == 2)) if kind == "class" else rng.random(n) < quality
        predicted = target + quality * rng.normal(size=n) if kind == "number" else np.where(wrong, (target + 1) % 3, target)
        yield {"target": target, "predicted": predicted, "loss": loss, "tokens": np.full(n, 7)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        *(("class", name) for name in ("accuracy", "macro_f1", "balanced_accuracy", "worst_class_accuracy")),
        ("number", "r2"),
        ("tokens", "perplexity"),
    ],
)
def test_it_is_the_deviation_of_the_difference_over_other_examples(kind, metric):
    rng = np.random.default_rng(0)
    one, other = drawn(kind, rng)
    differences = []
    for _ in range(600):
        rows = rng.integers(0, 400, 400)
        scores = [METRICS_OF[kind]({k: v[rows] for k, v in c.items()})[metric] for c in (one, other)]
        differences.append(scores[0] - scores[1])
    assert paired_error([one], [other], metric) == pytest.approx(np.std(differences), rel=0.1)


def test_the_share_of_several_numbers_is_the_mean_of_each_ones():
    rng = np.random.default_rng(2)
    one, other = (next(drawn("number", rng)) for _ in range(2))
    several = {f"{key}.{name}": c[key] for name, c in (("a", one), ("b", other)) for key in ("target", "predicted")}
    expected = (shares(one, "r2") + shares(other, "r2")) / 2
    np.testing.assert_allclose(shares(several | {"loss": one["loss"]}, "r2"), expected)


def test_means_of_shares_differ_as_r2_and_accuracy_do():
    for kind, metric in (("class", "accuracy"), ("number", "r2")):
        one, other = drawn(kind, np.random.default_rng(1))
        found = METRICS_OF[kind](one)[metric] - METRICS_OF[kind](other)[metric]
        assert shares(one, metric).mean() - shares(other, metric).mean() == pytest.approx(found)
