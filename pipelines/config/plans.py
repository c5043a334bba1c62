"""Plan records: the content of each file of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, JsonValue

from pipelines.config.schema.model import Model, Untrained
from pipelines.config.schema.sections import Energy
from pipelines.config.schema.source import ModelSource
from pipelines.config.schema.task_fields import DataKeys
from pipelines.config.schema.training import Training
from pipelines.config.schema.warm_up import WarmUp
from pipelines.core.records import Number, Record, Stored


class TaskPlan(DataKeys, Stored):
    """Dependencies of ``prepare``: the task without its model and training.

    ``tokenizer`` is the source of the task's model, whose tokenizer prepares texts, or whose image processor has the size of
    images; None if it has none, or the task has an ``image_size``. With ``while_training`` the ``validation`` part is a split
    of its own beside the test split. ``listener`` is an untrained model of transcripts: it sets for how many of a sound's
    moments there is a token.
    """

    name: str
    seed: int
    tokenizer: ModelSource | None = None
    while_training: bool = False
    listener: Untrained | None = Field(default=None, exclude_if=lambda value: value is None)


class TrainingPlan(Record):
    """Settings that all trainings share: the task's model and training, and the seed."""

    model: Model
    training: Training
    seed: int


class Member(Record):
    """A selection method of a plan: class, arguments, and factors of learning rate and batch size.

    ``guard``: whether it is watched, and replaced by random choice while it unlearns.
    """

    method: str
    arguments: dict[str, JsonValue]
    factors: dict[str, Number | str] = Field(default_factory=dict)
    guard: bool = True

    def block(self) -> dict[str, JsonValue]:
        """Return the arguments, factors and guard as a block of params.yaml."""
        return {**self.arguments, **self.factors} | ({} if self.guard else {"guard": False})


class MethodPlan(Record):
    """Dependencies of a method's subset and training; a stack of methods has several ``members``.

    ``length`` is in epochs; ``planned_cost`` in epochs over all examples, warm-up included, and exact if ``cost_known``.
    """

    name: str
    warm_up: str
    members: list[Member]
    length: Number
    planned_cost: float
    cost_known: bool
    seed: int


class WarmUpPlan(WarmUp, Stored):
    """A warm-up; it is ``needed`` if any method, or the diagnosis, starts from it."""

    needed: bool


class ComparisonPlan(Record):
    """The methods to compare, the settings of their account, and the score whose cost is asked for."""

    task: str
    methods: list[str]
    agot_epsilon: float
    energy: Energy
    time_to: float | None = None


class DiagnosisPlan(Record):
    """The warm-up whose scores a diagnosis reads, the epochs of the task's training, and whether it weighs classes."""

    warm_up: str
    epochs: int
    weighed: bool = False


class PlanSource(Record):
    """The digest of the part of params.yaml that the plan was made from."""

    params: str


@dataclass(frozen=True)
class Plans:
    """All files of a plan; warm-ups and methods by name."""

    task: TaskPlan
    training: TrainingPlan
    comparison: ComparisonPlan
    source: PlanSource
    diagnosis: DiagnosisPlan
    warm_ups: dict[str, WarmUpPlan]
    methods: dict[str, MethodPlan]

    def files(self) -> Iterator[tuple[Path, Stored]]:
        """Yield each file's path below the folder of plans, and its record."""
        for name in ("task", "training", "comparison", "source", "diagnosis"):
            yield Path(f"{name}.json"), getattr(self, name)
        for kind, records in (("warm_ups", self.warm_ups), ("methods", self.methods)):
            for name, record in records.items():
                yield Path(kind, f"{name}.json"), record
