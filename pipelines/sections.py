"""Sections of params.yaml: what a section is, and those that every task shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from components.selection.selector import LOOK_SHARE
from pipelines.errors import unknown

#: Names become folders, DVC stages and tags: nothing in them may mean anything to a shell or to a path.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
#: As wide as the narrowest random generator takes it.
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["fp32", "bf16", "fp16"]


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, with the nearest known one, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
        if isinstance(value, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in value:
                if key not in known:
                    raise ValueError(unknown(f"'{key}'", "key", str(key), known))
        return value


class Optimizer(Section):
    """An optimizer by name."""

    name: Literal["sgd", "adam", "adamw"]
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat = 0.0
    momentum: Share | None = None

    @model_validator(mode="after")
    def _momentum_fits(self) -> Optimizer:
        if self.momentum is not None and self.name != "sgd":
            raise ValueError(f"momentum: {self.name!r} has none, got {self.momentum}; only sgd takes it")
        return self


class Schedule(Section):
    """Ramp, hold and decay, in epochs; the hold is as long as the longest warm-up of the comparison, or longer."""

    name: Literal["linear", "cosine", "constant"]
    ramp: NonNegativeFloat
    hold: NonNegativeFloat


class Training(Section):
    """What every method shares.

    ``look_size`` examples are looked at, ``look_batch`` in a forward pass, before door 3 chooses among them; without
    ``refill``, what it keeps of one look is trained at once, in a smaller batch. With ``keep_frozen`` the frozen layers'
    forward pass is taken once an example, before the first step.
    """

    epochs: PositiveInt
    batch_size: PositiveInt
    look_size: PositiveInt | None = None
    look_batch: PositiveInt | None = None
    refill: bool = True
    optimizer: Optimizer
    schedule: Schedule
    clip_norm: PositiveFloat | None = None
    precision: Precision = "fp32"
    look_precision: Precision | None = None
    compile: bool = False
    keep_frozen: bool = False
    threads: PositiveInt


class WarmUp(Section):
    """Epochs over everything before anything is selected; ``scores_in`` eval looks again after each of them.

    With ``holdout`` they are epochs of that fraction alone, by a model of its own, which then looks at everything.
    """

    epochs: NonNegativeFloat
    scores_in: Literal["train", "eval"] = "train"
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None

    @property
    def begun(self) -> float:
        """How many epochs of a method's own training it has done."""
        return 0.0 if self.holdout else self.epochs

    @property
    def extra(self) -> float:
        """What it costs beside those, in epochs over everything."""
        if self.holdout:
            return self.holdout * self.epochs + LOOK_SHARE
        return self.epochs * LOOK_SHARE if self.scores_in == "eval" else 0.0

    @model_validator(mode="after")
    def _looks_after_epochs(self) -> WarmUp:
        by_looks = "holdout" if self.holdout else "scores_in: eval"
        if (self.holdout or self.scores_in == "eval") and (self.epochs % 1 or (self.holdout and not self.epochs)):
            raise ValueError(
                f"epochs: must be whole with {by_looks}, which looks after them, got {self.epochs}; "
                f"the nearest that works is {max(1, round(self.epochs))}"
            )
        return self


class Study(Section):
    """A grid: every method, with the warm-up that it starts from, at every fraction, with every seed."""

    methods: dict[Name, Name]
    fractions: list[Annotated[float, Field(gt=0, le=1)]]
    seeds: list[Seed]

    @model_validator(mode="after")
    def _some_and_each_once(self) -> Study:
        for key, least in (("methods", "'swiftlearn: two-epochs'"), ("fractions", "[0.3]"), ("seeds", "[0]")):
            values = list(getattr(self, key))
            if not values:
                raise ValueError(f"{key}: must name one or more, got none; the least that can be run is {least}")
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{key}: each must be there once, got {value!r} {values.count(value)} times")
        return self


class Energy(Section):
    """Where the electricity comes from, and the watts of the paper's model."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    cpu_watts: PositiveFloat
    memory_watts: NonNegativeFloat
    gpu_watts: NonNegativeFloat
    gpus: NonNegativeInt
