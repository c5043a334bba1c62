"""Training settings of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from pipelines.config.schema.augment import Transform
from pipelines.config.schema.sections import Section, Share
from pipelines.core.errors import unknown

Precision = Literal["fp32", "bf16", "fp16"]
#: Class weights by size, as methods have them (``gradient_sizes.CLASS_POWERS``).
BY_SIZE = ("balanced", "square-root")
#: Keys of validation while training, with the values that leave it out.
UNVALIDATED: dict[str, object] = {"evaluate_every": None, "keep": "last", "stop_after": None}


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
    """Learning rate schedule: ramp and hold in epochs, then decay; the hold covers the longest warm-up."""

    name: Literal["linear", "cosine", "constant"]
    ramp: NonNegativeFloat
    hold: NonNegativeFloat


class Training(Section):
    """Training settings that all methods share.

    With ``micro_batch`` a step forwards at most that many examples at a time, in each process, and adds up their gradients.
    With ``checkpoint_activations`` it keeps what enters each block of the model alone, and computes the rest again on its way
    back: the same step in less memory and more time.
    ``look_size`` examples are looked at, ``look_batch`` in a forward pass, before door 3 chooses among them; by default as
    many as the method wants. Without ``refill``, the examples kept of one look are trained at once, in a smaller batch.
    With ``keep_frozen`` the frozen layers' outputs are computed once per example, before the first step. With ``devices`` a
    training runs in that many processes of ``threads`` threads, each on its own GPU if there are any; ``batch_size`` is
    their total. Without ``deterministic`` a GPU may sum in any order: two runs then differ, and kernels without a
    deterministic version may be used. ``augment`` lists, in order, transforms of images in training steps; looks and
    evaluation are without them. Steps descend the cross-entropy with ``class_weights``, by the classes' sizes or by name
    (1 for others), and ``label_smoothing``, the share of the target that all classes have in equal parts; what selects
    examples, and evaluation, go by the plain one.

    Every ``evaluate_every`` epochs, and after the last, the model is judged on the task's ``validation`` part. ``keep: best``
    gives a method the weights of its best such epoch, and ``stop_after`` ends its training after that many evaluations
    without a better one.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: PositiveInt
    micro_batch: PositiveInt | None = None
    checkpoint_activations: bool = False
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
    deterministic: bool = True
    threads: PositiveInt
    devices: PositiveInt = 1
    augment: list[Transform] = Field(default_factory=list)
    class_weights: Literal["balanced", "square-root"] | dict[str, PositiveFloat] | None = None
    label_smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0

    @field_validator("class_weights", mode="before")
    @classmethod
    def _classes_by_name(cls, value: object) -> object:
        if isinstance(value, str):
            name = value.replace("_", "-")
            if name not in BY_SIZE:
                raise ValueError(unknown(repr(value), "class weights", value, BY_SIZE) + "; or a weight for each class by name")
            return name
        if isinstance(value, Mapping):
            if not value:
                raise ValueError("names no class; leave it out, or give a class by name a weight")
            return {str(name): weight for name, weight in value.items()}
        return value

    # Not written at their defaults, so that plans from before the keys existed are unchanged.
    evaluate_every: PositiveInt | None = Field(default=None, exclude_if=lambda value: value is None)
    keep: Literal["last", "best"] = Field(default="last", exclude_if=lambda value: value == "last")
    stop_after: PositiveInt | None = Field(default=None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _something_is_evaluated(self) -> Training:
        every = self.evaluate_every
        if every is None and self.keep == "best":
            raise ValueError("keep: 'best' needs evaluations to choose by; set evaluate_every: 1, or the nearest, 'last'")
        if every is None and self.stop_after is not None:
            raise ValueError(
                f"stop_after: counts evaluations, and there are none, got {self.stop_after}; set evaluate_every: 1"
            )
        if every is not None and every > self.epochs:
            raise ValueError(
                f"evaluate_every: must be at most the {self.epochs} of epochs, got {every}; "
                f"the nearest that works is {self.epochs}"
            )
        return self

    @model_validator(mode="after")
    def _frozen_states_are_computed_once(self) -> Training:
        if self.keep_frozen and self.augment:
            raise ValueError(
                "augment: must be left out with keep_frozen: true, as states are of unchanged inputs; leave one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _blocks_are_there_to_recompute(self) -> Training:
        for key in ("compile", "keep_frozen"):
            if self.checkpoint_activations and getattr(self, key):
                raise ValueError(f"checkpoint_activations: must be false with {key}: true, got true; leave one of the two out")
        return self

    @model_validator(mode="after")
    def _one_device_for_some(self) -> Training:
        for key in ("compile", "keep_frozen", "checkpoint_activations"):
            if self.devices > 1 and getattr(self, key):
                raise ValueError(f"{key}: must be false with devices: {self.devices}, got true; leave out one of the two")
        return self
