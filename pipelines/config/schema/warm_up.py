"""Warm-ups: training or scoring before anything is selected."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from components.costs.savings import LOOK_SHARE
from pipelines.config.schema.model import Model, Small, Transformer
from pipelines.config.schema.sections import Section
from pipelines.config.schema.task import MODELS, SMALL, Task, listed
from pipelines.config.schema.training import Optimizer

#: Model families and small models of a proxy: those of a task and, for texts, which it gets as token ids, ``bag``.
PROXY_MODELS = MODELS | {"text": ("transformers", "small")}
PROXY_SMALL = SMALL | {"text": ("bag",)}


class Proxy(Section):
    """A small model that ranks examples for the task's model, and shares its other settings.

    ``share`` is for planning alone: the cost of a pass, where one of the task's model costs 1.
    """

    model: Model
    optimizer: Optimizer | None = None
    share: PositiveFloat = 0.1

    def check_fits(self, task: Task) -> None:
        """Refuse a proxy that cannot read the examples of ``task``, or a task without classes.

        Raises:
            ValueError: naming the key below the proxy, or the task's.
        """
        if not task.classifies:
            has = "has several an example" if task.predicts == "classes" else "predicts none"
            raise ValueError(f"ranks examples by the probabilities of classes, and the task {has}; take it out")
        if self.model.family not in (fit := PROXY_MODELS[task.kind]):
            raise ValueError(f"model.family: for a task of kind {task.kind!r} {listed(fit)}, got {self.model.family!r}")
        if isinstance(self.model, Small) and self.model.name not in (fit := PROXY_SMALL[task.kind]):
            raise ValueError(f"model.name: for a task of kind {task.kind!r} {listed(fit)}, got {self.model.name!r}")
        if isinstance(self.model, Transformer) and self.model.source != getattr(task.model, "source", None):
            raise ValueError(
                "model.source: must be that of the task's model, whose token ids it is to read; a smaller one of the same "
                "source has fewer num_hidden_layers"
            )


class WarmUp(Section):
    """Epochs over all examples before any selection; ``scores_in: eval`` adds a look after each.

    With ``holdout`` the epochs are over that fraction alone, with ``proxy`` they train another model: either way a separate
    model then looks at all examples, and the method's training starts from scratch. With ``nearness`` there are no epochs:
    every example is compared with the task's target set, by n-grams of its tokens or by features of the untrained model or
    its frozen part. With ``fake_class`` the epochs train a model with one extra class, made of a random part of the rows.
    """

    epochs: NonNegativeFloat
    scores_in: Literal["train", "eval"] = "train"
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
    proxy: Proxy | None = None
    nearness: Literal["ngrams", "features"] | None = None
    fake_class: bool = False

    @property
    def apart(self) -> str | None:
        """The kind of a warm-up after which methods start from scratch, None for others."""
        return next((kind for kind in ("holdout", "proxy", "nearness", "fake_class") if getattr(self, kind)), None)

    @property
    def start_epoch(self) -> float:
        """Epochs of a method's own training that the warm-up covers."""
        return 0.0 if self.apart else self.epochs

    @property
    def extra(self) -> float:
        """Cost beside ``start_epoch``, in epochs over all examples."""
        if self.holdout:
            return self.holdout * self.epochs + LOOK_SHARE
        if self.proxy:
            return self.proxy.share * (self.epochs + LOOK_SHARE)
        if self.fake_class:
            return self.epochs
        if self.nearness:
            return LOOK_SHARE if self.nearness == "features" else 0.0
        return self.epochs * LOOK_SHARE if self.scores_in == "eval" else 0.0

    @model_validator(mode="after")
    def _one_kind_alone(self) -> WarmUp:
        if self.proxy and (self.holdout or self.scores_in == "eval"):
            other = "holdout" if self.holdout else "scores_in: eval"
            raise ValueError(f"proxy: trains on all examples and then looks once; take out {other}, or the proxy")
        if self.fake_class and (self.holdout or self.proxy or self.nearness or self.scores_in == "eval"):
            raise ValueError("fake_class: is a warm-up of its own; take out the other keys but epochs, or fake_class")
        if self.nearness and (self.holdout or self.proxy or self.scores_in == "eval" or self.epochs):
            raise ValueError("nearness: compares examples and trains nothing; epochs must be 0, and no other key set")
        return self

    @model_validator(mode="after")
    def _looks_after_epochs(self) -> WarmUp:
        by_looks = self.apart or "scores_in: eval"
        if self.nearness or (self.fake_class and self.epochs):
            return self
        if (self.apart or self.scores_in == "eval") and (self.epochs % 1 or (self.apart and not self.epochs)):
            raise ValueError(
                f"epochs: must be whole with {by_looks}, which looks after them, got {self.epochs}; "
                f"the nearest that works is {max(1, round(self.epochs))}"
            )
        return self
