"""The cost of a training is what it counted; judging it stands apart."""

from types import SimpleNamespace

import numpy as np
import pytest

from components.costs.clock import Clock
from pipelines.training.cost_record import VALIDATE, cost_record
from tests.pipelines import records


class Ledger:
    """Four examples, each seen twice."""

    def __len__(self):
        return 4

    def column(self, name):
        return np.full(4, 2 * (name != "looked"))


def recorded(*laps):
    clock = Clock()
    for name, examples in laps:
        with clock.lap(name, examples):
            pass
    training = SimpleNamespace(ledger=Ledger(), clock=clock, position=SimpleNamespace(steps=4))
    meter = SimpleNamespace(record=lambda: records.cost_record().metered, apart_kwh=0.5)
    return cost_record(training, [records.epoch_record(kept=3), records.epoch_record(kept=2)], [], meter)


def test_counts_are_of_the_ledger_the_records_and_the_position():
    cost = recorded(("train", 0))
    assert cost.counted.dumped() == {"examples": 4, "drawn": 8, "looked": 0, "kept": 5, "trained": 8, "steps": 4}
    assert "validation" not in cost.dumped()


def test_judging_is_in_no_lap_of_the_training():
    cost = recorded(("train", 0), (VALIDATE, 10), (VALIDATE, 10))
    assert set(cost.laps) == {"train"}
    assert (cost.validation.evaluations, cost.validation.examples, cost.validation.kwh) == (2, 20, 0.5)
    assert cost.validation.co2e_kg == pytest.approx(0.5 * 0.4)
    assert cost.metered.kwh == 0.003
