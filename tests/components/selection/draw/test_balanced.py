import numpy as np
import pytest

from components.rng import stream
from components.selection.draw.balanced import Balanced
from components.selection.selector import Epoch

TARGET = np.repeat([0, 1, 2], [60, 16, 4])


def weights(make_ledger, selector, seed=0, index=1, **columns):
    ledger = make_ledger(len(TARGET), 3, target=TARGET, **columns)
    return selector.draw(Epoch(index, 5), ledger, stream(seed, "draw", index))


@pytest.mark.parametrize(
    ("budget", "expected"), [("proportional", [30, 8, 2]), ("square-root", [24, 12, 4]), ("equal", [20, 16, 4])]
)
def test_each_class_has_its_budget(make_ledger, budget, expected):
    weight = weights(make_ledger, Balanced(0.5, budget))
    assert np.bincount(TARGET[weight > 0]).tolist() == expected
    assert set(weight.tolist()) == {0.0, 1.0}


def test_every_epoch_draws_others(make_ledger):
    one, other = (weights(make_ledger, Balanced(0.5), index=i) for i in (1, 2))
    assert (one != other).any()
    assert (one[-4:] == 1).all()


def test_inside_a_class_by_importance(make_ledger):
    norm = np.where(np.arange(80) % 2, 0.9, 0.1)
    seen = {"seen": np.ones(80), "gradient_norm": norm}
    drawn = sum(weights(make_ledger, Balanced(0.25, "equal", "importance"), seed=s, **seen) > 0 for s in range(300)) / 300
    # Of 60 and 16 rows 8 each, sizes being 0.36 and 1.64 of the mean: p is 8 / 60 and 8 / 16 times that.
    assert drawn[:60:2].mean() == pytest.approx(0.36 * 8 / 60, abs=0.02)
    assert drawn[1:60:2].mean() == pytest.approx(1.64 * 8 / 60, abs=0.02)
    assert drawn[61:76:2].mean() == pytest.approx(1.64 * 8 / 16, abs=0.02)
    weight = weights(make_ledger, Balanced(0.25, "equal", "importance"), **seen)
    for members in (slice(0, 60), slice(60, 76)):
        part = weight[members]
        assert part[part > 0].mean() == pytest.approx(1)
        assert part[part > 0].max() / part[part > 0].min() == pytest.approx((1.64 / 0.36) ** 0.5, rel=1e-3)


def test_before_anything_was_seen_the_draw_is_blind(make_ledger):
    weight = weights(make_ledger, Balanced(0.5, "equal", "importance"), index=0)
    assert set(weight.tolist()) == {0.0, 1.0}


def test_a_class_of_one_row_is_refused_by_name_or_kept():
    rows = {"a": 5, "b": 1, "c": 9, "d": 1}
    with pytest.raises(ValueError, match=r"rare must be 'keep' .* got 'refuse' with 2 such classes of 4, the first 'b'"):
        Balanced(0.5).check_classes(rows)
    Balanced(0.5, rare="keep").check_classes(rows)
    Balanced(0.5, "proportional").check_classes(rows)
    Balanced(0.5).check_classes({"a": 5, "b": 2})


@pytest.mark.parametrize(
    ("arguments", "text"), [((1.2,), "fraction"), ((0.5, "even"), "budget must be one of"), ((0.5, "equal", "top"), "inside")]
)
def test_bounds(arguments, text):
    with pytest.raises(ValueError, match=text):
        Balanced(*arguments)
