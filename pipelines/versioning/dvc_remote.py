"""DVC remote, through which machines share results; retried while it is away."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from pipelines.core.artifacts import HERE
from pipelines.core.errors import AwayError, UserError, without_passwords
from pipelines.core.subprocesses import call
from pipelines.versioning import dvc_project

if TYPE_CHECKING:
    from dvc.fs import FileSystem

    from pipelines.core.progress import Log

T = TypeVar("T")
#: How long an agent waits for a remote that is away, and between two tries how long.
PATIENCE_SECONDS, PAUSE_SECONDS = 600.0, 5.0
FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))
#: The most of a reason that is repeated: clients of storage may write pages.
REASON = 300


def address(root: Path = HERE) -> str:
    """Return the address of the remote of the working copy ``root``, without a password; empty where there is none."""
    config = dvc_project.repo(root).config
    name = config["core"].get("remote")
    return without_passwords(str(config["remote"][name]["url"])) if name else ""


def folder(name: str, *, without: Path, root: Path = HERE) -> tuple[FileSystem, str]:
    """Return DVC's file system with the remote's folder ``name``, or with the local one ``without`` a remote."""
    if address(root):
        there = dvc_project.repo(root).cloud.get_remote()
        return there.fs, there.fs.join(there.path, name)
    from dvc.fs import LocalFileSystem

    return LocalFileSystem(), str((root / without).resolve())


def patiently(work: Callable[[], T], log: Log) -> T:
    """Return what ``work`` returns, tried again while the remote is away, which is said once.

    Raises:
        AwayError: where it is away for longer than ``PATIENCE_SECONDS``.
    """

    def warn(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            log.warning("%s; trying again, for %.0f s at most", state.outcome.exception(), PATIENCE_SECONDS)

    retrying = Retrying(
        retry=retry_if_exception_type(AwayError),
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_fixed(PAUSE_SECONDS),
        before_sleep=warn,
        reraise=True,
    )
    return retrying(work)


def learn_runs(root: Path = HERE) -> None:
    """Learn from the remote, where there is one, which stages were run, in whatever clone.

    Raises:
        AwayError: where it does not answer.
    """
    if address(root):
        with asking(root):
            dvc_project.repo(root).stage_cache.pull(None)


def restore(stage: str, root: Path = HERE) -> bool:
    """Restore one stage that is known to have been run, and return whether it could be; execute nothing.

    Those that it depends on must be there.

    Raises:
        AwayError: where the remote does not answer.
    """
    from dvc.repo import lock_repo
    from dvc.stage.cache import RunCacheNotFoundError

    repo, pull, asked = dvc_project.repo(root), bool(address(root)), dvc_project.target(stage, root)
    # It says at length what it restores.
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with asking(root), lock_repo(repo):
            repo.stage_cache.restore(repo.stage.collect(asked)[0], pull=pull)
    except RunCacheNotFoundError:
        return False
    # Its results are there, and DVC writes dvc.lock.
    repo.reproduce(asked, single_item=True)
    return True


@contextmanager
def asking(root: Path = HERE) -> Iterator[None]:
    """Say that it was the remote which did not answer, whatever its kind of storage says then.

    Raises:
        AwayError: where it did not.
    """
    from dvc.exceptions import DvcException

    try:
        yield
    except (DvcException, ImportError, UserError):
        raise
    except Exception as error:
        raise AwayError(f"DVC remote {address(root)}: {_reason(f'{type(error).__name__}: {error}')}") from None


def push(stage: str, root: Path = HERE) -> None:
    """Share what a stage has made, and that it was run.

    Raises:
        UserError: where the remote is full: another try, here or elsewhere, would end no better.
        AwayError: where it does not take it for another reason.
    """
    lines: list[str] = []
    code = call("dvc", "push", "--run-cache", stage, said=lines.append, root=root)
    # Of what it knows of runs, DVC says that it could not be pushed and ends well.
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if not code and not errors:
        return
    reason = _reason(errors[0] if errors else f"'dvc push --run-cache {stage}' exited with {code}")
    if reason in FULL:
        raise UserError(f"DVC remote {address(root)}: {_full(stage, root)}; make room there, and run it again")
    raise AwayError(f"{stage}: is done, and not in the DVC remote {address(root)}: {reason}")


def _reason(line: str) -> str:
    """Return why DVC could not do something, without the paths of its caches."""
    if known := re.search(r"\[Errno \d+\] ([^:]+)", line):
        return known[1]
    return without_passwords(" ".join(line.partition(" - ")[2].split() or line.split()))[:REASON]


def _full(stage: str, root: Path) -> str:
    repo = dvc_project.repo(root)
    needed = sum(out.meta.size or 0 for out in repo.stage.collect(dvc_project.target(stage, root))[0].outs)
    odb = repo.cloud.get_remote_odb()
    free = f", {shutil.disk_usage(odb.path).free:,} are free" if odb.fs.protocol == "local" else ""
    return f"is full: {stage} made {needed:,} bytes{free}"
