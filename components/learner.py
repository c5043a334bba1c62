"""A model that can look at a batch, and learn from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from components.batch import Batch
from components.energy import Clock
from components.evidence import Evidence

#: Name -> the type that autocast computes in; None computes as the model is.
PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


class NonFiniteLossError(FloatingPointError):
    """A loss that is not a number, or infinite.

    Attributes:
        index: the first such example's place in the training split.
        value: its loss.
    """

    def __init__(self, index: int, value: float) -> None:
        super().__init__(f"the loss of the example at place {index} is {value}")
        self.index, self.value = index, value


def cross_entropy_each(output: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy ``(B,)`` in nats of logits ``(B, C)``."""
    return cross_entropy(output, target, reduction="none")


@dataclass
class Learner:
    """A model, the optimizer that moves it, and how a step is made.

    Attributes:
        model: takes a batch's inputs by keyword; gives logits ``(B, C)`` or an object that has ``logits``.
        optimizer: its ``initial_lr`` is scaled by ``schedule``.
        schedule: epoch -> factor of the learning rate.
        loss: ``(output, target) -> (B,)``.
        precision: one of ``PRECISIONS``; on ``fp16`` gradients are scaled.
        clip_norm: bound of the gradient's norm; None leaves it.
        clock: where forward, backward and look are timed. On a GPU the laps are the host's.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Callable[[float], float]
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy_each
    precision: str = "fp32"
    clip_norm: float | None = None
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.device = next(self.model.parameters()).device
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    def look(self, batch: Batch) -> Evidence:
        """Return the evidence of a forward pass that leaves no trace: no graph, no dropout, no statistics."""
        was_training = self.model.training
        self.model.eval()
        with torch.inference_mode(), self.clock.lap("look", len(batch)):
            _, evidence = self._forward(batch, looked=True)
        self.model.train(was_training)
        return evidence

    def step(self, batch: Batch, epoch: float) -> Evidence:
        """Take one optimizer step on the weighted mean loss of ``batch``; return what its forward pass showed.

        Args:
            batch: B examples.
            epoch: where on the schedule this step stands.

        Raises:
            NonFiniteLossError: before the weights are touched.
        """
        if not self.model.training:
            self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * self.schedule(epoch)
        with self.clock.lap("forward", len(batch)):
            loss, evidence = self._forward(batch, looked=False)
        with self.clock.lap("backward", len(batch)):
            self._descend(loss, batch.weight)
        return evidence

    def _descend(self, loss: Tensor, weight: Tensor) -> None:
        """Step down the gradient of ``(weight * loss).mean()``, given to autograd as what it is: ``weight / B`` a loss."""
        self.optimizer.zero_grad()
        loss.backward(self.scaler.scale(weight * (1 / len(weight))))
        if self.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _forward(self, batch: Batch, *, looked: bool) -> tuple[Tensor, Evidence]:
        with self._autocast():
            output = self.model(**batch.inputs)
        logits = getattr(output, "logits", output).float()
        loss = self.loss(logits, batch.target)
        evidence = Evidence(batch.rows.index, batch.target, loss.detach(), logits.detach(), looked)
        _refuse_non_finite(evidence)
        return loss, evidence

    def _autocast(self) -> AbstractContextManager[object]:
        kind = PRECISIONS[self.precision]
        return nullcontext() if kind is None else torch.autocast(self.device.type, dtype=kind)


def _refuse_non_finite(evidence: Evidence) -> None:
    """Raise for the first example whose loss is no finite number; on a GPU this waits for the device."""
    if not math.isfinite(evidence.total_loss) and not (finite := evidence.loss.isfinite()).all():
        first = int((~finite).nonzero()[0])
        raise NonFiniteLossError(int(evidence.index[first]), float(evidence.loss[first]))


def build_optimizer(model: nn.Module, name: str, learning_rate: float, **options: float | bool) -> torch.optim.Optimizer:
    """Return the optimizer ``name`` over the parameters of ``model`` that are not frozen."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return OPTIMIZERS[name](trained, lr=learning_rate, **options)
