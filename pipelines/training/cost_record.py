"""Cost record of a training, from what it counted and metered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from components.costs.clock import Lap
from pipelines.costs.energy_meter import machine
from pipelines.costs.records import CostRecord, EpochEnd, ExampleCounts, ValidationSpent
from pipelines.costs.records import Lap as LapRecord

if TYPE_CHECKING:
    from components.engine.training import Training
    from components.epoch_records import EpochRecord
    from pipelines.costs.energy_meter import EnergyMeter

#: The lap of judging while training, which is charged apart.
VALIDATE = "validate"


def cost_record(training: Training, records: Sequence[EpochRecord], ends: list[EpochEnd], meter: EnergyMeter) -> CostRecord:
    """Return the cost of ``training``, of its epochs' ``records``; validation is a part of its own."""
    ledger, laps = training.ledger, dict(training.clock.laps)
    counts = {n: int(ledger.column(n).sum(dtype=np.int64)) for n in ("drawn", "looked", "trained")}
    judging, energy = laps.pop(VALIDATE, None), meter.record()
    cost = CostRecord(
        counts=ExampleCounts(examples=len(ledger), steps=training.position.steps, kept=sum(r.kept for r in records), **counts),
        laps={name: LapRecord(**vars(lap)) for name, lap in laps.items()},
        ends=ends,
        energy=energy,
        machine=machine(),
    )
    if judging is None:
        return cost
    return cost.model_copy(update={"validation": _validation(judging, meter.apart_kwh, energy.intensity_kg_per_kwh)})


def _validation(lap: Lap, kwh: float, intensity: float) -> ValidationSpent:
    return ValidationSpent(
        evaluations=lap.times,
        examples=lap.examples,
        cpu_seconds=lap.cpu_seconds,
        wall_seconds=lap.wall_seconds,
        kwh=kwh,
        co2e_kg=kwh * intensity,
    )
