"""Per-example signals of a look: loss, gradient norm, probabilities, as rules read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from components.arrays import Array


class Signals:
    """What rules judge B examples by; numpy's, since which rows pass must be known on the host anyway.

    Attributes:
        loss: ``(B,)`` float32.
        input_norm: ``(B,)`` norms of the loss's gradient by the input, where they were asked for.
        likelihood: whether ``exp(-loss)`` is a probability.
        memo: what a method has worked out from them, so that learning and deciding share the work.
    """

    def __init__(
        self,
        loss: Array,
        norm: Array | Callable[[], Array] | None = None,
        input_norm: Array | None = None,
        likelihood: bool = True,
    ) -> None:
        """Take the signals; ``norm`` may be worked out when it is wanted."""
        self.loss, self._norm, self.input_norm, self.likelihood = loss, norm, input_norm, likelihood
        self.memo: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self.loss)

    @cached_property
    def norm(self) -> Array:
        """``(B,)`` norms of the loss's gradient by the model's output."""
        assert self._norm is not None
        return self._norm() if callable(self._norm) else self._norm
