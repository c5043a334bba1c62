"""Transcripts: connectionist temporal classification of sounds (Graves et al., ICML 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import ctc_loss
from typing_extensions import override

from components.arrays import Array
from components.evidence.objective import Objective, PassSignals
from components.tasks.sequences import IGNORED

if TYPE_CHECKING:
    from components.tasks.sound import Transcribed

#: Examples that the loss of a constant prediction is computed of, and the shares of the blank that are tried.
SAMPLE, BLANKS = 64, (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)


class Transcripts(Objective):
    """A transcript for each example: its CTC loss over its number of tokens, in nats.

    That is ``torch.nn.functional.ctc_loss``'s own "mean" of a single example; a batch's is the mean of its examples'. Targets
    are ``(B, most tokens)`` with ``IGNORED`` after the last; logits ``(B, frames, tokens)`` are sure of the blank in frames
    behind an example's last (``components.models.sounds.silenced``), which changes no loss. Two passes are compared by the
    log-probability of the transcript over its tokens ``(B, 1)``.
    """

    def __init__(self, blank: int = 0) -> None:
        """Take the token ``blank`` for none."""
        self.blank = blank

    @override
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        each = self._losses(output, target)
        norms = self._norms(output.detach(), target) if norm else None
        return PassSignals(each, -each.detach()[:, None], norms)

    def _losses(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the losses ``(B,)`` with their graph."""
        device = output.device
        if output.is_cuda and torch.are_deterministic_algorithms_enabled():
            # Of this loss torch has no deterministic gradient on a GPU; the logits are few.
            output, target = output.cpu(), target.cpu()
        log_p, sizes = output.log_softmax(2).transpose(0, 1), (target != IGNORED).sum(1)
        frames = torch.full_like(sizes, len(log_p))
        total = ctc_loss(log_p, target.clamp(min=0), frames, sizes, self.blank, reduction="none")
        return (total / sizes).to(device)

    def _norms(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the norm of each loss's gradient by all its logits, ``(B,)``."""
        with torch.inference_mode(False), torch.enable_grad():
            leaf = output.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self._losses(leaf, target.clone()).sum(), leaf)
            norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
            return norm

    @override
    def gradient_norm(self, output: Tensor, target: Tensor, log_p: Tensor | None = None) -> Tensor:
        return output.new_full((len(output),), torch.nan)

    @override
    def constant_loss(self, examples: object) -> float:
        """Return the mean loss of the same prediction for every frame: the blank and the frequencies of the tokens.

        The best share of the blank among ``BLANKS`` is taken, for ``SAMPLE`` examples spread over all.
        """
        known = cast("Transcribed", examples)
        index = np.linspace(0, len(known) - 1, min(len(known), SAMPLE)).astype(np.int64)
        target = torch.from_numpy(known.written(index))
        frames, share = torch.from_numpy(known.frames[index].astype(np.int64)), self._shares(known.tokens)
        return min(self._constant(share, blank, frames, target) for blank in BLANKS)

    def _shares(self, tokens: Array) -> Tensor:
        """Return the share of each token among ``tokens``."""
        counts = np.bincount(tokens, minlength=self.blank + 1)
        return torch.from_numpy(counts / counts.sum())

    def _constant(self, share: Tensor, blank: float, frames: Tensor, target: Tensor) -> float:
        """Return the mean loss of the frequencies ``share`` beside a share of the ``blank``."""
        p = share * (1 - blank)
        p[self.blank] = blank
        log_p = p.clamp(min=torch.finfo(p.dtype).tiny).log().expand(int(frames.max()), len(frames), -1)
        sizes = (target != IGNORED).sum(1)
        total = ctc_loss(log_p, target.clamp(min=0), frames, sizes, self.blank, reduction="none")
        return float((total / sizes).mean())
