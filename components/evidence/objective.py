"""The protocol of an objective: loss, gradient norm and prediction of each example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array

if TYPE_CHECKING:
    from components.tasks.examples import Examples


@dataclass(frozen=True)
class PassSignals:
    """Loss and signals of a forward pass over B examples.

    Attributes:
        loss: ``(B,)``, with its graph.
        output: ``(B, d)``, compared between two passes over an example.
        norm: ``(B,)`` gradient norms, if requested and not computable from ``output``.
        log_p: ``(B, C)`` log-probabilities, if the loss is computed from them.
        descended: ``(B,)`` loss that a step descends, with its graph; None for ``loss``.
    """

    loss: Tensor
    output: Tensor
    norm: Tensor | None = None
    log_p: Tensor | None = None
    descended: Tensor | None = None


class Objective(ABC):
    """Loss and signals for one kind of target, the same for all examples of a task.

    Attributes:
        classes: whether a prediction can be right or wrong.
        likelihood: whether ``exp(-loss)`` is a probability.
    """

    classes = False
    likelihood = True

    @abstractmethod
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        """Return loss and signals of the model's ``output`` for ``target``; ``norm``: compute gradient norms."""

    @abstractmethod
    def gradient_norm(self, output: Tensor, target: Tensor, log_p: Tensor | None = None) -> Tensor:
        """Return the norm of each loss's gradient by the model's output, ``(B,)``; arguments as for ``signals``."""

    def norm_on_host(self, output: Tensor, target: Tensor, log_p: Tensor | None) -> Array:
        """Return ``gradient_norm`` as a host array, ``(B,)``; waits for a GPU."""
        return np.asarray(self.gradient_norm(output, target, log_p).cpu().numpy())

    def signals(self, output: Tensor, target: Tensor, norm: Tensor | None, log_p: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return gradient norm and margin, ``(B,)`` each, NaN if undefined.

        Args:
            output: ``(B, d)``, from ``see``.
            target: as passed to ``see``.
            norm: from ``see``, or None.
            log_p: from ``see``, or None.
        """
        known = self.gradient_norm(output, target) if norm is None else norm
        return known, torch.full_like(known, torch.nan)

    def constant_loss(self, examples: Examples) -> float:
        """Return the mean loss of the best constant prediction for all ``examples``."""
        return entropy_of(examples.target)

    def predicted(self, output: Tensor) -> Tensor:
        """Return ``(B,)`` int64, the class of the largest logit; -1 without classes."""
        return torch.full((len(output),), -1, device=output.device)

    def right(self, output: Tensor, target: Tensor) -> Tensor:
        """Return whether all is predicted right, ``(B,)`` bool; False where a prediction cannot be right or wrong."""
        return torch.zeros(len(output), dtype=torch.bool, device=output.device)


def entropy_of(codes: Array) -> float:
    """Return the entropy, in nats, of whole numbers from 0 up."""
    return entropy_of_shares(np.bincount(codes.ravel()) / codes.size)


def entropy_of_shares(share: Array) -> float:
    """Return the entropy, in nats, of the ``share`` of each value."""
    return float(-np.sum(share * np.log(share, where=share > 0, out=np.zeros_like(share))))
