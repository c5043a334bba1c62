"""DVC stages of a working copy: order, staleness, and running one."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from pipelines.core import artifacts
from pipelines.core.command import BAD_INPUT, STOPPED, failure_of
from pipelines.core.environment import FORK_SERVER
from pipelines.core.errors import StageFailedError, Stopped, UserError
from pipelines.core.subprocesses import call

if TYPE_CHECKING:
    from dvc.repo import Repo


class Holder(TypedDict):
    """A process that holds a path, as DVC's lock file records it."""

    pid: int
    cmd: str


def repo(root: Path = artifacts.HERE) -> Repo:
    """Return DVC's ``Repo`` of the working copy ``root``.

    Raises:
        UserError: if ``root`` is not a working copy.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from pipelines.versioning.run_cache import RunCache

    try:
        found = Repo(root)
    except DvcException as error:
        raise UserError(f"{root.resolve()}: is not a DVC working copy: {error}") from None
    found.stage_cache = RunCache(found)
    return found


def _as_in(root: Path, text: str) -> str:
    """Return DVC's output without the path to ``root``, with which its paths and stages begin in other folders."""
    way = os.path.relpath(root)
    return text if way == os.curdir else re.sub(rf"(?<![\w-])(?<![\w-]/){re.escape(way)}/(dvc\.yaml:)?", "", text)


def target(stage: str, root: Path) -> str:
    """Return the DVC target of a stage in ``root``, valid from any working directory."""
    return str(root / stage) if stage.endswith(".dvc") else f"{root / 'dvc.yaml'}:{stage}"


def stages(root: Path = artifacts.HERE) -> list[str]:
    """Return DVC's stages in topological order.

    Raises:
        UserError: if dvc.yaml, or the params.yaml it refers to, cannot be read.
    """
    import networkx
    from dvc.exceptions import DvcException

    try:
        index = repo(root).index
        graph = index.graph
    except DvcException as error:
        raise UserError(f"dvc.yaml: {_as_in(root, str(error))}") from None
    # Stages that do not depend on each other keep the order of dvc.yaml.
    position = {stage: index for index, stage in enumerate(index.stages)}
    order = networkx.lexicographical_topological_sort(graph.reverse(), key=position.__getitem__)
    return [_as_in(root, stage.addressing) for stage in order]


def depends_on(root: Path = artifacts.HERE) -> dict[str, set[str]]:
    """Return the direct dependencies of each stage."""
    graph = repo(root).index.graph
    named = {stage: _as_in(root, stage.addressing) for stage in graph}
    return {name: {named[d] for d in graph.successors(stage)} for stage, name in named.items()}


def before(stage: str, root: Path = artifacts.HERE) -> list[str]:
    """Return all direct and indirect dependencies of ``stage``, in topological order."""
    needs, found = depends_on(root), {stage}
    order = stages(root)
    for other in reversed(order):
        if other in found:
            found |= needs[other]
    return [other for other in order if other in found and other != stage]


def stale(root: Path = artifacts.HERE) -> set[str]:
    """Return the stages whose code, inputs, parameters or outputs differ from dvc.lock.

    Raises:
        UserError: if another DVC process holds the lock, or dvc.yaml cannot be read.
    """
    from dvc.exceptions import DvcException

    try:
        found = repo(root).status()
    except DvcException as error:
        raise UserError(f"{root.resolve()}: {_as_in(root, str(error))}") from None
    return {_as_in(root, address) for address in found}


def release_the_dead(root: Path = artifacts.HERE) -> None:
    """Remove the entries of dead processes from DVC's lock file.

    DVC does so too, but takes a zombie, or another process with a reused pid, for the holder.
    """
    path = root / ".dvc/tmp/rwlock"
    if not path.exists() or not path.read_text(encoding="utf-8"):
        return
    locks = json.loads(path.read_text(encoding="utf-8"))
    read = {p: [h for h in holders if _lives(h)] for p, holders in locks.get("read", {}).items()}
    write = {p: h for p, h in locks.get("write", {}).items() if h and _lives(h)}
    artifacts.write_json(path, {"read": {p: h for p, h in read.items() if h}, "write": write})


def _lives(holder: Holder) -> bool:
    import psutil

    try:
        process = psutil.Process(int(holder["pid"]))
        return process.status() != psutil.STATUS_ZOMBIE and "dvc" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def identity(stage: str, root: Path = artifacts.HERE) -> str:
    """Return a digest of the stage's command, dependencies and parameters.

    They are those by which DVC's run cache finds a run; the dependencies must be on disk.
    """
    from dvc.repo import lock_repo
    from dvc.stage.serialize import to_single_stage_lockfile

    here = repo(root)
    with lock_repo(here):
        found = here.stage.collect(target(stage, root))[0]
        found.save_deps()
        entry = to_single_stage_lockfile(found)
    return artifacts.digest({k: v for k, v in entry.items() if k != "outs"})


def reproduce(
    stage: str, *, pull: bool = False, said: Callable[[str], None] | None = None, root: Path = artifacts.HERE
) -> None:
    """Bring one stage up to date with ``dvc repro``.

    Its dependencies are assumed to be up to date: the flow has run them, and DVC would check all of them again.

    Args:
        stage: address of the stage, for example ``train@full``.
        pull: whether to restore its outputs from the DVC remote if they are there.
        said: receives each output line of the stage; without it they go to this process's output.
        root: the folder of the working copy.

    Raises:
        UserError: for a mistake in the input.
        Stopped: if the stage was asked to stop, and saved a checkpoint.
        StageFailedError: for any other failure.
    """
    options = ["--pull"] if pull else []
    dvc = (sys.executable, "-m", "pipelines.processes", "dvc") if FORK_SERVER.is_set else ("dvc",)
    code = call(*dvc, "--wait-for-lock", "repro", "--quiet", "--single-item", *options, stage, said=said, root=root)
    if code:
        raise _failed(stage, code, root)


def _failed(stage: str, code: int, root: Path) -> Exception:
    failure = failure_of(stage, root)
    if failure is None:
        return StageFailedError(f"{stage}: 'dvc repro {stage}' exited with {code}; run it by hand to see why")
    if failure.code == BAD_INPUT:
        return UserError(failure.message)
    return Stopped() if failure.code == STOPPED else StageFailedError(f"{stage}: {failure.message}")
