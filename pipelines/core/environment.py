"""Environment variables of the project: name, meaning, type, bounds, default."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipelines.core.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Variable(Generic[T]):
    """An environment variable.

    Attributes:
        name: of the variable.
        means: its meaning, for the documentation.
        default: value if it is unset or empty.
        parse: returns the value of its text, or raises ValueError.
        must: requirement on the value, for the error.
        hint: a valid value, for the error.
    """

    name: str
    means: str
    default: T
    parse: Callable[[str], T]
    must: str = ""
    hint: str = ""

    @property
    def is_set(self) -> bool:
        """Whether the variable is set and not empty."""
        return bool(os.environ.get(self.name))

    def value(self) -> T:
        """Return the variable's value.

        Raises:
            UserError: naming the variable, its requirement, and a valid value.
        """
        text = os.environ.get(self.name)
        if not text:
            return self.default
        try:
            return self.parse(text)
        except ValueError:
            hint = f"; {self.hint}" if self.hint else ""
            raise UserError(f"{self.name}: must be {self.must}, got {text!r}{hint}") from None

    def set(self, text: str) -> None:
        """Set the variable for this process and its children."""
        os.environ[self.name] = text


def between(least: float, most: float = float("inf")) -> Callable[[str], float]:
    """Return a parser of numbers from ``least`` to ``most``."""

    def parse(text: str) -> float:
        if not least <= (number := float(text)) <= most:
            raise ValueError
        return number

    return parse


def _above_zero(text: str) -> float:
    if not (number := float(text)) > 0:
        raise ValueError
    return number


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise ValueError
    return int(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 65_536):
        raise ValueError
    return int(text)


def _text(name: str, means: str, default: str = "") -> Variable[str]:
    return Variable(name, means, default, str)


def _port_of(server: str, usual: int) -> Variable[int]:
    name = f"WINNOW_{server.upper()}_PORT"
    return Variable(name, f"port of {server}'s server, for make up", usual, _port, "a port from 1 to 65535")


DEVICE = _text("WINNOW_DEVICE", "device to train on: cpu, cuda, cuda:1")
CACHE = _text("WINNOW_CACHE", "folder of downloaded archives, shared by all clones")
CHECKPOINT_SECONDS = Variable(
    "WINNOW_CHECKPOINT_SECONDS", "seconds between checkpoints inside an epoch", 60.0, between(0),
    "a number, 0 or more", "60 for example",
)  # fmt: skip
CHECKPOINTS = _text("WINNOW_CHECKPOINTS", "folder or address where machines share checkpoints")
RANK_TIMEOUT = Variable(
    "WINNOW_RANK_TIMEOUT", "seconds after which ranks give up on one that hangs", 600.0, _above_zero,
    "seconds above 0", "one that works: 600",
)  # fmt: skip
STAGES = Variable(
    "WINNOW_STAGES",
    "stages that a flow runs at once on this machine; unset: as many as it has cores and memory for, and 1 with a GPU",
    0, _count, "a whole number, 1 or more", "one at a time: 1",
)  # fmt: skip
LOST_SECONDS = Variable(
    "WINNOW_LOST_SECONDS", "seconds without a heartbeat after which an agent counts as lost", 60.0, between(10, 86_400),
    "from 10 to 86400 seconds", "the usual is 60",
)  # fmt: skip
DVC_REMOTE = _text("WINNOW_DVC_REMOTE", "address of the DVC remote that agents share")
GIT_REMOTE = _text("WINNOW_GIT_REMOTE", "git remote that agents take revisions from", "origin")
PREFECT_PORT, MLFLOW_PORT = _port_of("Prefect", 4200), _port_of("MLflow", 5000)
#: Variables that users set; all are documented.
PUBLIC = (
    DEVICE, CACHE, CHECKPOINT_SECONDS, CHECKPOINTS, STAGES, RANK_TIMEOUT, LOST_SECONDS, DVC_REMOTE, GIT_REMOTE, PREFECT_PORT,
    MLFLOW_PORT,
)  # fmt: skip

#: Set by the project for the processes that it starts: an agent's clone, a stage's progress file, a flow's fork
#: server, and for the ranks of a stage the folder of their end reports, and whether they are quiet.
CLONE = _text("WINNOW_CLONE", "an agent's clone", ".")
PROGRESS = _text("WINNOW_PROGRESS", "file of a stage's progress")
IN_RANKS = _text("WINNOW_IN_RANKS", "folder where a stage's ranks report how they ended")
FORK_SERVER = _text("WINNOW_FORK_SERVER", "socket of a flow's fork server")
QUIET = _text("WINNOW_QUIET", "whether ranks print nothing")
