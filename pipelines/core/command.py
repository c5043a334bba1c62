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
    """Exit status and message of a failed stage."""

    code: int
    message: str


@dataclass(frozen=True)
class RankEnd:
    """Exit status and message of a failed rank, with traceback (``trace``) and Unix ``time``."""

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
        stage: name for the lock and messages.
        work: takes the name from the command line, if any; may return an exit status after logging the reason.
        named: returns the valid names; None for a stage without names.
        file: whether the argument is an optional file instead of a name.
        model: whether ``work`` loads a model, and then calls ``python_gc.loaded``.
        before: is called first, under the stage's lock.
    """
    python_gc.spare(loading=model)
    die_with_parent()
    handle_signals()
    wait_asleep()
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
    """Report a stage's end on stderr, and in a file for the flow that started it."""
    sys.stderr.write(f"winnow {address}: {text}\n")
    with suppress(OSError):
        FAILURES.mkdir(parents=True, exist_ok=True)
        (FAILURES / address.replace("/", "_")).write_text(json.dumps(asdict(Failure(code, text))), encoding="utf-8")
    return code


def _as_rank(work: Callable[..., int | None]) -> int:
    """Run ``work`` as one rank of a stage.

    The process that started the ranks holds the lock and reports the end. Ranks that are stopped exit together with status 0,
    since ``torchrun`` kills the others after a failure.
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
    """Leave the process group of the ranks."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _report_rank_end(text: str, code: int) -> int:
    rank = int(os.environ["RANK"])
    end = RankEnd(rank, code, text, traceback.format_exc(), time.time())
    write_json(Path(IN_RANKS.value()) / f"{rank}.json", asdict(end))
    return code


def failure_of(address: str, root: Path = HERE) -> Failure | None:
    """Return the last failure of the stage at ``address`` in the folder ``root``; None if it succeeded or was killed."""
    path = root / FAILURES / address
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    return Failure(record["code"], record["message"])


def _arguments(stage: str, named: Callable[[], list[str]] | None) -> list[str]:
    given = sys.argv[1:]
    wanted = 0 if named is None else 1
    if len(given) != wanted:
        raise UserError(f"python -m pipelines.{stage} takes {wanted} name{'s' * (wanted != 1)}, got {len(given)}")
    if named is not None and given[0] not in (names := named()):
        raise UserError(unknown(f"{given[0]!r}", "name in params.yaml's comparison", given[0], names))
    return given


def wait_asleep() -> None:
    """Make waiting OpenMP threads sleep: spinning takes cores from other threads and counts as CPU time.

    Measured on two cores, one shared with another process: 40 s an epoch instead of 66 s; alone: 23 s instead of 25 s.
    """
    for name, value in {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}.items():
        os.environ.setdefault(name, value)
