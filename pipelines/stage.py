"""What every stage's command does around its work: one clear error, one run at a time, no orphan, a clean end."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from pipelines import collector
from pipelines.artifacts import SCRATCH, write_json
from pipelines.errors import RankError, UserError, unknown

#: Set by SIGINT and SIGTERM; training looks at it after every batch, saves itself and ends.
STOP = threading.Event()
PR_SET_PDEATHSIG = 1
FAILED, BAD_INPUT, STOPPED = 1, 2, 130
FAILURES = SCRATCH / "failures"
#: Stages that go by the plan.
BY_PLAN = ("prepare", "warm_up", "subset", "train", "evaluate", "account", "compare", "diagnose")
#: In the environment of a stage's ranks (pipelines/ranks.py): the folder where they say how they ended, and whether quietly.
IN_RANKS, QUIET = "WINNOW_IN_RANKS", "WINNOW_QUIET"


class Stopped(Exception):  # noqa: N818 - not an error
    """The run was asked to end and has saved where it was."""


def main(
    stage: str,
    work: Callable[..., int | None],
    *,
    named: Callable[[], list[str]] | None = None,
    file: bool = False,
    model: bool = False,
) -> None:
    """Run ``work`` as the command of ``stage`` and exit: 0 done, 1 failed, 2 bad input, 130 stopped.

    Args:
        stage: for the lock and for messages.
        work: takes the name on the command line, if there is one; may return the exit status, having said why.
        named: returns the names there are; None for a stage without.
        file: whether it takes a file instead, or none.
        model: whether it loads one, and calls ``collector.loaded`` then.
    """
    collector.spare(loading=model)
    _die_with_parent()
    end_when_asked()
    _wait_asleep()
    if IN_RANKS in os.environ:
        sys.exit(_as_rank(work))
    address = stage if file else "@".join([stage, *sys.argv[1:]])
    try:
        arguments = sys.argv[1:2] if file else _arguments(stage, named)
        with alone(address):
            if stage in BY_PLAN:
                _look_at_plan()
            (FAILURES / address).unlink(missing_ok=True)
            code = work(*arguments)
    except UserError as error:
        sys.exit(_said(address, str(error), BAD_INPUT))
    except RankError as error:
        sys.exit(_said(address, str(error), FAILED))
    except Stopped:
        sys.exit(_said(address, "stopped; the next call goes on from here", STOPPED))
    except KeyboardInterrupt:
        sys.exit(_said(address, "stopped", STOPPED))
    except Exception as error:
        _said(address, f"failed: {type(error).__name__}: {error}", FAILED)
        raise
    if code:
        sys.exit(code)


def _look_at_plan() -> None:
    """Say so where the plan is not of params.yaml as it is now."""
    from pipelines.fresh import check

    check()


def _said(address: str, text: str, code: int) -> int:
    """Say how a stage ended, to the person and to the flow that started it."""
    sys.stderr.write(f"winnow {address}: {text}\n")
    with suppress(OSError):
        FAILURES.mkdir(parents=True, exist_ok=True)
        (FAILURES / address.replace("/", "_")).write_text(json.dumps({"code": code, "message": text}), encoding="utf-8")
    return code


def _as_rank(work: Callable[..., int | None]) -> int:
    """Do ``work`` as one of a stage's ranks, whose lock is held and whose end is said by the process that started them.

    Ranks that are asked to end do so together, and it is no failure: after one, ``torchrun`` kills the others.
    """
    from pipelines.progress import quiet

    try:
        with quiet() if os.environ[QUIET] else nullcontext():
            work(*sys.argv[1:])
        _part()
    except UserError as error:
        return _rank_said(str(error), BAD_INPUT)
    except (Stopped, KeyboardInterrupt):
        _rank_said("stopped", STOPPED)
        _part()
    except Exception as error:
        return _rank_said(f"failed: {type(error).__name__}: {error}", FAILED)
    return 0


def _part() -> None:
    """Let go of the other ranks, as one does that has done with them."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _rank_said(text: str, code: int) -> int:
    rank = int(os.environ["RANK"])
    said = {"rank": rank, "code": code, "message": text, "trace": traceback.format_exc(), "time": time.time()}
    write_json(Path(os.environ[IN_RANKS]) / f"{rank}.json", said)
    return code


def failure_of(address: str) -> dict[str, Any] | None:
    """Return the code and message with which the stage at ``address`` ended last, or None if it ended well or was killed."""
    path = FAILURES / address
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _arguments(stage: str, named: Callable[[], list[str]] | None) -> list[str]:
    given = sys.argv[1:]
    wanted = 0 if named is None else 1
    if len(given) != wanted:
        raise UserError(f"python -m pipelines.{stage} takes {wanted} name{'s' * (wanted != 1)}, got {len(given)}")
    if named is not None and given[0] not in (names := named()):
        raise UserError(unknown(f"{given[0]!r}", "name in params.yaml's comparison", given[0], names))
    return given


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the lock of ``name`` in this working copy.

    Raises:
        UserError: where another process holds it, or the folder cannot be written to.
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
            raise UserError(f"{name}: process {file.read().strip()} is at it in {Path.cwd()}; wait for it, or end it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, when no other process does any more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _die_with_parent() -> None:
    """Ask the kernel to end this process with its parent, so that a killed flow or dvc leaves no training behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_asleep() -> None:
    """Let threads that wait for each other sleep: spinning, they take the cores that the others need, and count as CPU time.

    Measured on two cores with another process on one: 40 s an epoch in place of 66 s; alone: 23 s in place of 25 s.
    """
    for name, value in {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}.items():
        os.environ.setdefault(name, value)


def end_when_asked() -> None:
    """Let SIGINT and SIGTERM set ``STOP``; a second one interrupts."""

    def ask(number: int, frame: FrameType | None) -> None:
        if STOP.is_set():
            raise KeyboardInterrupt
        STOP.set()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
