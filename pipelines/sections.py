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

from pipelines.errors import unknown

#: Names become folders, DVC stages and tags: nothing in them may mean anything to a shell or to a path.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Share = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["fp32", "bf16", "fp16"]


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, with the nearest known one, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

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
    """An optimizer by name; what it does not know is refused when it is built, before the first step."""

    name: Literal["sgd", "adam", "adamw"]
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat = 0.0
    momentum: Share | None = None


class Schedule(Section):
    """Ramp, hold and decay, in epochs; the hold is as long as the longest warm-up of the comparison, or longer."""

    name: Literal["linear", "cosine", "constant"]
    ramp: NonNegativeFloat
    hold: NonNegativeFloat


class Training(Section):
    """What every method shares; ``look_size`` and ``eval_size`` are batches without gradients."""

    epochs: PositiveInt
    batch_size: PositiveInt
    look_size: PositiveInt
    optimizer: Optimizer
    schedule: Schedule
    clip_norm: PositiveFloat | None = None
    precision: Precision = "fp32"
    look_precision: Precision | None = None
    compile: bool = False
    threads: PositiveInt


class WarmUp(Section):
    """Epochs over everything before anything is selected; ``scores_in`` eval looks again after each of them."""

    epochs: NonNegativeFloat
    scores_in: Literal["train", "eval"] = "train"

    @model_validator(mode="after")
    def _looks_after_epochs(self) -> WarmUp:
        if self.scores_in == "eval" and self.epochs % 1:
            nearest = max(1, round(self.epochs))
            raise ValueError(
                f"epochs: must be whole with scores_in: eval, which looks after each, got {self.epochs}; "
                f"the nearest that works is {nearest}"
            )
        return self


class Energy(Section):
    """Where the electricity comes from, and the watts of the paper's model."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    cpu_watts: PositiveFloat
    memory_watts: NonNegativeFloat
    gpu_watts: NonNegativeFloat
    gpus: NonNegativeInt
