"""Evidence: the result of a forward pass for each example of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array
from components.evidence.objective import Objective
from components.evidence.objectives import OBJECTIVES
from components.evidence.signals import Signals

#: Fields of ``Evidence`` that may be None.
OPTIONAL = ("norm", "log_p", "input_norm")


class NonFiniteLossError(FloatingPointError):
    """A loss that is NaN or infinite.

    Attributes:
        index: index of the first such example in the training split.
        value: its loss.
    """

    def __init__(self, index: int, value: float) -> None:
        super().__init__(f"the loss of example {index} is {value}")
        self.index, self.value = index, value


class Departed:
    """A number on its way from a GPU to the host."""

    def __init__(self, number: Tensor) -> None:
        self._number = number.to("cpu", non_blocking=True)
        self._arrival = torch.cuda.current_stream(number.device).record_event()

    def __float__(self) -> float:
        self._arrival.synchronize()
        return float(self._number)


@dataclass(frozen=True)
class Evidence:
    """The result of one forward pass over B examples, without its graph.

    Attributes:
        index: ``(B,)`` int64, each example's index in the training split.
        target: ``(B, ...)`` target of the loss.
        loss: ``(B,)`` float32, unweighted, in the unit of the objective.
        output: ``(B, d)`` float32, compared between two passes over an example: logits ``(B, C)`` if targets are classes.
        looked: whether no gradient was taken: a look, or a whole batch that was skipped.
        objective: objective that computed ``loss`` and ``output``.
        norm: ``(B,)`` gradient norms, if they do not follow from ``output``.
        log_p: ``(B, C)`` log-probabilities, if the objective computes them anyway.
        input_norm: ``(B,)`` norms of the loss's gradient by the input, if requested.
        recalled: whether it is of each example's last forward pass, and not of one made now.
    """

    index: Tensor
    target: Tensor
    loss: Tensor
    output: Tensor
    looked: bool
    objective: Objective = OBJECTIVES["class"]
    norm: Tensor | None = None
    log_p: Tensor | None = None
    input_norm: Tensor | None = None
    recalled: bool = False
    _departed: Departed | None = field(default=None, init=False)

    def __len__(self) -> int:
        return self.index.numel()

    @cached_property
    def total_loss(self) -> float:
        """The sum of ``loss``; waits for a GPU's whole queue, or only up to ``depart``."""
        return float(self._departed or self.loss.sum())

    def depart(self) -> None:
        """Start copying ``total_loss`` to the host while a GPU goes on working."""
        if self.loss.is_cuda:
            object.__setattr__(self, "_departed", Departed(self.loss.sum()))
        else:
            _ = self.total_loss  # while the losses are in the processor's caches

    @cached_property
    def predicted(self) -> Tensor:
        """``(B,)`` int64, the class of the largest logit; -1 without classes."""
        return self.objective.predicted(self.output)

    @cached_property
    def correct(self) -> Tensor:
        """``(B,)`` bool, whether the target has the largest logit, or all labels are right; False without classes."""
        return self.predicted == self.target if self.objective.classes else self.objective.right(self.output, self.target)

    @cached_property
    def gradient_norm(self) -> Tensor:
        """``(B,)`` norm of the loss's gradient by the model's output."""
        return self.objective.gradient_norm(self.output, self.target, self.log_p) if self.norm is None else self.norm

    @cached_property
    def signals(self) -> Signals:
        """Signals for selection rules, on the host; waits for a GPU."""
        by_input = None if self.input_norm is None else self.input_norm.cpu().numpy()
        return Signals(self.loss.cpu().numpy(), self._norm_on_host, by_input, self.objective.likelihood)

    def _norm_on_host(self) -> Array:
        if self.norm is not None:
            return np.asarray(self.norm.cpu().numpy())
        return self.objective.norm_on_host(self.output, self.target, self.log_p)

    @staticmethod
    def joined(passes: Sequence[Evidence]) -> Evidence:
        """Return the evidence of several forward passes of one kind as one."""
        if len(passes) == 1:
            return passes[0]
        first = passes[0]
        fields = [n for n in ("index", "target", "loss", "output", *OPTIONAL) if getattr(first, n) is not None]
        joined: dict[str, Any] = {n: torch.cat([getattr(s, n) for s in passes]) for n in fields}
        return Evidence(looked=first.looked, objective=first.objective, recalled=first.recalled, **joined)


def refuse_non_finite(evidence: Evidence) -> None:
    """Raise ``NonFiniteLossError`` for the first example with a non-finite loss; waits for a GPU as ``total_loss`` does."""
    if not math.isfinite(evidence.total_loss) and not (finite := evidence.loss.isfinite()).all():
        first = int((~finite).nonzero()[0])
        raise NonFiniteLossError(int(evidence.index[first]), float(evidence.loss[first]))
