"""Several labels an example: the mean binary cross-entropy over classes, and its signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from typing_extensions import override

from components.evidence.objective import Objective, PassSignals

if TYPE_CHECKING:
    from components.tasks.examples import Examples


class LabelSets(Objective):
    """Any number of C classes per example: the mean binary cross-entropy of logits ``(B, C)``, in nats.

    Targets are ``(B, C)``, 1 where an example has a label. ``exp(-loss)`` is the geometric mean of the probabilities of what
    is true of each class.
    """

    @override
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        each = binary_cross_entropy_with_logits(output, target.to(output.dtype), reduction="none")
        return PassSignals(each.mean(1), output)

    @override
    def gradient_norm(self, output: Tensor, target: Tensor, log_p: Tensor | None = None) -> Tensor:
        """Return ``||sigmoid(z) - y||_2 / C``."""
        norm: Tensor = torch.linalg.vector_norm(output.sigmoid() - target, dim=1)
        return norm / output.shape[1]

    @override
    def signals(self, output: Tensor, target: Tensor, norm: Tensor | None, log_p: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.gradient_norm(output, target), margin(output, target)

    @override
    def right(self, output: Tensor, target: Tensor) -> Tensor:
        return ((output >= 0) == (target > 0)).all(1)

    @override
    def constant_loss(self, examples: Examples) -> float:
        share = examples.target.mean(0, dtype=np.float64)
        ends = np.clip(np.stack([share, 1 - share]), np.finfo(np.float64).tiny, 1)
        return float(-(ends * np.log(ends)).sum(0).mean())


def margin(output: Tensor, target: Tensor) -> Tensor:
    """Return the largest over classes of the wrong answer's probability minus the right one's, ``(B,)``.

    As for one class an example, it is -1 if all is surely right, 1 if a class is surely wrong, and above 0 if one is wrong.
    """
    right = torch.where(target > 0, output, -output).amin(1).sigmoid()
    return 1 - 2 * right
