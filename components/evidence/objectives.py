"""Objectives by kind of target: loss, gradient norm and prediction of each example."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, nll_loss, pad
from typing_extensions import override

from components.arrays import Array
from components.evidence import score_formulas
from components.evidence.label_sets import LabelSets
from components.evidence.objective import Objective, PassSignals, entropy_of, entropy_of_shares
from components.evidence.transcripts import Transcripts
from components.tasks.sequences import IGNORED

if TYPE_CHECKING:
    from components.tasks.examples import Examples
    from components.tasks.language import Blocks
    from components.tasks.sequences import Conversations, Pairs

#: Most blocks of tokens whose frequencies are counted.
COUNTED = 2**16
#: Classes up to which a look's gradient norms are computed by numpy.
FEW = 256


class Classification(Objective):
    """One class per example: cross-entropy of logits ``(B, C)``, in nats."""

    classes = True

    @override
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        # Cross-entropy in two steps, to keep the log-probabilities between them.
        log_p = output.log_softmax(1)
        return PassSignals(nll_loss(log_p, target, reduction="none"), output, log_p=log_p)

    @override
    def gradient_norm(self, output: Tensor, target: Tensor, log_p: Tensor | None = None) -> Tensor:
        return score_formulas.error_norm(_probabilities(output, log_p), target)

    @override
    def norm_on_host(self, output: Tensor, target: Tensor, log_p: Tensor | None) -> Array:
        if log_p is None or not log_p.is_cpu or log_p.shape[1] > FEW:
            return super().norm_on_host(output, target, log_p)
        return score_formulas.error_norm_on_host(np.exp(log_p.numpy()), target.numpy())

    @override
    def signals(self, output: Tensor, target: Tensor, norm: Tensor | None, log_p: Tensor | None) -> tuple[Tensor, Tensor]:
        p = _probabilities(output, log_p)
        return score_formulas.error_norm(p, target), score_formulas.margin(p, target)

    @override
    def predicted(self, output: Tensor) -> Tensor:
        return output.max(1).indices  # as argmax, in a third of its time


class SquaredError(Objective):
    """One number per example, in standard deviations: ``(prediction - target)^2`` of predictions ``(B, 1)``."""

    likelihood = False

    @override
    def constant_loss(self, examples: Examples) -> float:
        return float(examples.target.var(dtype=np.float64))

    @override
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        return PassSignals((output.squeeze(1) - target).square(), output)

    @override
    def gradient_norm(self, output: Tensor, target: Tensor, log_p: Tensor | None = None) -> Tensor:
        return 2 * (output.squeeze(1) - target).abs()


class MeanSquaredError(SquaredError):
    """K numbers per example, each in standard deviations: the mean of their squared errors, of predictions ``(B, K)``."""

    @override
    def constant_loss(self, examples: Examples) -> float:
        return float(examples.target.var(axis=0, dtype=np.float64).mean())

    @override
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        return PassSignals((output - target).square().mean(1), output)

    @override
    def gradient_norm(self, output: Tensor, target: Tensor, log_p: Tensor | None = None) -> Tensor:
        """Return ``2 ||z - y||_2 / K``."""
        norm: Tensor = torch.linalg.vector_norm(output - target, dim=1)
        return norm * (2 / output.shape[1])


class NextToken(Objective):
    """Next-token prediction: the mean cross-entropy of all tokens but the first, in nats.

    Two passes are compared by the true tokens' log-probabilities ``(B, T - 1)``, since logits would be a vocabulary per token.
    """

    @override
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        before, after = output[:, :-1].flatten(0, 1), target[:, 1:]
        each = cross_entropy(before, after.flatten(), reduction="none").view(after.shape)
        return PassSignals(each.mean(1), -each.detach(), token_norm(before.detach(), after) if norm else None)

    @override
    def constant_loss(self, examples: Examples) -> float:
        tokens = cast("Blocks", examples).tokens
        return entropy_of(tokens[:: 1 + len(tokens) // COUNTED, 1:])

    @override
    def gradient_norm(self, output: Tensor, target: Tensor, log_p: Tensor | None = None) -> Tensor:
        return output.new_full((len(output),), torch.nan)


class TargetTokens(Objective):
    """A target of any length for each example: the mean cross-entropy of its tokens, in nats.

    Targets are ``(B, outputs)`` with ``IGNORED`` where there is no token to learn; logits ``(B, T, V)`` are as long as the
    longest of a batch. Two passes are compared by the true tokens' log-probabilities ``(B, outputs)``, so scaled that the
    mean square of ``outputs`` numbers is that of an example's own tokens.
    """

    @override
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        after = target[:, : output.shape[1]]
        tokens = (after != IGNORED).sum(1)
        flat = output.flatten(0, 1)
        each = cross_entropy(flat, after.flatten(), ignore_index=IGNORED, reduction="none").view(after.shape)
        wide = pad(-each.detach(), (0, target.shape[1] - after.shape[1]))
        compared = wide * (target.shape[1] / tokens).sqrt()[:, None]
        norms = token_norm(flat.detach(), after.clamp(min=0), after != IGNORED) if norm else None
        return PassSignals(each.sum(1) / tokens, compared, norms)

    @override
    def constant_loss(self, examples: Examples) -> float:
        tokens, sizes = cast("Pairs | Conversations", examples).written()
        # The mean over examples of a mean over tokens: a token of a long target counts less.
        return entropy_of_shares(np.bincount(tokens, np.repeat(1 / sizes, sizes)) / len(sizes))

    @override
    def gradient_norm(self, output: Tensor, target: Tensor, log_p: Tensor | None = None) -> Tensor:
        return output.new_full((len(output),), torch.nan)


def _probabilities(output: Tensor, log_p: Tensor | None) -> Tensor:
    return score_formulas.probabilities(output) if log_p is None else log_p.exp()


def token_norm(logits: Tensor, target: Tensor, there: Tensor | None = None) -> Tensor:
    """Return ``||e||_2 / T`` ``(B,)``, with e the error norms of a sequence's tokens, from logits ``(B * T, V)``.

    ``there`` ``(B, T)`` bool marks the tokens that count; None for all.
    """
    each = score_formulas.error_norm(score_formulas.probabilities(logits), target.flatten()).view(target.shape)
    norm: Tensor = torch.linalg.vector_norm(each if there is None else each * there, dim=1)
    return norm / (target.shape[1] if there is None else there.sum(1))


#: Kind of target -> its objective.
OBJECTIVES: dict[str, Objective] = {
    "class": Classification(),
    "classes": LabelSets(),
    "number": SquaredError(),
    "numbers": MeanSquaredError(),
    "tokens": NextToken(),
    "sequence": TargetTokens(),
    "transcript": Transcripts(),
}
