import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.rng import stream
from components.selection.draw.uniform import Uniform, blind
from components.selection.selector import Epoch

N = 50


def draws(selector, make_ledger, seeds):
    return [selector.draw(Epoch(e, 5), make_ledger(N), stream(seed, "draw", e)) for e, seed in enumerate(seeds)]


@pytest.mark.parametrize(("fraction", "kept"), [(0.3, 15), (0.31, 16), (0.309, 15), (1.0, 50), (0.0001, 1)])
def test_blind_gives_the_rounded_fraction_weight_one(fraction, kept):
    weight = blind(N, fraction, np.random.default_rng(0))
    assert weight.dtype == np.float32
    assert sorted(set(weight.tolist())) == ([0, 1] if kept < N else [1])
    assert weight.sum() == kept


def test_blind_favours_no_place():
    draws = 2000
    share = np.mean([blind(10, 0.3, np.random.default_rng(seed)) for seed in range(draws)], axis=0)
    assert (abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / draws)).all()


def test_fresh_draws_anew_and_fixed_keeps_its_draw(make_ledger):
    fresh = draws(Uniform(0.3), make_ledger, [0, 0, 0])
    fixed = draws(Uniform(0.3, fresh=False), make_ledger, [0, 1, 2])
    assert all((fresh[0] != other).any() for other in fresh[1:])
    assert all((fixed[0] == other).all() for other in fixed[1:])
    assert fresh[0].sum() == fixed[0].sum() == 15


def test_the_fixed_draw_depends_on_its_own_seed(make_ledger):
    one, other = (draws(Uniform(0.3, fresh=False, seed=s), make_ledger, [0])[0] for s in (0, 1))
    assert (one != other).any()


def test_the_control_takes_the_cost_it_is_given():
    arguments = Uniform.at_cost(4.4, epochs=10, warm_up=2)
    assert arguments == {"fraction": 0.3}
    assert Uniform(**arguments).planned_cost(10, 2) == pytest.approx(4.4)
    assert Uniform.at_cost(12, epochs=10, warm_up=0) == {"fraction": 1.0}


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_fraction_out_of_bounds_is_refused(fraction):
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\], got .*; the nearest that works is"):
        Uniform(fraction)


@pytest.mark.parametrize("slope", [-1.0, -0.5, 0.0, 0.3, 1.0])
def test_a_slope_changes_the_epochs_and_not_the_cost(make_training, slope):
    training = make_training(Uniform(0.4, slope=slope), epochs=5)
    trained = [m.trained for m in training.until() if isinstance(m, EpochRecord)]
    expected = [round(60 * 0.4 * (1 + slope * (2 * i - 4) / 5)) for i in range(5)]
    assert trained == expected
    assert sum(trained) == 120


def test_a_slope_that_needs_more_than_everything_is_refused():
    with pytest.raises(
        ValueError, match=r"slope must keep .*, got 1 with fraction 0.7, which reaches 1.26; the nearest that works is 0.53"
    ):
        Uniform(0.7, slope=1.0).check(5, 0)
    Uniform(0.7, slope=0.53).check(5, 0)
    with pytest.raises(ValueError, match=r"the nearest that works is -0.53"):
        Uniform(0.7, slope=-1.0).check(5, 0)
