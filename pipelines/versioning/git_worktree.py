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

#: The branches of the git remote, as this clone knows them.
BRANCHES = "refs/winnow"
WORKTREES, KEPT = artifacts.SCRATCH / "worktrees", artifacts.SCRATCH / "kept"
#: A retry on this machine goes on from the last checkpoint; a study's trials are handed over there where there is no remote.
SHARED = (artifacts.SCRATCH / "checkpoints", artifacts.SCRATCH / "cells")
#: Who changes git's own files holds it.
GIT_LOCK = artifacts.SCRATCH / "git.lock"


@dataclass(frozen=True)
class Checkout:
    """A worktree: its ``folder``, an absolute path, and what its params.yaml holds."""

    folder: Path
    params: Params


def enter() -> dict[str, str]:
    """Return the agent's clone: Prefect, whose step this is, goes there and finds the flows' code, wherever an agent has it."""
    return {"directory": CLONE.value()}


@contextmanager
def worktree(revision: str, text: str = "") -> Iterator[Checkout]:
    """Give a new worktree of this clone at ``revision``, which is removed afterwards; several may be there at once.

    Args:
        revision: 40 hex digits, a commit on a branch of the git remote.
        text: stands in the place of the revision's own params.yaml.

    Raises:
        UserError: for a revision that is on no branch, or a params.yaml that cannot work.
        StageFailedError: where the git remote does not answer.
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
    """Give the worktree ``name``, as ``worktree`` does, and leave it where the block is stopped: the next one goes on there.

    Raises:
        UserError: as ``worktree`` does, and where another process is in it; it is removed for bad input.
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
    """Return the revision that the git remote's own branch is at."""
    found = _git("ls-remote", "--exit-code", _remote(), "HEAD").split()
    return found[0]


def fetch() -> None:
    """Bring the branches of the git remote into this clone, beside its own."""
    _git("fetch", "--quiet", "--no-tags", "--prune", _remote(), f"+refs/heads/*:{BRANCHES}/*")


def _remote() -> str:
    return GIT_REMOTE.value()


def _known(revision: str) -> str:
    if _git("cat-file", "--batch-check", said=f"{revision}\n").split()[1:2] != ["commit"]:
        raise UserError(f"revision: no such commit on a branch of the git remote: {revision}; push it first")
    return revision


def _share(clone: Path, folder: Path) -> None:
    """Let the worktree use what its clone keeps for all, and the remote that the agent was given."""
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
    """Remove the worktrees of processes that were killed."""
    import psutil

    for folder in (clone / WORKTREES).glob("*-*"):
        if not psutil.pid_exists(int(folder.name.partition("-")[0])):
            _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str, said: str | None = None) -> str:
    """Return what git answers; it must ask nobody for a password."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(["git", *arguments], env=environment, input=said or "", capture_output=True, text=True, check=False)
    if done.returncode:
        raise StageFailedError(f"git {arguments[0]}: {without_passwords(done.stderr.strip())}")
    return done.stdout
