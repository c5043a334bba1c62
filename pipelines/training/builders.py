"""Builders of a run's parts: device, determinism, learner, look sizes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from components.engine.distributed import DistributedLearner, Group
from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.engine.schedules import Schedule
from components.evidence.ledger import logit_dimensions
from pipelines.config.plans import TrainingPlan
from pipelines.config.schema.training import Training
from pipelines.core import artifacts
from pipelines.core.environment import DEVICE, IN_RANKS
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest
from pipelines.sources import pretrained
from pipelines.training import models
from pipelines.training.objectives import objective_of
from pipelines.training.recomputation import recompute

if TYPE_CHECKING:
    from components.engine.distributed import Ranks

#: Training batches per forward pass of a look on a GPU, by default.
LOOK_BATCHES = 16


def device() -> torch.device:
    """Return the device to run on: ``WINNOW_DEVICE``, else a GPU if there is one.

    Each rank has its own.
    """
    chosen = _device_named(DEVICE.value() or ("cuda" if torch.cuda.is_available() else "cpu"))
    if chosen.type == "cuda" and IN_RANKS.is_set:
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    return chosen


def _device_named(name: str) -> torch.device:
    """Return the device called ``name``.

    Raises:
        UserError: if it does not exist.
    """
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    try:
        chosen = torch.device(name)
    except RuntimeError:
        nearest = "cuda" if found else "cpu"
        raise UserError(
            f"WINNOW_DEVICE: must be cpu, cuda or cuda:1, got {name!r}; the nearest that works is {nearest}"
        ) from None
    if chosen.type == "cuda" and (chosen.index or 0) >= found:
        nearest = f"cuda:{found - 1}" if found else "cpu"
        raise UserError(
            f"WINNOW_DEVICE: must be an existing device, got {name!r} with {found} GPUs; the nearest that works is {nearest}"
        )
    return chosen


def prepare_torch(training: Training, seed: int) -> torch.device:
    """Set threads and seeds, and deterministic kernels if ``training`` asks for them; return the device."""
    pretrained.quiet()
    torch.set_num_threads(training.threads)
    # Gradients of learnt examples are denormal, which is slow on a CPU: a backward pass took 2.5 times as long.
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    # cuBLAS is deterministic with a workspace per stream, and reads this setting at its first use.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # The same switch as use_deterministic_algorithms, without its import of the compiler, which takes longer than torch's own.
    torch.set_deterministic_debug_mode("error" if training.deterministic else "default")
    # Deterministic mode would also fill uninitialised memory, to find faults of kernels, which takes 2.7 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return device()


def refuse_unrepeatable(error: RuntimeError, task: str) -> None:
    """Raise a UserError with advice if ``error`` is about a kernel without a deterministic implementation."""
    what, found, _ = str(error).partition(" does not have a deterministic implementation")
    if found:
        raise UserError(
            f"params.yaml: tasks.{task}.training.deterministic: must be false on {device().type} for this model, whose {what} "
            "has no deterministic implementation there, got true; repeated runs then differ"
        ) from None


def learner_of(plan: TrainingPlan, manifest: Manifest, chosen: torch.device, length: float) -> Learner:
    """Return the planned model on ``chosen`` with its optimizer, and a schedule over ``length`` epochs."""
    return learner(plan.training, manifest, placed(models.build(plan.model, manifest), chosen), length)


def placed(model: nn.Module, chosen: torch.device) -> nn.Module:
    """Return ``model`` on ``chosen``.

    On a CPU it gets channels last, which takes 0.6 to 0.85 of the time for small CNNs.
    """
    if chosen.type == "cpu":
        for kernel in (parameter for parameter in model.parameters() if parameter.dim() == 4):
            # Unlike `contiguous`, this also changes strides of single-channel kernels, by which the implementation is chosen.
            kernel.data = kernel.data.to(memory_format=torch.channels_last)
    return model.to(chosen)


def synchronised(model: nn.Module, ranks: Ranks, task: str) -> nn.Module:
    """Return ``model`` with batch norms that synchronise their statistics over all ranks.

    Raises:
        UserError: on a CPU, where that is impossible.
    """
    norms = [name for name, _ in _batch_norms(model)]
    if ranks.count == 1 or not norms:
        return model
    if next(model.parameters()).device.type == "cpu":
        raise UserError(
            f"params.yaml: tasks.{task}.training.devices: must be 1 on a CPU for a model with batch norm (its layer "
            f"'{norms[0]}'), which would see only a part of each batch, got {ranks.count}; GPUs synchronise it"
        )
    return nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-any-return]


def learner(
    training: Training,
    manifest: Manifest,
    model: nn.Module,
    length: float,
    ranks: Ranks | None = None,
    *,
    factor: float = 1.0,
) -> Learner:
    """Return ``model`` with the planned optimizer and a schedule over ``length`` epochs, distributed over ``ranks``.

    ``factor`` scales the planned learning rate.
    """
    settings = training.optimizer
    rate, momentum = factor * settings.learning_rate, {} if settings.momentum is None else {"momentum": settings.momentum}
    optimizer = build_optimizer(model, settings.name, rate, fused=True, weight_decay=settings.weight_decay, **momentum)
    schedule = Schedule(**training.schedule.model_dump(), end=length)
    if training.compile:
        model.compile()
    objective = objective_of(training, manifest, next(model.parameters()).device)
    if training.micro_batch is not None:
        _check_norms(
            model, manifest.task, "micro_batch: must be left out", "be those of a part of each batch", training.micro_batch
        )
    if training.checkpoint_activations:
        _check_norms(model, manifest.task, "checkpoint_activations: must be false", "follow each batch twice", "true")
        recompute(model, manifest.task)
    settled = (training.precision, training.look_precision, training.clip_norm, training.micro_batch)
    if isinstance(ranks, Group):
        return DistributedLearner(model, optimizer, schedule, objective, *settled, group=ranks)
    return Learner(model, optimizer, schedule, objective, *settled)


def _check_norms(model: nn.Module, task: str, refused: str, done: str, got: object) -> None:
    """Raise UserError for a model with batch norms that learn, whose statistics would be wrong."""
    before = model.training
    model.train()
    norms = [name for name, module in _batch_norms(model) if module.training]
    model.train(before)
    if norms:
        raise UserError(
            f"params.yaml: tasks.{task}.training.{refused} for a model with batch norm (its layer '{norms[0]}'), whose "
            f"statistics would {done}, got {got}"
        )


def _batch_norms(model: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(n, m) for n, m in model.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001


def look_batch(training: Training, chosen: torch.device) -> int:
    """Return the examples per gradient-free forward pass: as planned, or the largest number that pays (benchmarks/).

    On a CPU the activations of more than two batches exceed its caches; a GPU is faster with more.
    """
    return training.look_batch or (2 if chosen.type == "cpu" else LOOK_BATCHES) * training.batch_size


def storage(examples: int, outputs: int, chosen: torch.device, root: Path = artifacts.HERE) -> torch.Tensor:
    """Return storage for the last logits ``(N, d)``: in memory if small, else memory-mapped on disk."""
    d = logit_dimensions(examples, outputs)
    if d == outputs or chosen.type != "cpu":
        return torch.zeros(examples, d, device=chosen)
    return artifacts.mapped(root, examples, d)
