"""DVC remote, through which machines share results; retried while it is unreachable."""

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
#: How long an agent retries while the remote is unreachable, and the pause between two tries.
PATIENCE_SECONDS, PAUSE_SECONDS = 600.0, 5.0
FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))
#: The most characters of an error to repeat: storage clients may write pages.
REASON = 300


def address(root: Path = HERE) -> str:
    """Return the DVC remote's address of ``root``, without a password; empty without a remote."""
    config = dvc_project.repo(root).config
    name = config["core"].get("remote")
    return without_passwords(str(config["remote"][name]["url"])) if name else ""


def folder(name: str, *, without: Path, root: Path = HERE) -> tuple[FileSystem, str]:
    """Return a DVC file system and a folder: ``name`` in the remote, or the local ``without``."""
    if address(root):
        remote = dvc_project.repo(root).cloud.get_remote()
        return remote.fs, remote.fs.join(remote.path, name)
    from dvc.fs import LocalFileSystem

    return LocalFileSystem(), str((root / without).resolve())


def patiently(work: Callable[[], T], log: Log) -> T:
    """Call ``work`` until the remote answers, and return its result; warn once.

    Raises:
        AwayError: if the remote is unreachable for longer than ``PATIENCE_SECONDS``.
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
    """Pull the run cache, the list of stages run in any clone, from the remote if there is one.

    Raises:
        AwayError: if the remote does not answer.
    """
    if address(root):
        with asking(root):
            dvc_project.repo(root).stage_cache.pull(None)


def restore(stage: str, root: Path = HERE) -> bool:
    """Restore one stage's outputs from the run cache, without running it; return whether they were there.

    The outputs of its dependencies must be on disk.

    Raises:
        AwayError: if the remote does not answer.
    """
    from dvc.repo import lock_repo
    from dvc.stage.cache import RunCacheNotFoundError

    repo, pull, target = dvc_project.repo(root), bool(address(root)), dvc_project.target(stage, root)
    # DVC logs every file that it restores.
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with asking(root), lock_repo(repo):
            repo.stage_cache.restore(repo.stage.collect(target)[0], pull=pull)
    except RunCacheNotFoundError:
        return False
    # The outputs are in place, so that this only writes dvc.lock.
    repo.reproduce(target, single_item=True)
    return True


@contextmanager
def asking(root: Path = HERE) -> Iterator[None]:
    """Turn any storage client's exception in the block into an AwayError that names the remote.

    Raises:
        AwayError: if the remote did not answer.
    """
    from dvc.exceptions import DvcException

    try:
        yield
    except (DvcException, ImportError, UserError):
        raise
    except Exception as error:
        raise AwayError(f"DVC remote {address(root)}: {_reason(f'{type(error).__name__}: {error}')}") from None


def push(stage: str, root: Path = HERE) -> None:
    """Push a stage's outputs and its entry in the run cache to the remote.

    Raises:
        UserError: if the remote is full: a retry would fail too.
        AwayError: if the push fails for another reason.
    """
    lines: list[str] = []
    code = call("dvc", "push", "--run-cache", stage, said=lines.append, root=root)
    # DVC exits with 0 even if it could not push the run cache, and only logs an error.
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if not code and not errors:
        return
    reason = _reason(errors[0] if errors else f"'dvc push --run-cache {stage}' exited with {code}")
    if reason in FULL:
        raise UserError(f"DVC remote {address(root)}: {_full(stage, root)}; make room there, and run it again")
    raise AwayError(f"{stage}: finished, but could not be pushed to the DVC remote {address(root)}: {reason}")


def _reason(line: str) -> str:
    """Return the reason in DVC's error line, without the paths of its caches."""
    if known := re.search(r"\[Errno \d+\] ([^:]+)", line):
        return known[1]
    return without_passwords(" ".join(line.partition(" - ")[2].split() or line.split()))[:REASON]


def _full(stage: str, root: Path) -> str:
    repo = dvc_project.repo(root)
    needed = sum(out.meta.size or 0 for out in repo.stage.collect(dvc_project.target(stage, root))[0].outs)
    odb = repo.cloud.get_remote_odb()
    free = f", {shutil.disk_usage(odb.path).free:,} are free" if odb.fs.protocol == "local" else ""
    return f"is full: {stage} made {needed:,} bytes{free}"
