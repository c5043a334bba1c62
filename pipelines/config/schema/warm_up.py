"""Warm-ups: training or scoring before anything is selected."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from components.costs.savings import LOOK_SHARE
from pipelines.config.schema.model import Model, Small, Transformer
from pipelines.config.schema.sections import Optimizer, Section
from pipelines.config.schema.task import MODELS, SMALL, Task, listed

#: The families and small models that a proxy may be of beside those that a task may have: texts come as the task's token ids.
PROXY_MODELS = MODELS | {"text": ("transformers", "small")}
PROXY_SMALL = SMALL | {"text": ("bag",)}


class Proxy(Section):
    """A small model that ranks examples for the task's; what it has no setting for it shares with the task's.

    ``share`` is for planning alone: what a pass of it costs, where one of the task's model costs 1.
    """

    model: Model
    optimizer: Optimizer | None = None
    share: PositiveFloat = 0.1

    def check_fits(self, task: Task) -> None:
        """Refuse a proxy that cannot read the examples of ``task``, or whose classes there are none of.

        Raises:
            ValueError: naming the key below the proxy, or the task's.
        """
        if not task.classifies:
            raise ValueError("ranks examples by the probabilities of classes, and the task predicts none; take it out")
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
    """Epochs over everything before anything is selected; ``scores_in`` eval looks again after each of them.

    With ``holdout`` they are epochs of that fraction alone, with ``proxy`` those of another model: either is a model of its
    own, which then looks at everything, and the method's training starts from nothing. With ``nearness`` there are no epochs:
    every example is compared with the task's target set, by the n-grams of its tokens or by the features that the untrained
    model, or its frozen part, gives. With ``fake_class`` they are epochs of a model with one class more than there are, of
    which a random part of the rows is made.
    """

    epochs: NonNegativeFloat
    scores_in: Literal["train", "eval"] = "train"
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
    proxy: Proxy | None = None
    nearness: Literal["ngrams", "features"] | None = None
    fake_class: bool = False

    @property
    def apart(self) -> str | None:
        """Which of these it is, where a method's training starts from nothing."""
        return next((kind for kind in ("holdout", "proxy", "nearness", "fake_class") if getattr(self, kind)), None)

    @property
    def start_epoch(self) -> float:
        """How many epochs of a method's own training it has done."""
        return 0.0 if self.apart else self.epochs

    @property
    def extra(self) -> float:
        """What it costs beside those, in epochs over everything."""
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
            raise ValueError(f"proxy: is trained on everything and looks once after it; take out {other}, or the proxy")
        if self.fake_class and (self.holdout or self.proxy or self.nearness or self.scores_in == "eval"):
            raise ValueError("fake_class: is a warm-up of its own; take out the other keys but epochs, or fake_class")
        if self.nearness and (self.holdout or self.proxy or self.scores_in == "eval" or self.epochs):
            raise ValueError("nearness: compares examples and trains nothing; with it, epochs must be 0 and no other key there")
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
