"""Model with its optimizer: gradient-free looks and training steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from components.arrays import Array
from components.costs.clock import Clock
from components.engine.optimizers import bare_step
from components.evidence.evidence import Evidence, refuse_non_finite
from components.evidence.objectives import OBJECTIVES, Objective
from components.models.small import norms_of_one_value
from components.tasks.batch import Batch, Rows
from components.tasks.examples import picked

if TYPE_CHECKING:
    from components.tasks.examples import Examples

#: Name -> dtype that autocast computes in; None for no autocast.
PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Learner:
    """A model, its optimizer, and the settings of a step.

    Attributes:
        model: takes a batch's inputs by keyword; returns what ``objective`` reads, or an object with it as ``logits``.
        optimizer: its ``initial_lr`` is scaled by ``schedule``.
        schedule: epoch -> factor of the learning rate.
        objective: loss and signals for the kind of target.
        precision: one of ``PRECISIONS``, for steps; ``fp16`` scales gradients.
        look_precision: for looks; None for that of steps.
        clip_norm: bound of the gradient's norm; None does not clip.
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

    def look(self, batch: Batch, *, by_input: bool = False) -> Evidence:
        """Return the evidence of a forward pass without side effects: no graph, no dropout, no batch statistics.

        Args:
            batch: B examples.
            by_input: whether to compute the norms of the gradient by the input too, which takes a backward pass through the
                activations.
        """
        training = [module for module in self._modules if module.training]
        put_in_mode(training, False)
        with self.clock.lap("look", len(batch)):
            evidence = self._look_by_input(batch) if by_input else self._look(batch)
        put_in_mode(training, True)
        return evidence

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
        with self.clock.lap("forward", len(batch)), norms_of_one_value(self.model) if len(batch) == 1 else nullcontext():
            loss, evidence = self._forward(batch, self.precision)
        weight = batch.weight
        if keep is not None:
            refuse_non_finite(evidence)
            answer = keep(evidence)
            if not answer.any():
                return replace(evidence, looked=True)
            weight = batch.weight if (answer == 1).all() else self._weight(batch, answer)
        with self.clock.lap("backward", len(batch)):
            self._descend(loss, self._share(weight, len(batch)), evidence)
        return evidence

    def _look(self, batch: Batch) -> Evidence:
        with torch.inference_mode():
            evidence = self._forward(batch, self.look_precision or self.precision, looked=True)[1]
            refuse_non_finite(evidence)
            return evidence

    def _look_by_input(self, batch: Batch) -> Evidence:
        """Look with the gradient by the single input, which must be continuous, but not by the parameters."""
        ((name, given),) = batch.inputs.items()
        leaf = given.detach().requires_grad_()
        tracked = replace(batch, inputs={name: leaf})
        loss, evidence = self._forward(tracked, self.look_precision or self.precision, looked=True)
        refuse_non_finite(evidence)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return replace(evidence, input_norm=gradient.flatten(1).norm(dim=1))

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

    def _descend(self, loss: Tensor, share: Tensor, evidence: Evidence) -> None:
        """Step down the gradient of ``(weight * loss).mean()``.

        Autograd gets ``weight / B`` as the gradient of each loss.

        A non-finite loss is only refused after the backward pass is queued: checking first would leave a GPU idle.
        """
        evidence.depart()
        scaled = self.scaler.is_enabled()
        for parameter in self.parameters:  # as zero_grad does, but without its hooks, which take 65 microseconds
            parameter.grad = None
        loss.backward(self.scaler.scale(share) if scaled else share)
        refuse_non_finite(evidence)
        if self.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        if scaled:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self._move()

    def _forward(self, batch: Batch, precision: str, *, looked: bool = False) -> tuple[Tensor, Evidence]:
        return self._pass(self.model, batch, precision, looked)

    def _pass(self, model: nn.Module, batch: Batch, precision: str, looked: bool) -> tuple[Tensor, Evidence]:
        """Return the losses of the fetched part of ``batch`` with their graph, and the evidence without it."""
        if (kind := PRECISIONS[precision]) is None:
            output = model(**batch.inputs)
        else:
            with torch.autocast(self.device.type, dtype=kind):
                output = model(**batch.inputs)
        seen = self.objective.see(getattr(output, "logits", output).float(), batch.target, norm=self.norms)
        loss, output = seen.loss.detach(), seen.output.detach()
        log_p = None if seen.log_p is None else seen.log_p.detach()
        return seen.loss, Evidence(batch.rows.index, batch.target, loss, output, looked, self.objective, seen.norm, log_p)


def put_in_mode(modules: list[nn.Module], training: bool) -> None:
    """Set the training flag of each of ``modules`` directly, which is faster than ``nn.Module``'s own setter."""
    for module in modules:
        object.__setattr__(module, "training", training)
