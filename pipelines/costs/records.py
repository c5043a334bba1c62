"""Cost records of a run's stages, and their sums."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from components.costs.clock import Clock
from pipelines.config.plans import MethodPlan, WarmUpPlan
from pipelines.core.artifacts import HERE, cost_of, plan_of
from pipelines.core.records import Number, Record

#: The stages whose cost a method is charged with, each in full, even if shared with other methods.
CHARGED = ("warm_up", "subset", "train")
Label = Literal["measured", "estimated"]


class Lap(Record):
    """Cost of one kind of work: repetitions, examples, wall seconds, and CPU seconds of all threads."""

    times: int
    examples: int
    wall_seconds: float
    cpu_seconds: float


class Seconds(Record):
    """Seconds of a stage's outermost lap."""

    cpu_seconds: float
    wall_seconds: float


class ExampleCounts(Record):
    """Counts of examples drawn, looked at, kept and trained on, out of ``examples``; and of steps."""

    examples: int
    drawn: int
    looked: int
    kept: int
    trained: int
    steps: int


class EpochEnd(Record):
    """Cumulated cost of a stage at an epoch's end."""

    epoch: int
    cpu_seconds: float
    kwh: float


class EnergySpent(Record):
    """Energy and emissions of a stage with their sources, by part: ``cpu``, ``gpu`` and ``memory``.

    ``label`` is that of the CPU; ``load`` is the machine's mean load, None before the first window ends.
    """

    label: Label
    labels: dict[str, Label]
    reason: str
    kwh: float
    kwh_by_part: dict[str, float]
    co2e_kg: float
    method: str
    intensity_kg_per_kwh: float
    country: str
    cpu_watts_last: Number | None
    cpu_design_watts: Number | None
    memory_watts: Number
    load: float | None = None
    cpu_model: str | None
    gpu_model: str | None

    def by_label(self, label: Label) -> float:
        """Return the ``measured`` or the ``estimated`` kWh."""
        return sum(kwh for part, kwh in self.kwh_by_part.items() if self.labels[part] == label)


class ValidationSpent(Record):
    """Cost of judging a model while it trains, charged to no method: examples forwarded, seconds, energy and emissions."""

    evaluations: int
    examples: int
    cpu_seconds: float
    wall_seconds: float
    kwh: float
    co2e_kg: float

    @classmethod
    def total(cls, stages: list[ValidationSpent]) -> ValidationSpent:
        """Return the sum over ``stages``."""
        return cls(**{key: sum(getattr(stage, key) for stage in stages) for key in cls.model_fields})


class Machine(Record):
    """Hardware and software that timings depend on."""

    platform: str
    processor: str
    cores: int | None
    threads: int
    device: str
    python: str
    torch: str


class CostRecord(Record):
    """Cost of a stage: laps by name; for trainings also counts, and energy if metered.

    ``validation`` is of judging the model while it trained, and in no other number here.
    """

    laps: dict[str, Lap]
    counts: ExampleCounts | None = None
    ends: list[EpochEnd] = Field(default_factory=list)
    start_up_seconds: float | None = None
    energy: EnergySpent | None = None
    machine: Machine | None = None
    ranks: int = 1
    validation: ValidationSpent | None = None

    @classmethod
    def of_stage(cls, stage: str, name: str = "", root: Path = HERE) -> CostRecord:
        """Return the cost record of a stage that has run in the folder ``root``.

        Raises:
            UserError: if there is none.
        """
        return cls.read(root / cost_of(stage, name))

    @classmethod
    def timed(cls, clock: Clock) -> CostRecord:
        """Return the record of a stage with times only."""
        return cls.of({"laps": clock.record()})

    @property
    def outermost(self) -> Seconds:
        """Seconds of the outermost lap: "train" or the first one; zeros without laps."""
        lap = self.laps.get("train") or next(iter(self.laps.values()), None)
        return Seconds(cpu_seconds=lap.cpu_seconds if lap else 0.0, wall_seconds=lap.wall_seconds if lap else 0.0)

    @property
    def counted(self) -> ExampleCounts:
        """The counts of a training."""
        assert self.counts is not None, "the record of a training"
        return self.counts

    @property
    def metered(self) -> EnergySpent:
        """The energy of a training."""
        assert self.energy is not None, "the record of a training"
        return self.energy


class StageSpent(Record):
    """Seconds and, if metered, energy of a charged stage, or of all of them."""

    cpu_seconds: float
    wall_seconds: float
    kwh: float
    co2e_kg: float
    measured_kwh: Number
    estimated_kwh: Number

    @classmethod
    def of_cost(cls, cost: CostRecord) -> StageSpent:
        """Return the sums of a stage's cost record."""
        energy = cost.energy
        return cls(
            cpu_seconds=cost.outermost.cpu_seconds,
            wall_seconds=cost.outermost.wall_seconds,
            kwh=energy.kwh if energy else 0.0,
            co2e_kg=energy.co2e_kg if energy else 0.0,
            measured_kwh=energy.by_label("measured") if energy else 0,
            estimated_kwh=energy.by_label("estimated") if energy else 0,
        )

    @classmethod
    def total(cls, stages: list[StageSpent]) -> StageSpent:
        """Return the sum over ``stages``."""
        return cls(**{key: sum(getattr(stage, key) for stage in stages) for key in cls.model_fields})


class SelectionSpent(Record):
    """CPU seconds of selecting the subset, and of the doors during training."""

    cpu_seconds: float


class Spent(Record):
    """Cost charged to a method, by stage and in total; ``selection`` is a part of the total."""

    warm_up: StageSpent
    subset: StageSpent
    train: StageSpent
    selection: SelectionSpent
    total: StageSpent


def spent(name: str, root: Path = HERE) -> Spent:
    """Return the cost of each charged stage of the method ``name``, and their total."""
    warm_up = MethodPlan.read(root / plan_of("methods", name)).warm_up
    costs = {stage: CostRecord.of_stage(stage, warm_up if stage == "warm_up" else name, root) for stage in CHARGED}
    stages = {stage: StageSpent.of_cost(cost) for stage, cost in costs.items()}
    select = costs["train"].laps.get("select")
    selecting = stages["subset"].cpu_seconds + (select.cpu_seconds if select else 0.0)
    return Spent(**stages, selection=SelectionSpent(cpu_seconds=selecting), total=StageSpent.total(list(stages.values())))


def counts_of(name: str, train: ExampleCounts, root: Path = HERE) -> dict[str, int]:
    """Return a method's looked, kept and trained counts, its warm-up included; a holdout's own warm-up is added."""
    warm_up = MethodPlan.read(root / plan_of("methods", name)).warm_up
    apart = WarmUpPlan.read(root / plan_of("warm_ups", warm_up)).holdout
    other = CostRecord.of_stage("warm_up", warm_up, root).counted if apart else None
    return {k: getattr(train, k) + (getattr(other, k) if other else 0) for k in ("looked", "kept", "trained")}


def validated(name: str, root: Path = HERE) -> ValidationSpent | None:
    """Return what judging the method ``name`` while it trained cost, its warm-up included; None if it was not judged."""
    warm_up = MethodPlan.read(root / plan_of("methods", name)).warm_up
    stages = [CostRecord.of_stage("warm_up", warm_up, root), CostRecord.of_stage("train", name, root)]
    found = [cost.validation for cost in stages if cost.validation is not None]
    return ValidationSpent.total(found) if found else None
