"""Forward passes of a model, for steps and for looks."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from components.costs.clock import Clock
from components.evidence.evidence import Evidence, refuse_non_finite
from components.evidence.objective import Objective
from components.tasks.batch import Batch

#: Name -> dtype that autocast computes in; None for no autocast.
PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Passes:
    """A model that is looked at, or forwarded with its graph."""

    model: nn.Module
    objective: Objective
    precision: str
    look_precision: str | None
    norms: bool
    clock: Clock
    device: torch.device
    _modules: list[nn.Module]

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

    def _look(self, batch: Batch) -> Evidence:
        with torch.inference_mode():
            evidence = self._forward(batch, self.look_precision or self.precision, looked=True)[1]
            refuse_non_finite(evidence)
            return evidence

    def _look_by_input(self, batch: Batch) -> Evidence:
        """Look with the gradient by the single continuous input, but not by the parameters."""
        ((name, given),) = ((name, value) for name, value in batch.inputs.items() if value.is_floating_point())
        leaf = given.detach().requires_grad_()
        tracked = replace(batch, inputs={**batch.inputs, name: leaf})
        loss, evidence = self._forward(tracked, self.look_precision or self.precision, looked=True)
        refuse_non_finite(evidence)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return replace(evidence, input_norm=gradient.flatten(1).norm(dim=1))

    def _forward(self, batch: Batch, precision: str, *, looked: bool = False) -> tuple[Tensor, Evidence]:
        """Return the losses of the fetched part of ``batch`` with their graph, and the evidence of the whole without it."""
        loss, own = self._pass(batch, precision, looked)
        return loss, self._gathered(batch, own)

    def _called(self) -> nn.Module:
        """Return the module to call for a forward pass."""
        return self.model

    def _pass(self, batch: Batch, precision: str, looked: bool) -> tuple[Tensor, Evidence]:
        """Return losses with their graph, and evidence without it, of the fetched part of ``batch``."""
        model = self._called()
        if (kind := PRECISIONS[precision]) is None:
            output = model(**batch.inputs)
        else:
            with torch.autocast(self.device.type, dtype=kind):
                output = model(**batch.inputs)
        seen = self.objective.see(getattr(output, "logits", output).float(), batch.target, norm=self.norms)
        loss, output = seen.loss.detach(), seen.output.detach()
        log_p = None if seen.log_p is None else seen.log_p.detach()
        # Looks ask for the gradient of the loss that they report, steps for that of the one they descend.
        graph = seen.loss if looked or seen.descended is None else seen.descended
        return graph, Evidence(batch.fetched.index, batch.target, loss, output, looked, self.objective, seen.norm, log_p)

    def _gathered(self, batch: Batch, own: Evidence) -> Evidence:
        """Return the evidence of the whole ``batch``, given this process's ``own``."""
        return own


def put_in_mode(modules: list[nn.Module], training: bool) -> None:
    """Set the training flag of each of ``modules`` directly, which is faster than ``nn.Module``'s own setter."""
    for module in modules:
        object.__setattr__(module, "training", training)
