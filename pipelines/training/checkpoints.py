"""Checkpoints: the training state as JSON and safetensors, for the next stage and for resuming."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from components.costs.energy import Clock
from components.engine.training import Training
from components.records import EpochRecord
from components.trainer_state import Position
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.core.progress import say
from pipelines.training.checkpoint_store import Shared

State = tuple[dict[str, Any], dict[str, torch.Tensor]]


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
    facts = {"position": numbers, "optimizer": moments, "scaler": scaler, "records": [asdict(r) for r in records]}
    return facts, tensors


def unpack(training: Training, state: State, *, selector: bool = True) -> list[EpochRecord]:
    """Put ``training`` where ``state`` was, and return the records of the epochs before.

    Args:
        training: built as the saved one was.
        state: of ``pack``.
        selector: whether the saved selector's state is taken over too; not so where a warm-up hands over to a method.
    """
    numbers, tensors = state
    learner = training.learner
    learner.model.load_state_dict(_group(tensors, "model"), strict=False)
    saved = _nested(numbers["optimizer"], _group(tensors, "optimizer"))
    groups = learner.optimizer.state_dict()["param_groups"]
    learner.optimizer.load_state_dict({"state": saved, "param_groups": groups})
    _lay_out(learner.optimizer)
    if numbers["scaler"]:
        learner.scaler.load_state_dict(numbers["scaler"])
    training.ledger.restore(_group(tensors, "ledger"))
    if selector:
        training.selector.restore({k: v.numpy() for k, v in _group(tensors, "selector").items()})
    training.go_on_from(Position.of(numbers["position"], _group(tensors, "position")))
    learner.restore_random(_group(tensors, "rng"))
    return [EpochRecord(**r) for r in numbers["records"]]


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Lay the moments of each parameter out in memory as it is: fused steps go through both as they lie."""
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter.data).copy_(value)


def _moving(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters that training moves, and the buffers; what is frozen comes from its source again."""
    moved = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    return moved | {n: b for n, b in model.named_buffers() if n in model.state_dict()}


def _group(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def _flat(state: dict[int, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    entries = [(f"{i}.{k}", v) for i, values in state.items() for k, v in values.items()]
    tensors = {k: v for k, v in entries if isinstance(v, torch.Tensor)}
    return {k: v for k, v in entries if k not in tensors}, tensors


def _nested(numbers: dict[str, Any], tensors: dict[str, torch.Tensor]) -> dict[int, dict[str, Any]]:
    nested: dict[int, dict[str, Any]] = {}
    for key, value in (numbers | tensors).items():
        index, name = key.split(".", 1)
        nested.setdefault(int(index), {})[name] = value
    return nested


class Checkpoint:
    """The last saved state of one stage with one set of inputs, outside DVC's outputs."""

    def __init__(self, stage: str, name: str, inputs: object) -> None:
        """Name it after the stage and everything its result depends on: other inputs never find it."""
        self.key = artifacts.digest(inputs)
        self.path: Path = artifacts.SCRATCH / "checkpoints" / f"{stage}.{name}.{self.key[:16]}.safetensors"
        self._shared = Shared(self.path)

    def save(
        self, training: Training, records: list[EpochRecord], metered: dict[str, Any], clock: Clock, *, write: bool = True
    ) -> None:
        """Write all of it, or nothing, and a copy where agents share them; every rank packs, one is to ``write``."""
        numbers, tensors = pack(training, records)
        spent = {"clock": clock.record(), "metered": metered, "key": self.key}
        if write:
            artifacts.write_state(self.path, numbers | spent, tensors)
            self._shared.put()

    def load(self, training: Training) -> tuple[list[EpochRecord], dict[str, Any]] | None:
        """Put ``training`` where the checkpoint was; return the records and what was metered so far, or None without one.

        Raises:
            UserError: for one that is not whole, or was renamed from that of other inputs.
        """
        if not self.path.exists():
            return None
        numbers, tensors = self._read()
        records = unpack(training, (numbers, tensors))
        training.clock.laps = Clock.of(numbers["clock"]).laps
        return records, numbers["metered"]

    def take_over(self) -> None:
        """Take the shared copy in the place of this machine's own, where it is farther in training."""
        with self._shared.fetched() as copy:
            if copy is None:
                return
            try:
                theirs = _reached(self._checked(copy))
            except UserError as error:
                self._shared.warn(f"{self.path.name} is not gone on with: {error}")
                return
            if not self.path.exists() or theirs > _reached(self._read()):
                copy.replace(self.path)
                say(f"winnow: {self.path.name}: goes on from the shared copy, epoch {theirs[0] + 1}, step {theirs[2]:,}")

    def _read(self) -> State:
        try:
            return self._checked(self.path)
        except UserError as error:
            raise UserError(f"{error}; delete it to train from the start") from None

    def _checked(self, path: Path) -> State:
        """Return what is in a file of these inputs."""
        numbers, tensors = artifacts.read_state(path)
        if (found := numbers.get("key")) != self.key:
            raise UserError(f"{path}: must be of the inputs {self.key}, got {found}")
        return numbers, tensors

    def remove(self) -> None:
        """Forget it: the stage is done."""
        self.path.unlink(missing_ok=True)
        self._shared.remove()


def _reached(state: State) -> tuple[int, int, int]:
    """Return how far a state is in training: no clock of any machine is asked."""
    position = state[0]["position"]
    return position["epoch"], position["drawn"], position["steps"]
