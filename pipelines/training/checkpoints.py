"""Checkpoints: the training state as JSON and safetensors, for the next stage and for resuming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict, cast

import torch

from components.costs.clock import Clock
from components.engine.training import Training
from components.epoch_records import EpochRecord, epoch_record
from components.run_position import Position
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.core.progress import log_line
from pipelines.core.records import Record
from pipelines.costs.records import EpochEnd
from pipelines.training.shared_checkpoints import Shared

#: Optimizer state by index of the parameter and name of the moment.
Moments = dict[int, dict[str, torch.Tensor | float | None]]
#: Moments that are not tensors, by ``index.name``.
Numbers = dict[str, float | None]


class Facts(TypedDict):
    """The part of a training state that is saved as JSON: all but the tensors."""

    position: dict[str, Any]
    optimizer: Numbers
    scaler: dict[str, Any]
    records: list[dict[str, Any]]


class SavedFacts(Facts):
    """JSON part of a checkpoint: also laps, energy, and the digest of the inputs."""

    clock: dict[str, dict[str, float]]
    metered: dict[str, object]
    key: str


class WarmUpFacts(Facts):
    """JSON part of a warm-up's state: also its origin."""

    origin: dict[str, object]


Tensors = dict[str, torch.Tensor]
State = tuple[Facts, Tensors]


class Metered(Record):
    """Energy of a training when it was saved: kWh by component, totals at epochs' ends, and of validation."""

    kwh: dict[str, float]
    ends: list[EpochEnd]
    apart_kwh: float = 0.0


def pack(training: Training, records: list[EpochRecord]) -> State:
    """Return everything that determines how ``training`` continues; timings are not included."""
    learner = training.learner
    numbers, position = training.settled().record()
    moments, moment_tensors = _flat(learner.optimizer.state_dict()["state"])
    tensors = {f"model.{k}": v for k, v in moving(learner.model).items()}
    tensors |= {f"optimizer.{k}": v for k, v in moment_tensors.items()}
    tensors |= {f"ledger.{k}": v for k, v in training.ledger.tensors().items()}
    tensors |= {f"position.{k}": v for k, v in position.items()}
    tensors |= {f"selector.{k}": torch.from_numpy(v) for k, v in training.selector.state().items()}
    tensors |= {f"rng.{k}": v for k, v in learner.random_state().items()}
    scaler = learner.scaler.state_dict()
    written = [asdict(record) for record in records]
    return {"position": numbers, "optimizer": moments, "scaler": scaler, "records": written}, tensors


def unpack(training: Training, state: State, *, selector: bool = True) -> list[EpochRecord]:
    """Restore ``training`` from ``state``, and return the records of the earlier epochs.

    Args:
        training: built with the same plan as the saved one.
        state: from ``pack``.
        selector: whether to restore the selector's state; False when a method starts from a warm-up.
    """
    facts, tensors = state
    learner = training.learner
    learner.model.load_state_dict(_group(tensors, "model"), strict=False)
    saved = _nested(facts["optimizer"], _group(tensors, "optimizer"))
    groups = learner.optimizer.state_dict()["param_groups"]
    learner.optimizer.load_state_dict({"state": saved, "param_groups": groups})
    _lay_out(learner.optimizer)
    if facts["scaler"]:
        learner.scaler.load_state_dict(facts["scaler"])
    training.ledger.restore(_group(tensors, "ledger"))
    if selector:
        training.selector.restore({k: v.numpy() for k, v in _group(tensors, "selector").items()})
    training.go_on_from(Position.of(facts["position"], _group(tensors, "position")))
    learner.restore_random(_group(tensors, "rng"))
    return [epoch_record(r) for r in facts["records"]]


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Copy each parameter's moments into the parameter's memory layout, as fused steps need it."""
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter.data).copy_(value)


def moving(model: torch.nn.Module) -> Tensors:
    """Return trainable parameters and buffers; frozen parameters are loaded from their source again."""
    moved = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    return moved | {n: b for n, b in model.named_buffers() if n in model.state_dict()}


def _group(tensors: Tensors, name: str) -> Tensors:
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def _flat(state: Moments) -> tuple[Numbers, Tensors]:
    entries = [(f"{i}.{k}", v) for i, values in state.items() for k, v in values.items()]
    tensors = {k: v for k, v in entries if isinstance(v, torch.Tensor)}
    return {k: v for k, v in entries if not isinstance(v, torch.Tensor)}, tensors


def _nested(numbers: Numbers, tensors: Tensors) -> Moments:
    nested: Moments = {}
    for key, value in (*numbers.items(), *tensors.items()):
        index, name = key.split(".", 1)
        nested.setdefault(int(index), {})[name] = value
    return nested


def write_warm_up_state(path: Path, state: State, origin: Mapping[str, object]) -> None:
    """Write the ``state`` that methods start from, with its origin."""
    facts, tensors = state
    artifacts.write_state(path, {**facts, "origin": origin}, tensors)


def read_warm_up_state(path: Path) -> tuple[WarmUpFacts, Tensors]:
    """Return the state written by ``write_warm_up_state``.

    Raises:
        UserError: if the file is missing or incomplete.
    """
    facts, tensors = artifacts.read_state(path)
    return cast("WarmUpFacts", facts), tensors


class Checkpoint:
    """The last saved state of one stage with one set of inputs, outside DVC's outputs."""

    def __init__(self, stage: str, name: str, inputs: object, root: Path = artifacts.HERE) -> None:
        """Set the path from the stage and a digest of everything that its result depends on."""
        self.key = artifacts.digest(inputs)
        self.path: Path = root / artifacts.SCRATCH / "checkpoints" / f"{stage}.{name}.{self.key[:16]}.safetensors"
        self._shared = Shared(self.path)

    def save(
        self,
        training: Training,
        records: list[EpochRecord],
        metered: Metered,
        clock: Clock,
        *,
        best: Tensors | None = None,
        write: bool = True,
    ) -> None:
        """Save atomically, with the ``best`` weights so far if they are kept, and upload to the shared store.

        Every rank must call this, and one of them with ``write``.
        """
        facts, tensors = pack(training, records)
        tensors |= {f"best.{name}": weights for name, weights in (best or {}).items()}
        if write:
            saved: SavedFacts = {**facts, "clock": clock.record(), "metered": metered.dumped(), "key": self.key}
            artifacts.write_state(self.path, saved, tensors)
            self._shared.put()

    def load(self, training: Training) -> tuple[list[EpochRecord], Metered, Tensors] | None:
        """Restore ``training`` from the checkpoint; return records, metered energy and best weights, or None without one.

        Raises:
            UserError: if the file is incomplete or belongs to other inputs.
        """
        if not self.path.exists():
            return None
        facts, tensors = self._read()
        records = unpack(training, (facts, tensors))
        training.clock.laps = Clock.of(facts["clock"]).laps
        return records, Metered.of(facts["metered"]), _group(tensors, "best")

    def take_over(self) -> None:
        """Replace this machine's checkpoint by the shared copy if that is further in training."""
        with self._shared.fetched() as copy:
            if copy is None:
                return
            try:
                theirs = _reached(self._checked(copy)[0])
            except UserError as error:
                self._shared.warn(f"cannot resume from {self.path.name}: {error}")
                return
            if not self.path.exists() or theirs > _reached(self._read()[0]):
                copy.replace(self.path)
                log_line(f"winnow: {self.path.name}: resumes from the shared copy, epoch {theirs[0] + 1}, step {theirs[2]:,}")

    def _read(self) -> tuple[SavedFacts, Tensors]:
        try:
            return self._checked(self.path)
        except UserError as error:
            raise UserError(f"{error}; delete it to train from the start") from None

    def _checked(self, path: Path) -> tuple[SavedFacts, Tensors]:
        """Return the content of a checkpoint file, after checking its inputs."""
        facts, tensors = artifacts.read_state(path)
        if (found := facts.get("key")) != self.key:
            raise UserError(f"{path}: must be a checkpoint of the inputs {self.key}, got {found}")
        return cast("SavedFacts", facts), tensors

    def remove(self) -> None:
        """Delete the checkpoint and its shared copy, once the stage is done."""
        self.path.unlink(missing_ok=True)
        self._shared.remove()


def _reached(facts: Facts) -> tuple[int, int, int]:
    """Return how far a state is in training, by its counts, not by any clock."""
    position = facts["position"]
    return position["epoch"], position["drawn"], position["steps"]
