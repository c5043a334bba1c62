"""A position is saved as numbers and tensors and comes back; a plan is fixed."""

import pytest

from components.run_position import Plan, Position


def test_the_position_goes_through_numbers_and_tensors(make_training):
    training = make_training(epochs=2)
    moments = training.until()
    for _ in range(3):
        next(moments)
    position = Position.of(*training.settled().record())
    assert position.rows.index.tolist() == training.position.rows.index.tolist()
    assert (position.epoch, position.drawn, position.steps) == (0, 24, 3)
    assert position.tally == training.position.tally


def test_before_an_epoch_no_rows_are_drawn(make_training):
    training = make_training(epochs=2)
    assert Position.of(*training.settled().record()).rows is None


def test_a_plan_is_fixed():
    with pytest.raises(AttributeError):
        Plan(1, 8, 8, 8, 0).seed = 1
