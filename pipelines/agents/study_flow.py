"""Prefect flows of a study: trials of one task and seed, and their coordinator.

What a trial left goes from machine to machine in the DVC remote (pipelines/trials/exchange.py). A command of the revision that
is asked for knows the trials; the flows, which are of the agents' clones, only start it.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Failed

from pipelines.agents import work_lock
from pipelines.agents.comparison_flow import Flows, Packages, Revision, at_work
from pipelines.agents.submit import IN_PART, cancel_submitted, send, state_of
from pipelines.config.overrides import Keys, Text, Word, resolve
from pipelines.config.schema.sections import Name, Seed
from pipelines.core import artifacts, subprocesses
from pipelines.core.artifacts import digest
from pipelines.core.command import BAD_INPUT, FAILED, STOPPED, failure_of
from pipelines.core.environment import LOST_SECONDS
from pipelines.core.errors import GivenUpError, StageFailedError, Stopped, UserError, without_passwords
from pipelines.versioning import git_worktree

if TYPE_CHECKING:
    from pipelines.agents.scheduler import Future
    from pipelines.core.progress import Log

#: Of the reasons that a run's state carries, the most characters of each, and the most of them.
REASON, REASONS = 500, 50
#: The commands of a study as revisions before 0.2 call them.
OLD_NAMES = {"study.worker": "study_part", "study.collect": "study_gather"}
Unit = tuple[str, int]


@flow(name="winnow-cells", flow_run_name="{task} seed {seed}")
def run_cells(
    revision: Revision, task: Name, seed: Seed, params: Text = "", packages: Packages | None = None, flows: Flows = ""
) -> State[None] | None:
    """Run what no agent has run of a study's trials with one task and seed on this agent, and hand each over when it is done.

    Args:
        revision: the commit to run, 40 hex digits, on a branch of the agent's git remote.
        task: the name of one of the study's tasks; of one that names none, params.yaml's task.
        seed: one of those that the study has.
        params: the text of a params.yaml to run in the place of the revision's own.
        packages: the versions of the packages that results depend on, by name; an agent that has others refuses.
        flows: the SHA-256 of the flows' code (pipelines/agents/compatibility.py); an agent whose clone has another refuses.
    """
    log, work = get_run_logger(), digest([revision, params, task, seed])
    try:
        with (
            at_work(f"{task} seed {seed}", packages or {}, flows, log),
            work_lock.claimed(work, UUID(flow_run.id), log),
            git_worktree.kept(work[:16], revision, params) as there,
        ):
            failed = _part(f"{task}@{seed}", there.folder, log)
    except (UserError, StageFailedError, Stopped, GivenUpError) as error:
        return state_of(error)
    return Failed(name=IN_PART, message=json.dumps(failed)) if failed else None


def _part(unit: str, root: Path, log: Log) -> dict[str, str]:
    """Run the trials of a unit, and return why some failed, by name."""
    if not _call(root, log, "study.worker", unit):
        return {}
    reasons: dict[str, str] = artifacts.read_json(root / artifacts.unit_failures(unit))
    told = {name: without_passwords(reason)[:REASON] for name, reason in islice(reasons.items(), REASONS)}
    return told if len(told) == len(reasons) else {**told, "": "failed too; the log of its run says why"}


@flow(name="winnow-study", on_cancellation=[cancel_submitted])
def study(
    revision: Revision | None = None, params: Text = "", task: Word = "", overrides: Keys | None = None
) -> State[None] | None:
    """Have agents run what is missing of a study, and publish it to MLflow; its tables are among the artifacts there.

    Args:
        revision: the commit to run, 40 hex digits, on a branch of the agents' git remote; that of its HEAD where none is given.
        params: the text of a params.yaml to run in the place of the revision's own.
        task: of params.yaml, in the place of the one that it names.
        overrides: values by dotted key of params.yaml, {"study.seeds": [0, 1]} for example, at most 64.
    """
    try:
        LOST_SECONDS.value()
        at, log = revision or git_worktree.head(), get_run_logger()
        with git_worktree.worktree(at, params) as there:
            held, params = resolve(there.params, params, task, [], overrides or {}, there.folder)
            _call(there.folder, log, "study.collect")
            missing: list[Unit] = [(name, seed) for name, seed in artifacts.read_json(there.folder / artifacts.UNITS_MISSING)]
            if missing:
                pool = f"winnow-cells/{held.pools.of('train')}"
                _gather(_run_units(missing, pool, {"revision": at, "params": params}), there.folder, log)
    except (UserError, StageFailedError, Stopped) as error:
        return state_of(error)
    return None


def _run_units(missing: list[Unit], deployment: str, asked: dict[str, str]) -> dict[str, dict[str, str]]:
    """Have agents run the units that are ``missing``, all that there are at once; return why trials failed, by unit and name.

    Raises:
        Stopped: where one was cancelled, when the others have ended.
    """
    futures = {
        f"{task}@{seed}": send.submit(f"{task} seed {seed}", deployment, {**asked, "task": task, "seed": seed})
        for task, seed in missing
    }
    ended = {unit: _reasons(future) for unit, future in futures.items()}
    if None in ended.values():
        raise Stopped
    return {unit: reasons for unit, reasons in ended.items() if reasons}


def _reasons(future: Future) -> dict[str, str] | None:
    """Return, when a unit has ended, why trials failed, by name, under none that of the others; None if it was cancelled."""
    try:
        return future.result().failed
    except Stopped:
        return None
    except (UserError, StageFailedError) as error:
        return {"": str(error)}


def _gather(failed: dict[str, dict[str, str]], root: Path, log: Log) -> None:
    """Write and publish the tables of what is there.

    Raises:
        StageFailedError: where trials failed.
    """
    artifacts.write_json(root / artifacts.UNITS_FAILED, failed)
    if _call(root, log, "study.collect", str(artifacts.UNITS_FAILED)):
        reasons = [
            ": ".join(filter(None, (unit, name, why))) for unit, trials in failed.items() for name, why in trials.items()
        ]
        raise StageFailedError("; ".join(["study: trials failed, and the table of trials in MLflow says why", *reasons[:1]]))


def _named_in(root: Path, command: str) -> str:
    """Return what the revision that is checked out in ``root`` calls ``command``.

    Raises:
        UserError: where it does not know it.
    """
    for name in (command, OLD_NAMES[command]):
        if Path(root, "pipelines", *name.split(".")).with_suffix(".py").exists():
            return name
    file = f"pipelines/{command.replace('.', '/')}.py"
    raise UserError(f"revision: has no {file}: agents cannot share its studies; a later one works")


def _call(root: Path, log: Log, command: str, *arguments: str) -> int:
    """Run a command of the revision in ``root``, which ends with this process; return its exit status: 1 if trials failed.

    Raises:
        UserError: for a mistake in the input, and for a revision that does not know the command.
        Stopped: where it was asked to end, and saved itself.
        StageFailedError: where it could not do its work.
    """
    command = _named_in(root, command)
    line = (sys.executable, "-m", f"pipelines.{command}", *arguments)
    code = subprocesses.call(*line, said=lambda told: log.info("%s", without_passwords(told)), root=root)
    # A file is no part of the name under which a command tells how it ended.
    said = failure_of("@".join([command, *(a for a in arguments if not a.endswith(".json"))]), root)
    if said is None:
        if code in (0, FAILED):
            return code
        raise StageFailedError(f"{command}: exited with {code}")
    if said.code == STOPPED:
        raise Stopped
    raise (UserError if said.code == BAD_INPUT else StageFailedError)(f"{command}: {said.message}")
