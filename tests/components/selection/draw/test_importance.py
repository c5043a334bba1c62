"""Draws by gradient size: probabilities, weights, budgets, the guard, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from components.epoch_records import EpochRecord
from components.evidence.evidence import Evidence
from components.evidence.objectives import OBJECTIVES
from components.rng import stream
from components.selection.common.gradient_sizes import signal_of
from components.selection.draw.importance import Importance
from components.selection.draw.uniform import Uniform
from components.selection.selector import Epoch, Selector

NORM = [0.1, 0.1, 0.2, 0.2, 0.4, 0.4, 0.8, 1.0, 1.2, 1.4]


def ledger_of(make_ledger, drawn=1, margin=None, **columns):
    """A ledger of examples seen once, whose labels nothing speaks against."""
    n = len(next(iter(columns.values()))) if columns else len(NORM)
    margin = np.full(n, -0.5) if margin is None else np.asarray(margin)
    held = {"gradient_norm": NORM, "loss": np.full(n, 0.3), "seen": np.ones(n), "drawn": np.full(n, drawn)}
    return make_ledger(n, 3, target=np.zeros(n, np.int64), **held | {"margin": margin, "margin_mean": margin} | columns)


def drawn_by(selector, ledger, index=1, total=10, seed=0):
    epoch = Epoch(index, total)
    selector.review(epoch, ledger, stream(seed, "review", index))
    return selector.draw(epoch, ledger, stream(seed, "draw", index))


def test_the_first_epoch_is_everything(make_ledger):
    assert drawn_by(Importance(0.35), make_ledger(8), 0).tolist() == [1] * 8
    assert drawn_by(Importance(0.35, first=0.5), make_ledger(8), 0).sum() == 4


def test_shares_add_up_to_the_budget(make_training):
    training = make_training(Importance(0.4), epochs=6)
    trained = [m.trained for m in training.until() if isinstance(m, EpochRecord)]
    # 0.4 of 6 epochs, 1 of which is spent: 1.4 over five epochs of 60 examples.
    assert trained == [60, 17, 17, 17, 17, 16]
    assert sum(trained) == round(0.4 * 6 * 60)


def test_probabilities_and_weights_by_hand(make_ledger):
    # Five of ten are drawn; the mean norm is .58, so x is 0.8 NORM / .58 + .2, whose sum is 10; c is under 5 / 10 until
    # the last is capped.
    x = 0.8 * np.array(NORM) / 0.58 + 0.2
    c = 0.5
    while c * x.max() > 1 and (c_next := (5 - (c * x >= 1).sum()) / x[c * x < 1].sum()) > c:
        c = c_next
    p = np.minimum(1, c * x)
    weight = drawn_by(Importance(0.55), ledger_of(make_ledger))
    chosen = weight > 0
    assert chosen.sum() == 5
    assert chosen[p >= 1].all()
    expected = p[chosen] ** -0.5
    np.testing.assert_allclose(weight[chosen], expected / expected.mean(), rtol=1e-5)
    raw = drawn_by(Importance(0.55, weights="raw", correction=1.0), ledger_of(make_ledger))
    np.testing.assert_allclose(raw[chosen], 1 / p[chosen], rtol=1e-5)


@pytest.mark.parametrize("correction", [0.0, 0.5, 1.0])
@given(seed=st.integers(0, 10**6))
def test_weights_have_a_mean_of_one(make_ledger, correction, seed):
    norms = np.random.default_rng(seed).gamma(0.5, size=40)
    weight = drawn_by(Importance(0.3, correction=correction), ledger_of(make_ledger, gradient_norm=norms), seed=seed)
    assert weight[weight > 0].mean() == pytest.approx(1, rel=1e-5)


def test_fully_corrected_raw_weights_expect_the_sum_over_everything(make_ledger):
    selector, ledger = Importance(0.5, weights="raw", correction=1.0), ledger_of(make_ledger)
    totals = [(drawn_by(selector, ledger, seed=s) * np.array(NORM)).sum() for s in range(1500)]
    # Sampling by Pareto is by p to order 1 / k, which is 4 here.
    assert np.mean(totals) == pytest.approx(sum(NORM), rel=0.03)


def test_a_floor_of_one_is_a_uniform_draw(make_ledger):
    counts = sum(drawn_by(Importance(0.5, floor=1.0), ledger_of(make_ledger), seed=s) > 0 for s in range(400))
    assert (abs(counts / 400 - 4 / 9) < 0.1).all()
    weight = drawn_by(Importance(0.5, floor=1.0), ledger_of(make_ledger))
    assert set(weight.tolist()) <= {0.0, 1.0}


def test_rare_classes_weigh_more_and_so_do_their_gradients(make_ledger):
    """Of gradients that are all alike, eight rows of one class and two of another, by the root of 1 / 8 and 1 / 2."""
    target = np.array([0] * 8 + [1] * 2)
    ledger = make_ledger(
        10, 2, target=target, gradient_norm=np.full(10, 0.5), loss=np.full(10, 0.5), seen=np.ones(10), drawn=np.ones(10),
        margin=np.full(10, -0.5), margin_mean=np.full(10, -0.5),
    )  # fmt: skip
    of_class = np.array([8**-0.5] * 8 + [2**-0.5] * 2)
    selector = Importance(0.5, floor=0.0, class_weights="square-root")
    drawn = np.mean([drawn_by(selector, ledger, seed=s) > 0 for s in range(800)], axis=0)
    share = round(10 * selector.share) * of_class / of_class.sum()
    np.testing.assert_allclose(drawn, share, atol=0.07)
    weight = drawn_by(selector, ledger)
    expected = (of_class * share**-0.5)[weight > 0]
    np.testing.assert_allclose(weight[weight > 0], expected / expected.mean(), rtol=1e-5)
    # The first epoch is as of ``short``: everything, so weighed.
    first = drawn_by(Importance(0.5, class_weights="square-root"), make_ledger(10, 2, target=target), 0)
    np.testing.assert_allclose(first, of_class / of_class.mean(), rtol=1e-5)
    assert selector.classes
    assert not Importance(0.5).classes


def test_of_numbers_the_signal_is_the_error_and_of_tokens_what_the_mean_one_lacks(make_ledger):
    numbers, tokens = make_ledger(2, 1), make_ledger(2, 3)
    error = np.array([[0.5], [-2.0]], np.float32)
    at, zero = np.arange(2), np.zeros(2, np.float32)
    seen = OBJECTIVES["number"].see(torch.from_numpy(error), torch.from_numpy(zero), norm=False)
    numbers.write(Evidence(torch.from_numpy(at), torch.from_numpy(zero), seen.loss, seen.output, False, OBJECTIVES["number"]))
    assert signal_of(numbers).tolist() == [1, 4]
    log_p = torch.log(torch.tensor([[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]]))
    tokens.write(Evidence(torch.from_numpy(at), torch.zeros(2, 4), -log_p.mean(1), log_p, False, OBJECTIVES["tokens"]))
    np.testing.assert_allclose(signal_of(tokens), [0.5, 0.75], rtol=1e-6)
    assert (drawn_by(Importance(0.6), numbers) > 0).any()


#: Of the surer half one in five is contradicted: k is round(.18 * 10).
NOISY = {"margin": [-0.9, -0.8, -0.9, -0.8, 0.9, -0.1, -0.1, 0.1, -0.1, -0.1], "loss": [0.05] * 4 + [3.0] + [0.75] * 5}


def test_the_guard_leaves_out_what_is_probably_wrong(make_ledger):
    ledger, selector = ledger_of(make_ledger, **NOISY), Importance(0.9)
    once = sum(drawn_by(selector, ledger, index=1, seed=s) > 0 for s in range(50))
    assert selector.noise == pytest.approx(0.2)
    assert once[4] > 0  # at first it is drawn as seldom as any
    later = sum(drawn_by(selector, ledger, index=2, seed=s) > 0 for s in range(50))
    assert later[4] == later[7] == 0
    assert (later[[0, 1, 2, 3, 5, 6, 8, 9]] > 0).all()
    assert drawn_by(Importance(0.9, noise_guard=False), ledger, index=2)[4] > 0


def test_the_estimate_may_fall_while_it_settles_and_only_rise_after(make_ledger):
    selector, noisy, clean = Importance(0.9), ledger_of(make_ledger, **NOISY), ledger_of(make_ledger)
    found = []
    for index, ledger in ((1, noisy), (2, clean), (3, noisy), (4, clean)):
        drawn_by(selector, ledger, index)
        found.append(selector.noise)
    assert found == pytest.approx([0.2, 0, 0.2, 0.2])


@pytest.mark.parametrize("slope", [-1.0, -0.4, 0.0, 0.7, 1.0])
@pytest.mark.parametrize("last_full", [False, True])
def test_shares_by_epoch_spend_the_budget(make_training, slope, last_full):
    selector = Importance(0.5, slope=slope, last_full=last_full, first=0.8, noise_guard=False)
    training = make_training(selector, epochs=6)
    trained = [m.trained for m in training.until() if isinstance(m, EpochRecord)]
    assert trained[0] == 48
    assert sum(trained) == pytest.approx(0.5 * 6 * 60, abs=1)
    later = np.diff(trained[1 : 5 if last_full else 6])
    assert (np.sign(slope) * later >= -1).all()
    assert trained[-1] == 60 or not last_full
    assert selector.planned_cost(6, 0) == pytest.approx(3.0)


def test_auto_draws_by_the_effective_sample_size_and_says_so(make_ledger):
    selector = Importance("auto", effective=1.5)
    weight = drawn_by(selector, ledger_of(make_ledger))
    size = sum(NORM) ** 2 / (10 * np.square(NORM).sum())
    assert selector.sample_size == pytest.approx(size, rel=1e-5)
    assert (weight > 0).sum() == min(10, round(15 * size))
    assert not selector.cost_known
    (said,) = selector.events()
    assert "epoch 2 draws" in said
    assert f"{size:.3f}" in said
    assert selector.events() == []


def test_where_all_gradients_are_alike_auto_draws_everything_and_says_that_it_does_not_pay(make_ledger):
    selector = Importance("auto")
    weight = drawn_by(selector, ledger_of(make_ledger, gradient_norm=np.full(10, 0.7)))
    assert weight.tolist() == [1] * 10
    assert "use the short schedule" in selector.events()[0]


def test_auto_stays_within_its_bounds(make_ledger):
    few = [0.0] * 9 + [1.0]
    assert (drawn_by(Importance("auto", least=0.3), ledger_of(make_ledger, gradient_norm=few)) > 0).sum() == 3
    alike = ledger_of(make_ledger, gradient_norm=np.full(10, 0.7))
    assert (drawn_by(Importance("auto", most=0.6), alike) > 0).sum() == 6


def test_a_batch_is_half_as_large_and_a_control_may_have_the_same(make_training):
    assert [training_steps(make_training, s) for s in (Selector(), Importance(1.0), Uniform(1.0))] == [8, 15, 8]
    halved = Uniform(0.5)
    halved.batch = "drawn"
    # Half of 60 by batches of 8 * sqrt(.5).
    assert training_steps(make_training, halved) == 5


def training_steps(make_training, selector):
    return next(m.steps for m in make_training(selector, epochs=3).until() if isinstance(m, EpochRecord))


@pytest.mark.parametrize(
    ("arguments", "epochs", "warm_up", "text"),
    [
        ({"budget": 0.1}, 10, 0, "budget must be above the share of the first epoch, 0.1 of 10 epochs, got 0.1; .* 0.11"),
        ({"budget": 0.15, "last_full": True}, 10, 0, "the first and the last epoch, 0.2 .* works is 0.21"),
        ({"budget": 0.3}, 10, 3, "0.3 of 10"),
        ({"budget": 0.9}, 2, 0, "noise_guard must be false for a run of under 3 epochs"),
    ],
)
def test_what_the_run_does_not_allow(arguments, epochs, warm_up, text):
    with pytest.raises(ValueError, match=text):
        Importance(**arguments).check(epochs, warm_up)
    Importance(0.11).check(10, 0)
    Importance(0.9, noise_guard=False).check(2, 0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"budget": 1.2}, "budget .* works is 1.0"),
        ({"floor": -0.1}, "floor must be in .0, 1., got -0.1; the nearest that works is 0.0"),
        ({"correction": 2}, "correction .* works is 1.0"),
        ({"slope": 1.5}, "slope must be in .-1, 1., got 1.5; the nearest that works is 1"),
        ({"signal": "norm"}, "signal must be one of gradient-norm"),
        ({"weights": "none"}, "weights must be one of mean, raw"),
        ({"first": 0}, "first"),
        ({"effective": 0}, "effective"),
        ({"least": 0.5, "most": 0.4}, "most must be at least the value of least, 0.5, got 0.4; the nearest that works is 0.5"),
    ],
)
def test_bounds(arguments, text):
    with pytest.raises(ValueError, match=text):
        Importance(**arguments)
