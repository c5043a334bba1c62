"""What a run is built from: the device it runs on, what makes it repeat, the planned learner, and the sizes of its looks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from components.evidence import logit_dimensions
from components.learner import Learner, build_optimizer
from components.objectives import OBJECTIVES
from components.schedules import Schedule
from pipelines import artifacts, models, pretrained

if TYPE_CHECKING:
    from torch import nn

#: Choosing costs per look, whatever its size: training batches in one, where nothing else is said (benchmarks/) ...
LOOK_BATCHES = 16
#: ... but this many looks an epoch at least.
LOOKS_AN_EPOCH = 8


def device() -> torch.device:
    """Return the device to run on: ``WINNOW_DEVICE``, else a GPU if there is one."""
    return torch.device(os.environ.get("WINNOW_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))


def prepare_torch(training: dict[str, Any], seed: int) -> torch.device:
    """Set what makes runs repeat: threads, seeds, and on a CPU deterministic kernels."""
    pretrained.quiet()
    torch.set_num_threads(training["threads"])
    # Gradients of what is learnt are too small for a CPU's fast path: a backward pass took 2.5 times as long.
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    place = device()
    # The same switch as use_deterministic_algorithms, without its import of the compiler, which takes longer than torch's own.
    torch.set_deterministic_debug_mode("error" if place.type == "cpu" else "default")
    # It would also fill memory that is about to be written to, which finds mistakes in kernels and takes 2.7 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return place


def learner_of(plan: dict[str, Any], manifest: dict[str, Any], place: torch.device, length: float) -> Learner:
    """Return the planned model on ``place`` with its optimizer, and a schedule over ``length`` epochs."""
    return learner(plan, manifest, models.build(plan["model"], manifest).to(place), length)


def learner(plan: dict[str, Any], manifest: dict[str, Any], model: nn.Module, length: float) -> Learner:
    """Return ``model`` with the planned optimizer, and a schedule over ``length`` epochs."""
    training = plan["training"]
    options = {k: v for k, v in training["optimizer"].items() if v is not None}
    optimizer = build_optimizer(model, options.pop("name"), options.pop("learning_rate"), fused=True, **options)
    schedule = Schedule(**training["schedule"], end=length)
    if training["compile"]:
        model.compile()
    objective = OBJECTIVES[manifest["target"]]
    precisions = {k: training[k] for k in ("precision", "look_precision")}
    return Learner(model, optimizer, schedule, objective, clip_norm=training["clip_norm"], **precisions)


def look_size(training: dict[str, Any], examples: int) -> int:
    """Return how many examples door 3 chooses among: as asked, or so many that choosing is cheap, and looks are not too few."""
    most = LOOK_BATCHES * training["batch_size"]
    return int(training["look_size"] or max(training["batch_size"], min(most, examples // LOOKS_AN_EPOCH)))


def look_batch(training: dict[str, Any], place: torch.device) -> int:
    """Return the examples of a forward pass without gradients: as asked, or the largest that pays (benchmarks/).

    On a CPU the activations of more than two batches leave its caches; a GPU is the faster the more it is given.
    """
    if training["look_batch"]:
        return int(training["look_batch"])
    return (2 if place.type == "cpu" else LOOK_BATCHES) * int(training["batch_size"])


def storage(examples: int, outputs: int, place: torch.device) -> torch.Tensor:
    """Return room for the last logits ``(N, d)``: in memory while that is small, else on disk, memory-mapped."""
    d = logit_dimensions(examples, outputs)
    if d == outputs or place.type != "cpu":
        return torch.zeros(examples, d, device=place)
    return artifacts.mapped(examples, d)
