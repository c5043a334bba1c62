"""Model with its optimizer: gradient-free looks and training steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from components.arrays import Array
from components.costs.clock import Clock
from components.engine.optimizers import bare_step
from components.engine.passes import Passes
from components.evidence.evidence import Evidence, refuse_non_finite
from components.evidence.objective import Objective
from components.evidence.objectives import OBJECTIVES
from components.models.small import norms_of_one_value
from components.tasks.batch import Batch, Rows
from components.tasks.examples import picked

if TYPE_CHECKING:
    from components.tasks.examples import Examples


@dataclass
class Learner(Passes):
    """A model, its optimizer, and the settings of a step.

    Attributes:
        model: takes a batch's inputs by keyword; returns what ``objective`` reads, or an object with it as ``logits``.
        optimizer: its ``initial_lr`` is scaled by ``schedule``.
        schedule: epoch -> factor of the learning rate.
        objective: loss and signals for the kind of target.
        precision: one of ``PRECISIONS``, for steps; ``fp16`` scales gradients.
        look_precision: for looks; None for that of steps.
        clip_norm: bound of the gradient's norm; None does not clip.
        micro_batch: most examples of a forward and backward pass of a step; None for the whole batch.
        norms: whether evidence must have gradient norms, even if they cost a pass over the logits.
        clock: times forward, backward and look. On a GPU these are the host's times.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Callable[[float], float]
    objective: Objective = OBJECTIVES["class"]
    precision: str = "fp32"
    look_precision: str | None = None
    clip_norm: float | None = None
    micro_batch: int | None = None
    norms: bool = False
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self._modules = list(self.model.modules())
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.device = next(self.model.parameters()).device
        self._shares: dict[int, Tensor] = {}
        self._move = bare_step(self.optimizer)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    def fetch(self, examples: Examples, rows: Rows) -> Batch:
        """Return ``rows`` as a batch on this learner's device."""
        return examples.fetch(rows, self.device)

    def picked(self, batch: Batch, rows: Rows, answer: Array) -> Batch | None:
        """Return the rows of ``batch`` that passed a door with ``answer``, ``rows``.

        It returns None if they must be fetched anew.
        """
        return picked(batch, rows, answer)

    def forwarded(self, examples: int) -> int:
        """Return how many of a batch of B ``examples`` this process forwards."""
        return examples

    def whole(self, own: Tensor, examples: int) -> Tensor:
        """Return the whole batch's ``(B, ...)`` tensor, given this process's rows of it."""
        return own

    def random_state(self) -> dict[str, Tensor]:
        """Return the state of PyTorch's random generators, which dropout draws from."""
        state = {"cpu": torch.get_rng_state()}
        return state | ({"cuda": torch.cuda.get_rng_state()} if self.device.type == "cuda" else {})

    def restore_random(self, state: Mapping[str, Tensor]) -> None:
        """Restore the random generators from ``random_state``."""
        torch.set_rng_state(state["cpu"])
        if "cuda" in state and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"])

    def step(self, batch: Batch, epoch: float, keep: Callable[[Evidence], Array] | None = None) -> Evidence:
        """Take one optimizer step on the weighted mean loss, and return the forward pass's evidence.

        Args:
            batch: B examples.
            epoch: position on the schedule.
            keep: returns weights ``(B,)`` for the evidence; if all are 0 the backward pass is skipped, and ``looked`` is set in
                the returned evidence.

        Raises:
            NonFiniteLossError: before the weights are changed.
        """
        if not self.model.training:
            self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * self.schedule(epoch)
        if self.micro_batch is not None and self._most(len(batch)) > self.micro_batch:
            return self._step_in_parts(batch, list(batch.parts(self.micro_batch)), keep)
        with self.clock.lap("forward", len(batch)), norms_of_one_value(self.model) if len(batch) == 1 else nullcontext():
            loss, evidence = self._forward(batch, self.precision)
        weight = batch.weight if keep is None else self._kept(batch, evidence, keep)
        if weight is None:
            return replace(evidence, looked=True)
        with self.clock.lap("backward", len(batch)):
            evidence.depart()
            self._forget_gradients()
            self._add_gradients(loss, self._share(weight, len(batch)))
            self._descend(evidence)
        return evidence

    def _step_in_parts(self, batch: Batch, parts: list[Batch], keep: Callable[[Evidence], Array] | None) -> Evidence:
        """Take the step of ``batch`` in ``parts``, whose gradients add up; only one part's graph is in memory.

        With ``keep`` the parts are forwarded once more before, without graphs but with the same dropout.
        """
        weight: Tensor | None = batch.weight
        ahead = None
        if keep is not None:
            random_state = Learner.random_state(self)
            with torch.no_grad(), self.clock.lap("look", len(batch)):
                ahead = self._gathered(batch, Evidence.joined([self._pass(part, self.precision, False)[1] for part in parts]))
            if (weight := self._kept(batch, ahead, keep)) is None:
                return replace(ahead, looked=True)
            Learner.restore_random(self, random_state)
        assert weight is not None
        own = self._parts_gradients(parts, self._share(weight, len(batch)).split(len(parts[0])))
        evidence = self._gathered(batch, own) if ahead is None else ahead
        with self.clock.lap("backward"):
            evidence.depart()
            self._descend(evidence)
        return evidence

    def _parts_gradients(self, parts: list[Batch], shares: Sequence[Tensor]) -> Evidence:
        """Compute the sum of the gradients of ``parts``, and return this process's evidence of them."""
        self._forget_gradients()
        seen = []
        for number, (part, share) in enumerate(zip(parts, shares, strict=True), 1):
            with self._exchange(now=number == len(parts)):
                with self.clock.lap("forward", len(part)):
                    loss, evidence = self._pass(part, self.precision, False)
                with self.clock.lap("backward", len(part)):
                    self._add_gradients(loss, share)
            seen.append(evidence)
        return Evidence.joined(seen)

    def _most(self, examples: int) -> int:
        """Return the most examples of a batch of B ``examples`` that any process forwards."""
        return examples

    def _exchange(self, *, now: bool) -> AbstractContextManager[None]:
        """Return a context whose backward pass exchanges gradients among processes ``now``, or leaves that to a later one."""
        return nullcontext()

    def _kept(self, batch: Batch, evidence: Evidence, keep: Callable[[Evidence], Array]) -> Tensor | None:
        """Return the loss weights by ``keep``; None if all are 0."""
        refuse_non_finite(evidence)
        answer = keep(evidence)
        if not answer.any():
            return None
        return batch.weight if (answer == 1).all() else self._weight(batch, answer)

    def _weight(self, batch: Batch, answer: Array) -> Tensor:
        """Return the loss weights of ``batch`` times a door's ``answer`` ``(B,)``."""
        return batch.weight * torch.from_numpy(answer).to(batch.weight.device)

    def _share(self, weight: Tensor, examples: int) -> Tensor:
        """Return ``weight / B`` for a batch of B ``examples``; cached if all weights are 1."""
        if weight.stride(0):
            return weight * (1 / examples)
        if examples not in self._shares:
            self._shares[examples] = weight * (1 / examples)
        return self._shares[examples]

    def _forget_gradients(self) -> None:
        for parameter in self.parameters:  # as zero_grad does, but without its hooks, which take 65 microseconds
            parameter.grad = None

    def _add_gradients(self, loss: Tensor, share: Tensor) -> None:
        """Add the gradient of ``(weight * loss).sum() / B``: autograd gets ``weight / B`` as the gradient of each loss."""
        loss.backward(self.scaler.scale(share) if self.scaler.is_enabled() else share)

    def _descend(self, evidence: Evidence) -> None:
        """Step down the gradient.

        A non-finite loss is only refused after the backward pass is queued: checking first would leave a GPU idle.
        """
        refuse_non_finite(evidence)
        if self.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        if self.scaler.is_enabled():
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self._move()
