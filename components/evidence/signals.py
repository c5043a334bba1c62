"""Per-example signals of a look: loss, gradient norm, probabilities, as rules read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from components.arrays import Array


class Signals:
    """Signals of B examples for selection rules; numpy arrays, since the host must know which rows pass.

    Attributes:
        loss: ``(B,)`` float32.
        input_norm: ``(B,)`` norms of the loss's gradient by the input, if requested.
        likelihood: whether ``exp(-loss)`` is a probability.
        memo: a method's cached results, shared between ``learn`` and ``keep``.
    """

    def __init__(
        self,
        loss: Array,
        norm: Array | Callable[[], Array] | None = None,
        input_norm: Array | None = None,
        likelihood: bool = True,
    ) -> None:
        """Create signals; ``norm`` may be a function that computes them on first use."""
        self.loss, self._norm, self.input_norm, self.likelihood = loss, norm, input_norm, likelihood
        self.memo: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self.loss)

    @cached_property
    def norm(self) -> Array:
        """``(B,)`` norms of the loss's gradient by the model's output."""
        assert self._norm is not None
        return self._norm() if callable(self._norm) else self._norm
