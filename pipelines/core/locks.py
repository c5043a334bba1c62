"""File locks of this working copy: one process per stage."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.core.artifacts import SCRATCH
from pipelines.core.errors import UserError


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the lock ``name`` of this working copy.

    Raises:
        UserError: if another process holds it, or the folder is not writable.
    """
    path = SCRATCH / "locks" / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            running = f"{name} is already running in {Path.cwd()} (pid {file.read().strip()})"
            raise UserError(f"{running}; wait for it or stop it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Wait for the lock file ``path``, and hold it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
