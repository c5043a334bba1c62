"""Each rule against a reference, numbers worked by hand, and what no batch may break."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.evidence.evidence import Evidence
from components.evidence.objectives import OBJECTIVES
from components.evidence.signals import Signals
from components.selection.keep.rules import LOG_ODDS_BOUND, RULES, check_rules, largest

LOSSES = arrays(np.float32, st.integers(1, 40), elements=st.floats(0, 1e4, width=32))
ANY = arrays(np.float32, st.integers(1, 40), elements=st.floats(0, 2.0**127, width=32) | st.sampled_from([0.0, 1.0]))


def seen_of(loss, likelihood=True, norm=None, input_norm=None):
    loss = np.asarray(loss, np.float32)
    return Signals(loss, loss if norm is None else norm, loss if input_norm is None else input_norm, likelihood)


def kept(rule, loss, fraction, **options):
    return np.flatnonzero(largest(RULES[rule](seen_of(loss, **options), np.random.default_rng(0)), fraction)).tolist()


BY_HAND = [0.3, 2.0, 0.1, 0.9, 5.0, 0.7]


@pytest.mark.parametrize(
    ("rule", "places"),
    [
        ("big-loss", [1, 4]),
        ("small-loss", [0, 2]),
        ("adaboost", [1, 4]),
        ("adaboost-reversed", [0, 2]),
        ("coreset-1", [2, 4]),  # the smallest and the largest
        ("coreset-2", [1, 3]),  # the mean is 1.5
    ],
)
def test_who_is_kept_by_hand(rule, places):
    assert kept(rule, BY_HAND, 1 / 3) == places


@pytest.mark.parametrize("size", [2, 7, 16])
def test_half_of_coreset_1_are_the_largest_and_half_the_smallest(size):
    loss = np.random.default_rng(size).permutation(size).astype(np.float32)
    for k in range(2, size + 1, 2):
        chosen = sorted(loss[kept("coreset-1", loss, k / size)])
        assert chosen == sorted([*range(k // 2), *range(size - k // 2, size)])


@given(LOSSES)
def test_adaboost_is_the_log_odds_of_the_share_of_errors(loss):
    wide = loss.astype(np.float64)
    share = np.clip(-np.expm1(-wide), 1e-6, 1 - 1e-6)
    expected = scipy.special.logit(share)
    np.testing.assert_allclose(RULES["adaboost"](seen_of(loss), None), expected, rtol=1e-4, atol=1e-3)
    assert (RULES["adaboost-reversed"](seen_of(loss), None) == -RULES["adaboost"](seen_of(loss), None)).all()
    share = np.clip(wide / max(wide.max(), 1e-6), 1e-6, 1 - 1e-6)
    got = RULES["adaboost"](seen_of(loss, likelihood=False), None)
    np.testing.assert_allclose(got, scipy.special.logit(share), rtol=1e-3, atol=2e-2)


def test_adaboost_by_hand():
    # e = 1 - exp(-ln 2) = 1/2 has even odds; e = 3/4 has odds of 3.
    got = RULES["adaboost"](seen_of([np.log(2), np.log(4), 0, 1e4]), None)
    np.testing.assert_allclose(got, [0, np.log(3), -LOG_ODDS_BOUND, LOG_ODDS_BOUND], atol=1e-6)
    got = RULES["adaboost"](seen_of([1, 2, 4], likelihood=False), None)
    np.testing.assert_allclose(got, [-np.log(3), 0, LOG_ODDS_BOUND], atol=0.02)  # 1 - 1e-6 is not a float32


@given(LOSSES)
def test_coresets_are_distances_from_the_middle(loss):
    rank = scipy.stats.rankdata(loss, "ordinal") - 1
    np.testing.assert_allclose(RULES["coreset-1"](seen_of(loss), None), np.abs(rank - np.median(rank)))
    np.testing.assert_allclose(
        RULES["coreset-2"](seen_of(loss), None), -np.abs(loss - loss.mean(dtype=np.float64)), rtol=1e-4, atol=1e-2
    )


@given(st.integers(0, 10**6), st.sampled_from([2, 3, 6, 300]), st.integers(1, 20))
def test_the_gradient_norm_is_that_of_autograd(seed, classes, size):
    rng = np.random.default_rng(seed)
    z = torch.from_numpy(rng.normal(size=(size, classes)).astype(np.float32) * 3).requires_grad_()
    target = torch.from_numpy(rng.integers(0, classes, size))
    loss = torch.nn.functional.cross_entropy(z, target, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    for log_p in (None, z.detach().log_softmax(1)):
        evidence = Evidence(torch.arange(size), target, loss.detach(), z.detach(), True, log_p=log_p)
        got = RULES["gradient-norm"](evidence.signals, None)
        np.testing.assert_allclose(got, gradient.norm(dim=1), rtol=1e-4, atol=1e-6)


def test_the_gradient_norm_of_a_squared_error_by_hand():
    output, target = torch.tensor([[1.5], [-2.0]]), torch.tensor([1.0, 1.0])
    seen = OBJECTIVES["number"].see(output, target, norm=True)
    evidence = Evidence(torch.arange(2), target, seen.loss, seen.output, True, OBJECTIVES["number"], seen.norm)
    assert seen.loss.tolist() == [0.25, 9.0]
    assert RULES["gradient-norm"](evidence.signals, None).tolist() == [1.0, 6.0]


def test_the_input_gradient_norm_is_that_of_autograd_and_leaves_no_trace(make_images, make_mlp, make_rows):
    images, model = make_images(), make_mlp()
    learner = Learner(model, build_optimizer(model, "sgd", 0.1), lambda epoch: 1.0)
    batch = images.fetch(make_rows(range(6)), learner.device)
    got = learner.look(batch, by_input=True)
    x = batch.inputs["input"].clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(model.eval()(x), batch.target, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), x)
    seen = got.signals
    np.testing.assert_allclose(RULES["input-gradient-norm"](seen, None), gradient.flatten(1).norm(dim=1), rtol=1e-5)
    assert (got.looked, got.loss.requires_grad, batch.inputs["input"].requires_grad) == (True, False, False)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("rule", sorted(RULES))
@given(ANY, st.booleans())
def test_every_rule_answers_every_batch(rule, loss, likelihood):
    with np.errstate(all="ignore"):
        score = RULES[rule](seen_of(loss, likelihood), np.random.default_rng(0))
    assert score.shape == loss.shape
    assert not np.isnan(score).any()
    weight = largest(score, 0.3)
    assert weight.sum() == max(1, round(0.3 * len(loss)))
    assert set(weight.tolist()) <= {0.0, 1.0}


def test_of_equal_scores_the_earlier_are_kept():
    assert np.flatnonzero(largest(np.ones(7), 0.4)).tolist() == [0, 1, 2]
    assert np.flatnonzero(largest(np.array([1.0, 2, 1, 2, 1]), 0.6)).tolist() == [0, 1, 3]
    assert largest(np.zeros(1), 0.01).tolist() == [1]


def test_uniform_draws_anew_and_knows_nothing_of_the_loss():
    counts = np.zeros(10)
    for seed in range(2000):
        counts += largest(RULES["uniform"](seen_of(np.arange(10)), np.random.default_rng(seed)), 0.3)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("names", "look", "said"),
    [
        (("big-los",), "fresh", "no such rule: 'big-los', did you mean 'big-loss'?"),
        ((), "fresh", "pool must name at least one rule"),
        (("input-gradient-norm",), "stale(2)", "input-gradient-norm needs look: 'fresh', got 'stale(2)'"),
    ],
)
def test_rules_that_cannot_be_are_refused(names, look, said):
    with pytest.raises(ValueError, match="^" + said.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        check_rules(names, look)
