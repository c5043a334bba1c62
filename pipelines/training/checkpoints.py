"""Checkpoints: the training state as JSON and safetensors, for the next stage and for resuming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict, cast

import torch

from components.costs.energy import Clock
from components.engine.training import Training
from components.epoch_records import EpochRecord
from components.run_position import Position
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.core.progress import log_line
from pipelines.core.records import Record
from pipelines.costs.records import EpochEnd
from pipelines.training.checkpoint_store import Shared

#: What an optimizer keeps of a parameter, by the parameter's place and the name of the moment.
Moments = dict[int, dict[str, torch.Tensor | float | None]]
#: Those moments that are no tensors, by ``place.name``.
Numbers = dict[str, float | None]


class Facts(TypedDict):
    """What of a state is no tensor, as JSON holds it."""

    position: dict[str, Any]
    optimizer: Numbers
    scaler: dict[str, Any]
    records: list[dict[str, Any]]


class SavedFacts(Facts):
    """The facts of a checkpoint: the clock's laps, what was ``metered``, and the digest of the inputs."""

    clock: dict[str, dict[str, float]]
    metered: dict[str, object]
    key: str


class WarmUpFacts(Facts):
    """The facts of what a warm-up left, with what it was made from."""

    origin: dict[str, object]


Tensors = dict[str, torch.Tensor]
State = tuple[Facts, Tensors]


class Metered(Record):
    """What a training had spent when it was saved: energy by part in kWh, and all at each epoch's end."""

    kwh: dict[str, float]
    ends: list[EpochEnd]


def pack(training: Training, records: list[EpochRecord]) -> State:
    """Return everything that decides how ``training`` goes on; timings are not among it."""
    learner = training.learner
    numbers, position = training.settled().record()
    moments, moment_tensors = _flat(learner.optimizer.state_dict()["state"])
    tensors = {f"model.{k}": v for k, v in _moving(learner.model).items()}
    tensors |= {f"optimizer.{k}": v for k, v in moment_tensors.items()}
    tensors |= {f"ledger.{k}": v for k, v in training.ledger.tensors().items()}
    tensors |= {f"position.{k}": v for k, v in position.items()}
    tensors |= {f"selector.{k}": torch.from_numpy(v) for k, v in training.selector.state().items()}
    tensors |= {f"rng.{k}": v for k, v in learner.random_state().items()}
    scaler = learner.scaler.state_dict()
    told = [asdict(record) for record in records]
    return {"position": numbers, "optimizer": moments, "scaler": scaler, "records": told}, tensors


def unpack(training: Training, state: State, *, selector: bool = True) -> list[EpochRecord]:
    """Put ``training`` where ``state`` was, and return the records of the epochs before.

    Args:
        training: built as the saved one was.
        state: of ``pack``.
        selector: whether the saved selector's state is taken over too; not so where a warm-up hands over to a method.
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
    return [EpochRecord(**r) for r in facts["records"]]


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Lay the moments of each parameter out in memory as it is: fused steps go through both as they lie."""
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter.data).copy_(value)


def _moving(model: torch.nn.Module) -> Tensors:
    """Return the parameters that training moves, and the buffers; what is frozen comes from its source again."""
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
    """Write the ``state`` from where methods go on, with what it was made from."""
    facts, tensors = state
    artifacts.write_state(path, {**facts, "origin": origin}, tensors)


def read_warm_up_state(path: Path) -> tuple[WarmUpFacts, Tensors]:
    """Return what ``write_warm_up_state`` wrote.

    Raises:
        UserError: where the file is missing or not whole.
    """
    facts, tensors = artifacts.read_state(path)
    return cast("WarmUpFacts", facts), tensors


class Checkpoint:
    """The last saved state of one stage with one set of inputs, outside DVC's outputs."""

    def __init__(self, stage: str, name: str, inputs: object, root: Path = artifacts.HERE) -> None:
        """Name it after the stage and everything its result depends on: other inputs never find it."""
        self.key = artifacts.digest(inputs)
        self.path: Path = root / artifacts.SCRATCH / "checkpoints" / f"{stage}.{name}.{self.key[:16]}.safetensors"
        self._shared = Shared(self.path)

    def save(
        self, training: Training, records: list[EpochRecord], metered: Metered, clock: Clock, *, write: bool = True
    ) -> None:
        """Write all of it, or nothing, and a copy where agents share them; every rank packs, one is to ``write``."""
        facts, tensors = pack(training, records)
        if write:
            saved: SavedFacts = {**facts, "clock": clock.record(), "metered": metered.dumped(), "key": self.key}
            artifacts.write_state(self.path, saved, tensors)
            self._shared.put()

    def load(self, training: Training) -> tuple[list[EpochRecord], Metered] | None:
        """Put ``training`` where the checkpoint was; return the records and what was metered so far, or None without one.

        Raises:
            UserError: for one that is not whole, or was renamed from that of other inputs.
        """
        if not self.path.exists():
            return None
        facts, tensors = self._read()
        records = unpack(training, (facts, tensors))
        training.clock.laps = Clock.of(facts["clock"]).laps
        return records, Metered.of(facts["metered"])

    def take_over(self) -> None:
        """Take the shared copy in the place of this machine's own, where it is farther in training."""
        with self._shared.fetched() as copy:
            if copy is None:
                return
            try:
                theirs = _reached(self._checked(copy)[0])
            except UserError as error:
                self._shared.warn(f"{self.path.name} is not gone on with: {error}")
                return
            if not self.path.exists() or theirs > _reached(self._read()[0]):
                copy.replace(self.path)
                log_line(f"winnow: {self.path.name}: goes on from the shared copy, epoch {theirs[0] + 1}, step {theirs[2]:,}")

    def _read(self) -> tuple[SavedFacts, Tensors]:
        try:
            return self._checked(self.path)
        except UserError as error:
            raise UserError(f"{error}; delete it to train from the start") from None

    def _checked(self, path: Path) -> tuple[SavedFacts, Tensors]:
        """Return what is in a file of these inputs."""
        facts, tensors = artifacts.read_state(path)
        if (found := facts.get("key")) != self.key:
            raise UserError(f"{path}: must be of the inputs {self.key}, got {found}")
        return cast("SavedFacts", facts), tensors

    def remove(self) -> None:
        """Forget it: the stage is done."""
        self.path.unlink(missing_ok=True)
        self._shared.remove()


def _reached(facts: Facts) -> tuple[int, int, int]:
    """Return how far a state is in training: no clock of any machine is asked."""
    position = facts["position"]
    return position["epoch"], position["drawn"], position["steps"]
