"""Ledger: counts and latest signals of every example."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array
from components.evidence import score_formulas
from components.evidence.evidence import Evidence
from components.evidence.objective import Objective
from components.rng import stream

#: Float32 logits stored without projection: 256 MiB.
LOGITS_KEPT = 2**26


def logit_dimensions(examples: int, outputs: int, kept: int = LOGITS_KEPT) -> int:
    """Return d: ``outputs`` if N x outputs floats fit into ``kept``, else as many as fit, at least 16."""
    return outputs if examples * outputs <= kept else min(outputs, max(16, kept // examples))


def projection(width: int, d: int, seed: int, device: torch.device) -> Tensor:
    """Return a seeded ``(width, d)`` matrix of random signs over ``sqrt(d)``.

    Multiplying by it preserves squared distances in expectation (Achlioptas 2003).
    """
    signs = stream(seed, "projection").choice([-1.0, 1.0], (width, d)) / np.sqrt(d)
    return torch.from_numpy(signs.astype(np.float32)).to(device)


class LogitMemory:
    """The last logits of each example in bounded memory; projected if they exceed the bound."""

    def __init__(self, storage: Tensor, outputs: int, seed: int = 0) -> None:
        """Store logits in ``storage`` ``(N, d)`` float32, which may be memory-mapped."""
        self.storage, self.outputs = storage, outputs
        d = storage.shape[1]
        self._signs = projection(outputs, d, seed, storage.device) if d < outputs else None

    def exchange(self, index: Tensor, logits: Tensor) -> Tensor:
        """Store the new ``logits`` ``(B, C)`` and return their mean squared change, ``(B,)``."""
        now = logits if self._signs is None else logits @ self._signs
        change = score_formulas.mean_square_change(now, self.storage.index_select(0, index), self.outputs)
        self.storage.index_copy_(0, index, now)
        return change


class Ledger:
    """One row per example: counts, and the signals of its last forward pass.

    Attributes:
        columns: name -> ``(N,)``. ``drawn``, ``looked`` (passes without a gradient), ``seen`` (all passes) and ``forgotten``
            count; ``loss``, ``margin``, ``gradient_norm`` and ``predicted``, a class, are of the last pass, a look or a step
            (``seen_by_look``); ``el2n`` and ``margin_mean`` are means of gradient norm and margin over all passes; ``change``
            compares the last two passes, or looks. ``confidence`` is the mean of the true class's probability over training
            steps, before each step, and ``scatter`` the sum of its squared deviations. NaN before the first pass
            (``change``: the second), and if the objective does not define it.
        memory: the logits last compared.
        memory: the logits last compared.
        looks_only: whether ``change`` compares looks only, which have no dropout or augmentation.
        target: ``(N,)`` int64 classes, on the host; None if targets are not classes.
    """

    COUNTS = ("drawn", "looked", "seen", "forgotten", "predicted")
    FLAGS = ("correct", "seen_by_look")
    SIGNALS = ("loss", "change", "el2n", "margin", "margin_mean", "gradient_norm", "confidence", "scatter")

    def __init__(self, examples: int, memory: LogitMemory, *, looks_only: bool = False, target: Array | None = None) -> None:
        self.memory, self.looks_only, self.target = memory, looks_only, target
        device = memory.storage.device
        self.columns = {name: torch.zeros(examples, dtype=torch.int32, device=device) for name in self.COUNTS}
        self.columns |= {name: torch.zeros(examples, dtype=torch.bool, device=device) for name in self.FLAGS}
        self.columns |= {name: torch.full((examples,), torch.nan, device=device) for name in self.SIGNALS}

    def __len__(self) -> int:
        return len(self.columns["seen"])

    def column(self, name: str) -> Array:
        """Return a column on the host, ``(N,)``, or one of two that are derived.

        ``trained`` counts passes that were not looks; ``variability`` is the standard deviation of ``confidence``
        (both of Swayamdipta et al. 2020, arXiv 2009.10795, section 2.1).
        """
        if name == "trained":
            return self.column("seen") - self.column("looked")
        if name == "variability":
            deviation: Array = np.sqrt(self.column("scatter") / np.maximum(1, self.column("trained"), dtype=np.float32))
            return deviation
        return self.columns[name].cpu().numpy()

    def count(self, name: str, index: Tensor) -> None:
        """Add one to the column ``name`` at each index of ``index`` ``(B,)``."""
        column = self.columns[name]
        at = index.to(column.device)
        column.index_add_(0, at, column.new_ones(1).expand(len(at)))

    def write(self, evidence: Evidence) -> None:
        """Record ``evidence``, in which each index may appear once."""
        i, correct = evidence.index.to(self.memory.storage.device), evidence.correct
        norm, margin = evidence.objective.signals(evidence.output, evidence.target, evidence.norm, evidence.log_p)
        seen, looked, before, forgotten = (
            self.columns[name].index_select(0, i) for name in ("seen", "looked", "correct", "forgotten")
        )
        now = {
            "seen": seen + 1,
            "looked": looked + evidence.looked,
            "forgotten": forgotten + (before & ~correct),
            "correct": correct,
            "predicted": evidence.predicted.int(),
            "seen_by_look": torch.full_like(correct, evidence.looked),
            "loss": evidence.loss,
            "el2n": self._mean("el2n", i, norm, seen),
            "margin": margin,
            "margin_mean": self._mean("margin_mean", i, margin, seen),
            "gradient_norm": norm,
        }
        if evidence.looked or not self.looks_only:
            change = self.memory.exchange(i, evidence.output)
            now["change"] = torch.where((looked if self.looks_only else seen) > 0, change, torch.nan)
        if evidence.objective.classes and not evidence.looked:
            now |= self._moments(i, torch.exp(-evidence.loss), seen - looked)
        for name, value in now.items():
            self.columns[name].index_copy_(0, i, value)

    def _mean(self, name: str, index: Tensor, value: Tensor, before: Tensor) -> Tensor:
        """Return the mean ``(B,)`` of ``value`` and ``before`` earlier values, whose mean is in the column ``name``."""
        mean = torch.where(before > 0, self.columns[name].index_select(0, index), 0)
        return mean * before / (before + 1) + value / (before + 1)

    def _moments(self, index: Tensor, p: Tensor, before: Tensor) -> dict[str, Tensor]:
        """Return mean and summed squared deviation of ``before`` earlier values and ``p``, ``(B,)`` each (Welford 1962)."""
        mean, scatter = (torch.where(before > 0, self.columns[n].index_select(0, index), 0) for n in ("confidence", "scatter"))
        delta = p - mean
        now = mean + delta / (before + 1)
        return {"confidence": now, "scatter": scatter + delta * (p - now)}

    def recalled(self, index: Tensor, objective: Objective, *, norms: bool) -> Evidence | None:
        """Return the last signals of ``index`` ``(B,)`` as evidence of a look.

        It returns None if an example was never seen.

        Args:
            index: indices in the training split.
            objective: objective of the losses.
            norms: whether to include gradient norms.
        """
        at = index.to(self.memory.storage.device)
        loss = self.columns["loss"].index_select(0, at)
        if math.isnan(loss.sum()):
            return None
        norm = self.columns["gradient_norm"].index_select(0, at) if norms else None
        return Evidence(index, index, loss, loss[:, None], True, objective, norm, recalled=True)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors of the ledger, to be saved."""
        return self.columns | {"logits": self.memory.storage}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the ledger from ``tensors()``."""
        for name, value in self.tensors().items():
            value.copy_(tensors[name])
