"""The base of methods: open doors, batch sizes, costs and bounds of arguments."""

import numpy as np
import pytest

from components.selection.selector import (
    Epoch,
    Selector,
    check_at_least,
    check_choice,
    check_finite,
    check_fraction,
    epochs_spent,
)


def test_what_was_spent_is_steps_and_a_third_of_looks():
    assert epochs_spent(looked=90, trained=120, examples=60) == pytest.approx(2.5)


def test_open_doors_let_everything_pass_at_its_own_weight(make_ledger, make_evidence, make_rows, make_images):
    selector, rng = Selector(), np.random.default_rng(0)
    assert selector.draw(Epoch(0, 5), make_ledger(3), rng).tolist() == [1] * 3
    assert selector.admit(make_rows(range(4)), make_images(), rng).tolist() == [1] * 4
    assert selector.keep(make_evidence([0, 1], [[1, 0], [0, 1]], [0, 0]), rng).tolist() == [1] * 2
    assert selector.select({"id": np.arange(5)}, rng).weight.tolist() == [1] * 5
    assert (selector.look(Epoch(0, 5)), selector.planned_cost(5, 2)) == (None, 5)
    with pytest.raises(ValueError, match="only 'uniform' and 'short' can take the cost"):
        Selector.at_cost(2.0, 5, 0)


@pytest.mark.parametrize(("batch", "share", "size"), [(1.0, 0.25, 32), (2.0, 0.25, 64), ("drawn", 0.25, 16), (0.01, 1.0, 1)])
def test_a_batch_by_a_factor_or_by_the_root_of_the_share_that_is_drawn(batch, share, size):
    selector = Selector()
    selector.batch = batch
    assert selector.batch_of(32, share) == size


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (lambda: check_fraction("f", 1.5), r"^f must be in \(0, 1\], got 1.5; the nearest that works is 1.0$"),
        (lambda: check_fraction("f", 0), r"^f must be in \(0, 1\], got 0; the nearest that works is 0.01$"),
        (lambda: check_fraction("f", float("nan")), r"^f must be in \(0, 1\], got nan"),
        (lambda: check_at_least("k", 0, 1), "^k must be at least 1, got 0; the nearest that works is 1$"),
        (lambda: check_at_least("k", float("nan"), 1), "^k must be at least 1, got nan"),
        (lambda: check_finite("b", float("inf")), "^b must be a finite number, got inf; one that works: 0.5$"),
        (lambda: check_choice("c", "tops", ("top", "sample")), "^c must be one of top, sample, got 'tops'$"),
    ],
)
def test_bounds_are_said_with_the_nearest_that_works(check, said):
    with pytest.raises(ValueError, match=said):
        check()


def test_what_is_on_a_bound_passes():
    assert [check_fraction("f", 1.0), check_at_least("k", 1, 1), check_finite("b", -2.0)] == [1.0, 1, -2.0]
    assert check_choice("c", "top", ("top", "sample")) == "top"
