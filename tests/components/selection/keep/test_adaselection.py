"""AdaSelection against a slow, plain twin, and numbers worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.evidence.signals import Signals
from components.selection.keep.adaselection import POOL, SEVEN, AdaSelection, importance, trusted
from components.selection.keep.rules import RULES, largest
from components.selection.selector import Epoch

TWIN_RULES = {
    "uniform": lambda loss, norm: [0.0] * len(loss),
    "big-loss": lambda loss, norm: loss,
    "small-loss": lambda loss, norm: [-x for x in loss],
    "gradient-norm": lambda loss, norm: norm,
    "adaboost": lambda loss, norm: [_odds(x) for x in loss],
    "coreset-1": lambda loss, norm: [
        abs(sorted(range(len(loss)), key=lambda j: (loss[j], j)).index(i) - (len(loss) - 1) / 2) for i in range(len(loss))
    ],
    "coreset-2": lambda loss, norm: [-abs(x - sum(loss) / len(loss)) for x in loss],
}


def _odds(loss):
    share = min(max(1 - math.exp(-loss), 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


class Twin:
    """The method by its equations, an example at a time, in the plainest Python."""

    def __init__(self, fraction, pool, beta, gamma, temperature, mean, change):
        self.fraction, self.pool, self.beta, self.gamma = fraction, pool, beta, gamma
        self.temperature, self.mean, self.change = temperature, mean, change
        self.w, self.before, self.t = [1 / len(pool)] * len(pool), None, 0

    def choose(self, loss, norm):
        self.t += 1
        scores = [TWIN_RULES[name](loss, norm) for name in self.pool]
        alphas = [self.softmax(u) for u in scores]
        means = [self.mean_loss(u, a, loss) for u, a in zip(scores, alphas, strict=True)]
        if self.before is not None:
            moved = [(m - b) / b for m, b in zip(means, self.before, strict=True)]
            moved = [abs(x) for x in moved] if self.change == "absolute" else moved
            self.w = [w * math.exp(min(max(self.beta * x, -10), 10)) for w, x in zip(self.w, moved, strict=True)]
            self.w = [max(w / sum(self.w), 1e-6) for w in self.w]
            self.w = [w / sum(self.w) for w in self.w]
        self.before = means
        s = [
            math.exp(-loss[i] / self.t**self.gamma) * sum(w * a[i] for w, a in zip(self.w, alphas, strict=True))
            for i in range(len(loss))
        ]
        order = sorted(range(len(loss)), key=lambda i: (-s[i], i))
        return s, set(order[: max(1, round(self.fraction * len(loss)))])

    def softmax(self, u):
        mean = sum(u) / len(u)
        sd = math.sqrt(sum((x - mean) ** 2 for x in u) / len(u)) or 1.0
        e = [math.exp((x - mean) / sd / self.temperature) for x in u]
        return [x / sum(e) for x in e]

    def mean_loss(self, u, alpha, loss):
        if self.mean == "importance":
            return sum(a * x for a, x in zip(alpha, loss, strict=True))
        k = max(1, round(self.fraction * len(loss)))
        order = sorted(range(len(loss)), key=lambda i: (-u[i], i))[:k]
        return sum(loss[i] for i in order) / k


@pytest.mark.parametrize("mean", ["importance", "kept"])
@pytest.mark.parametrize("change", ["signed", "absolute"])
@pytest.mark.parametrize(("beta", "gamma", "temperature"), [(0.5, 0.5, 1.0), (-0.8, 1.0, 0.5)])
def test_it_is_its_slow_twin_over_200_batches(mean, change, beta, gamma, temperature):
    rng = np.random.default_rng(0)
    fast = AdaSelection(
        0.3, list(SEVEN), explore=False, beta=beta, gamma=gamma, temperature=temperature, mean=mean, change=change
    )
    twin = Twin(0.3, SEVEN, beta, gamma, temperature, mean, change)
    for _ in range(200):
        loss = rng.gamma(1.5, 0.7, rng.integers(2, 30))
        norm = rng.random(len(loss))
        seen = Signals(loss, norm)
        fast.take(seen)
        scores, kept = twin.choose(loss.tolist(), norm.tolist())
        got = fast.score(seen, np.arange(len(loss)), rng)
        np.testing.assert_allclose(fast.trust, twin.w, rtol=1e-6)
        np.testing.assert_allclose(got, scores, rtol=1e-6)
        # Where two scores are equal but for rounding, either may be kept.
        for i in kept ^ set(np.flatnonzero(largest(got, 0.3)).tolist()):
            edge = sorted(scores, reverse=True)[len(kept) - 1]
            assert scores[i] == pytest.approx(edge, rel=1e-6)


def test_importance_by_hand():
    # Of (1, 3) in standard deviations: (-1, 1).
    alpha = importance(np.array([[1.0, 3.0], [5.0, 5.0]]), 1.0)
    e = math.exp(2)
    np.testing.assert_allclose(alpha, [[1 / (1 + e), e / (1 + e)], [0.5, 0.5]])
    np.testing.assert_allclose(importance(np.array([[1.0, 3.0]]), 2.0), [[1 / (1 + math.e), math.e / (1 + math.e)]])


def test_trust_by_hand():
    even, before, now = np.array([0.5, 0.5]), np.array([2.0, 4.0]), np.array([3.0, 3.0])
    up, down = math.exp(0.5 * 0.5), math.exp(0.5 * -0.25)
    np.testing.assert_allclose(trusted(even, before, now, 0.5, "signed"), [up / (up + down), down / (up + down)])
    down = math.exp(0.5 * 0.25)
    np.testing.assert_allclose(trusted(even, before, now, 0.5, "absolute"), [up / (up + down), down / (up + down)])
    assert trusted(even, np.zeros(0), now, 0.5, "signed") is even


def test_the_reward_by_hand():
    method = AdaSelection(0.5, gamma=2.0)
    method.steps = 3
    np.testing.assert_allclose(method.reward(np.array([0.0, 9.0])), [1, math.exp(-1)])
    method.steps = 10**9
    np.testing.assert_allclose(method.reward(np.array([0.0, 1e4])), [1, 1])


def test_one_rule_in_the_pool_is_that_rule_once_the_reward_is_spent():
    loss = np.random.default_rng(0).random(40).astype(np.float32)
    for rule in ("big-loss", "small-loss", "coreset-2"):
        method = AdaSelection(0.25, pool=[rule], explore=False)
        method.steps = 10**12
        seen = Signals(loss)
        assert (
            largest(method.score(seen, np.arange(40), None), 0.25).tolist() == largest(RULES[rule](seen, None), 0.25).tolist()
        )


def test_time_counts_looks_or_epochs():
    looks, epochs = AdaSelection(0.5, pool=["big-loss"]), AdaSelection(0.5, pool=["big-loss"], time="epoch")
    for method in (looks, epochs):
        for epoch in (2, 3):
            method.review(Epoch(epoch, 5, first=2), None, None)
            for _ in range(4):
                method.take(Signals(np.ones(3, np.float32)))
    assert (looks.steps, epochs.steps) == (8, 2)


def test_exploring_lets_uniform_draw():
    seen = Signals(np.ones(20, np.float32))
    still, drawing = (AdaSelection(0.5, pool=["uniform"], explore=e) for e in (False, True))
    chosen = [[largest(m.score(seen, None, np.random.default_rng(s)), 0.5).tolist() for s in (0, 1)] for m in (still, drawing)]
    assert chosen[0][0] == chosen[0][1] == [1.0] * 10 + [0.0] * 10
    assert chosen[1][0] != chosen[1][1]


EXTREME = arrays(np.float32, st.integers(1, 20), elements=st.sampled_from([0.0, 1e-30, 1.0, 1e4, 2.0**127]))


@pytest.mark.parametrize("mean", ["importance", "kept"])
@given(st.lists(EXTREME, min_size=1, max_size=4), st.sampled_from([-1e3, 0.0, 1e3]), st.sampled_from([0.0, 1e3]), st.booleans())
def test_nothing_breaks_at_extremes(mean, losses, beta, gamma, likelihood):
    method = AdaSelection(0.3, list(SEVEN), beta=beta, gamma=gamma, mean=mean)
    for loss in losses:
        seen = Signals(loss, np.minimum(loss, 2), likelihood=likelihood)
        with np.errstate(over="ignore"):
            method.take(seen)
            score = method.score(seen, np.arange(len(loss)), np.random.default_rng(0))
        assert np.isfinite(score).all()
        assert (score >= 0).all()
        assert np.isfinite(method.trust).all()
        assert sum(method.trust) == pytest.approx(1)
        assert min(method.trust) > 0


def test_what_it_trusts_is_followed_over_a_run(make_training):
    training = make_training(AdaSelection(0.3), epochs=2)
    records = [m for m in training.until() if hasattr(m, "course")]
    course = [point for record in records for point in record.course]
    assert [p["place"] for p in course] == sorted(p["place"] for p in course)
    assert course[-1]["place"] == 2.0
    assert all(sum(v for k, v in p.items() if k != "place") == pytest.approx(1) for p in course)
    assert set(course[0]) == {"place", *(f"trust_{name}" for name in POOL)}
    assert course[0] != course[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"fraction": 0.0}, "fraction must be in"),
        ({"fraction": 0.2, "pool": []}, "pool must name at least one rule"),
        ({"fraction": 0.2, "pool": ["gradient"]}, "did you mean 'gradient-norm'"),
        ({"fraction": 0.2, "beta": math.inf}, "beta must be a finite number"),
        ({"fraction": 0.2, "gamma": math.nan}, "gamma must be a finite number"),
        ({"fraction": 0.2, "gamma": -1.0}, "gamma must be at least 0"),
        ({"fraction": 0.2, "temperature": 0.0}, "temperature must be at least"),
        ({"fraction": 0.2, "look": "stale(1)"}, r"look must be .*nearest that works is 'stale\(2\)'"),
        ({"fraction": 0.2, "mean": "median"}, "mean must be one of importance, kept"),
    ],
)
def test_what_cannot_be_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        AdaSelection(**arguments)
