"""Scores of a trained proxy for Selection via Proxy (arXiv 1906.11829)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from components.arrays import Array
from components.engine.learner import Learner
from components.engine.training import Training
from components.evidence import score_formulas
from components.evidence.evidence import Evidence
from components.evidence.ledger import logit_dimensions, projection

#: Float32 features stored without projection: 16 MiB, which k-centres reads once per centre.
FEATURES_KEPT = 2**22


class Ranking:
    """Collects confidence, entropy and features during one sweep over all examples.

    Features are the input of the model's last linear layer, ``(N, d)`` float32, projected if they would exceed
    ``FEATURES_KEPT`` numbers.
    """

    def __init__(self, learner: Learner, examples: int, seed: int) -> None:
        """Prepare for a sweep with the model of ``learner`` over N ``examples``.

        ``seed`` is that of the projection.
        """
        self._learner, self._examples, self._seed = learner, examples, seed
        self._confidence, self._entropy = torch.zeros(examples), torch.zeros(examples)
        self._features: Tensor | None = None
        self._signs: Tensor | None = None
        self._last: Tensor | None = None
        layers = [m for m in learner.model.modules() if isinstance(m, nn.Linear)]
        self._hook = layers[-1].register_forward_pre_hook(self._catch) if layers else None

    def __call__(self, evidence: Evidence) -> None:
        """Add the evidence of the look that the model has just made."""
        index, p = evidence.index, score_formulas.probabilities(evidence.output)
        self._confidence[index] = score_formulas.least_confidence(p).cpu()
        self._entropy[index] = score_formulas.entropy(p).cpu()
        # A layer that is applied per token, or several times, has no single vector per example.
        forwarded = self._learner.forwarded(len(evidence))
        if self._last is not None and self._last.shape == (forwarded, self._last.shape[-1]):
            self._keep(index, self._learner.whole(self._last.float(), len(evidence)))
        self._last = None

    def columns(self, training: Training) -> dict[str, Array]:
        """Return the scores by name, ``(N,)``, and the ``features`` if the model has them.

        ``training`` is the proxy's.
        """
        if self._hook is not None:
            self._hook.remove()
        ledger = training.ledger.columns
        scores = {
            "least_confidence": self._confidence,
            "entropy": self._entropy,
            "forgetting": score_formulas.forgetting(ledger["forgotten"], ledger["correct"]).cpu(),
        }
        scores |= {} if self._features is None else {"features": self._features}
        return {name: score.numpy() for name, score in scores.items()}

    def _catch(self, layer: nn.Module, given: tuple[Any, ...]) -> None:
        self._last = given[0]

    def _keep(self, index: Tensor, features: Tensor) -> None:
        if self._features is None:
            width = features.shape[1]
            d = logit_dimensions(self._examples, width, FEATURES_KEPT)
            self._features = torch.zeros(self._examples, d)
            self._signs = projection(width, d, self._seed, features.device) if d < width else None
        self._features[index] = (features if self._signs is None else features @ self._signs).cpu()


def rank(training: Training) -> dict[str, Array]:
    """Look at every example once with the trained proxy and return its score columns by name."""
    ranking = Ranking(training.learner, len(training.examples), training.plan.seed)
    training.sweep(ranking)
    return ranking.columns(training)
