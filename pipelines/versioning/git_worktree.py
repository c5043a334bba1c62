"""Worktrees of an agent's clone, at the revision of a run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pipelines.config.loader import load_received
from pipelines.config.params import Params
from pipelines.core import artifacts
from pipelines.core.environment import CLONE, DVC_REMOTE, GIT_REMOTE
from pipelines.core.errors import StageFailedError, UserError, without_passwords
from pipelines.core.locks import alone, in_turn

#: Prefix of the refs to which this clone fetches the branches of the git remote.
BRANCHES = "refs/winnow"
WORKTREES, KEPT = artifacts.SCRATCH / "worktrees", artifacts.SCRATCH / "kept"
#: Folders that all worktrees share: checkpoints, for retries on this machine, and a study's trials if there is no remote.
SHARED = (artifacts.SCRATCH / "checkpoints", artifacts.SCRATCH / "cells")
#: The lock to hold while changing git's own files.
GIT_LOCK = artifacts.SCRATCH / "git.lock"


@dataclass(frozen=True)
class Checkout:
    """A worktree: its ``folder``, an absolute path, and the values of its params.yaml."""

    folder: Path
    params: Params


def enter() -> dict[str, str]:
    """Return the agent's clone as Prefect's working directory, where it finds the flows' code."""
    return {"directory": CLONE.value()}


@contextmanager
def worktree(revision: str, text: str = "") -> Iterator[Checkout]:
    """Yield a new worktree of this clone at ``revision``, and remove it afterwards.

    Several may exist at once.

    Args:
        revision: 40 hex digits, a commit on a branch of the git remote.
        text: replaces the text of the revision's own params.yaml.

    Raises:
        UserError: for a revision that is on no branch, or an invalid params.yaml.
        StageFailedError: if the git remote does not answer.
    """
    clone = Path.cwd()
    folder = clone / WORKTREES / f"{os.getpid()}-{uuid4().hex}"
    _add(clone, folder, revision)
    try:
        yield _prepared(clone, folder, text)
    finally:
        _remove(clone, folder)


@contextmanager
def kept(name: str, revision: str, text: str = "") -> Iterator[Checkout]:
    """Yield the worktree ``name``, and keep it if the block is interrupted, so that the next call continues in it.

    Args:
        name: of the worktree's folder.
        revision: as for ``worktree``.
        text: as for ``worktree``.

    Raises:
        UserError: as ``worktree`` does, or if another process uses it; on bad input the worktree is removed.
        StageFailedError: as ``worktree`` does.
    """
    clone = Path.cwd()
    folder = clone / KEPT / name
    with alone(name):
        if not folder.exists():
            _add(clone, folder, revision)
        try:
            yield _prepared(clone, folder, text)
        except UserError:
            _remove(clone, folder)
            raise
        _remove(clone, folder)


def _add(clone: Path, folder: Path, revision: str) -> None:
    with in_turn(clone / GIT_LOCK):
        _remove_the_dead(clone)
        fetch()
        if not _git("for-each-ref", "--count=1", f"--contains={_known(revision)}", BRANCHES):
            raise UserError(f"revision: {revision} is on no branch of the git remote; push it first")
        _git("worktree", "add", "--quiet", "--detach", str(folder), revision)


def _remove(clone: Path, folder: Path) -> None:
    with in_turn(clone / GIT_LOCK):
        _git("worktree", "remove", "--force", str(folder))


def _prepared(clone: Path, folder: Path, text: str) -> Checkout:
    _share(clone, folder)
    if text:
        (folder / artifacts.PARAMS).write_text(text, encoding="utf-8")
    return Checkout(folder, load_received(root=folder))


def head() -> str:
    """Return the commit of the git remote's HEAD."""
    fields = _git("ls-remote", "--exit-code", _remote(), "HEAD").split()
    return fields[0]


def fetch() -> None:
    """Fetch the branches of the git remote into this clone, without changing its own branches."""
    _git("fetch", "--quiet", "--no-tags", "--prune", _remote(), f"+refs/heads/*:{BRANCHES}/*")


def _remote() -> str:
    return GIT_REMOTE.value()


def _known(revision: str) -> str:
    if _git("cat-file", "--batch-check", said=f"{revision}\n").split()[1:2] != ["commit"]:
        raise UserError(f"revision: no such commit on a branch of the git remote: {revision}; push it first")
    return revision


def _share(clone: Path, folder: Path) -> None:
    """Set the worktree's DVC cache, shared folders and DVC remote to those of the clone and agent."""
    from dvc.repo import Repo

    cache = Repo(clone).cache.local_cache_dir
    with Repo(folder).config.edit("local") as local:
        local["cache"]["dir"] = cache
        if url := DVC_REMOTE.value():
            local["remote"]["winnow"] = {"url": url}
            local["core"]["remote"] = "winnow"
    (folder / artifacts.SCRATCH).mkdir(exist_ok=True)
    for path in SHARED:
        (clone / path).mkdir(parents=True, exist_ok=True)
        if not (folder / path).is_symlink():
            (folder / path).symlink_to(clone / path)


def _remove_the_dead(clone: Path) -> None:
    """Remove the worktrees of dead processes."""
    import psutil

    for folder in (clone / WORKTREES).glob("*-*"):
        if not psutil.pid_exists(int(folder.name.partition("-")[0])):
            _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str, said: str | None = None) -> str:
    """Return the output of a git command, which may not prompt for a password."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(["git", *arguments], env=environment, input=said or "", capture_output=True, text=True, check=False)
    if done.returncode:
        raise StageFailedError(f"git {arguments[0]}: {without_passwords(done.stderr.strip())}")
    return done.stdout
