"""Entry point of every stage: lock, signals, one clear error, exit codes."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.core import python_gc
from pipelines.core.artifacts import HERE, SCRATCH, write_json
from pipelines.core.environment import IN_RANKS, QUIET
from pipelines.core.errors import RankError, Stopped, UserError, unknown
from pipelines.core.locks import alone
from pipelines.core.signals import die_with_parent, handle_signals

FAILED, BAD_INPUT, STOPPED = 1, 2, 130
FAILURES = SCRATCH / "failures"


@dataclass(frozen=True)
class Failure:
    """How a stage ended that did not end well: its exit status, and why."""

    code: int
    message: str


@dataclass(frozen=True)
class RankEnd:
    """How a rank of a stage ended that did not end well, with the ``trace`` of the error and the ``time`` of it."""

    rank: int
    code: int
    message: str
    trace: str
    time: float


def main(
    stage: str,
    work: Callable[..., int | None],
    *,
    named: Callable[[], list[str]] | None = None,
    file: bool = False,
    model: bool = False,
    before: Callable[[], None] | None = None,
) -> None:
    """Run ``work`` as the command of ``stage`` and exit: 0 done, 1 failed, 2 bad input, 130 stopped.

    Args:
        stage: for the lock and for messages.
        work: takes the name on the command line, if there is one; may return the exit status, having said why.
        named: returns the names there are; None for a stage without.
        file: whether it takes a file instead, or none.
        model: whether it loads one, and calls ``python_gc.loaded`` then.
        before: is called first, under the stage's lock.
    """
    python_gc.spare(loading=model)
    die_with_parent()
    handle_signals()
    _wait_asleep()
    if IN_RANKS.is_set:
        sys.exit(_as_rank(work))
    address = stage if file else "@".join([stage, *sys.argv[1:]])
    try:
        arguments = sys.argv[1:2] if file else _arguments(stage, named)
        with alone(address):
            if before is not None:
                before()
            (FAILURES / address).unlink(missing_ok=True)
            code = work(*arguments)
    except UserError as error:
        sys.exit(_report_end(address, str(error), BAD_INPUT))
    except RankError as error:
        sys.exit(_report_end(address, str(error), FAILED))
    except Stopped:
        sys.exit(_report_end(address, "stopped; the next call goes on from here", STOPPED))
    except KeyboardInterrupt:
        sys.exit(_report_end(address, "stopped", STOPPED))
    except Exception as error:
        _report_end(address, f"failed: {type(error).__name__}: {error}", FAILED)
        raise
    if code:
        sys.exit(code)


def _report_end(address: str, text: str, code: int) -> int:
    """Say how a stage ended, to the person and to the flow that started it."""
    sys.stderr.write(f"winnow {address}: {text}\n")
    with suppress(OSError):
        FAILURES.mkdir(parents=True, exist_ok=True)
        (FAILURES / address.replace("/", "_")).write_text(json.dumps(asdict(Failure(code, text))), encoding="utf-8")
    return code


def _as_rank(work: Callable[..., int | None]) -> int:
    """Do ``work`` as one of a stage's ranks, whose lock is held and whose end is said by the process that started them.

    Ranks that are asked to end do so together, and it is no failure: after one, ``torchrun`` kills the others.
    """
    from pipelines.core.progress import quiet

    try:
        with quiet() if QUIET.is_set else nullcontext():
            name, root = sys.argv[1:]
            work(name, Path(root))
        _part()
    except UserError as error:
        return _report_rank_end(str(error), BAD_INPUT)
    except (Stopped, KeyboardInterrupt):
        _report_rank_end("stopped", STOPPED)
        _part()
    except Exception as error:
        return _report_rank_end(f"failed: {type(error).__name__}: {error}", FAILED)
    return 0


def _part() -> None:
    """Let go of the other ranks, as one does that has done with them."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _report_rank_end(text: str, code: int) -> int:
    rank = int(os.environ["RANK"])
    said = RankEnd(rank, code, text, traceback.format_exc(), time.time())
    write_json(Path(IN_RANKS.value()) / f"{rank}.json", asdict(said))
    return code


def failure_of(address: str, root: Path = HERE) -> Failure | None:
    """Return how the stage at ``address`` in the folder ``root`` ended last, or None if it ended well or was killed."""
    path = root / FAILURES / address
    if not path.exists():
        return None
    said = json.loads(path.read_text(encoding="utf-8"))
    return Failure(said["code"], said["message"])


def _arguments(stage: str, named: Callable[[], list[str]] | None) -> list[str]:
    given = sys.argv[1:]
    wanted = 0 if named is None else 1
    if len(given) != wanted:
        raise UserError(f"python -m pipelines.{stage} takes {wanted} name{'s' * (wanted != 1)}, got {len(given)}")
    if named is not None and given[0] not in (names := named()):
        raise UserError(unknown(f"{given[0]!r}", "name in params.yaml's comparison", given[0], names))
    return given


def _wait_asleep() -> None:
    """Let threads that wait for each other sleep: spinning, they take the cores that the others need, and count as CPU time.

    Measured on two cores with another process on one: 40 s an epoch in place of 66 s; alone: 23 s in place of 25 s.
    """
    for name, value in {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}.items():
        os.environ.setdefault(name, value)
