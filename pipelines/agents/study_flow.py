"""Prefect flows of a study: trials of one task and seed, and their coordinator.

Trial results go from machine to machine through the DVC remote (pipelines/trials/exchange.py). The trials are listed and run
by commands of the requested revision; the flows, from the agents' clones, only start them.
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

#: The most characters of a failure reason in a run's state, and the most reasons.
REASON, REASONS = 500, 50
#: Names of a study's commands in revisions before 0.2.
OLD_NAMES = {"study.worker": "study_part", "study.collect": "study_gather"}
Unit = tuple[str, int]


@flow(name="winnow-cells", flow_run_name="{task} seed {seed}")
def run_cells(
    revision: Revision, task: Name, seed: Seed, params: Text = "", packages: Packages | None = None, flows: Flows = ""
) -> State[None] | None:
    """Run the missing trials of one task and seed of a study, and push each when it is done.

    Args:
        revision: the commit to run, 40 hex digits, on a branch of the agent's git remote.
        task: a task of the study; if the study names none, params.yaml's task.
        seed: one of the seeds of the study.
        params: the text of a params.yaml that replaces the revision's own.
        packages: the required package versions by name; an agent with other versions refuses the run.
        flows: the required SHA-256 of the flows' code (pipelines/agents/compatibility.py); an agent with another one refuses.
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
    """Run the trials of a unit (task and seed), and return the failure reasons by trial name."""
    if not _call(root, log, "study.worker", unit):
        return {}
    reasons: dict[str, str] = artifacts.read_json(root / artifacts.unit_failures(unit))
    shown = {name: without_passwords(reason)[:REASON] for name, reason in islice(reasons.items(), REASONS)}
    return shown if len(shown) == len(reasons) else {**shown, "": "failed; see the log of its run for the reason"}


@flow(name="winnow-study", on_cancellation=[cancel_submitted])
def study(
    revision: Revision | None = None, params: Text = "", task: Word = "", overrides: Keys | None = None
) -> State[None] | None:
    """Run the missing trials of a study on agents, and publish its tables to MLflow.

    Args:
        revision: the commit to run, 40 hex digits, on a branch of the agents' git remote; by default the remote's HEAD.
        params: the text of a params.yaml that replaces the revision's own.
        task: a task of params.yaml; replaces the selected one.
        overrides: at most 64 values by dotted key of params.yaml, for example {"study.seeds": [0, 1]}.
    """
    try:
        LOST_SECONDS.value()
        at, log = revision or git_worktree.head(), get_run_logger()
        with git_worktree.worktree(at, params) as there:
            resolved, params = resolve(there.params, params, task, [], overrides or {}, there.folder)
            _call(there.folder, log, "study.collect")
            missing: list[Unit] = [(name, seed) for name, seed in artifacts.read_json(there.folder / artifacts.UNITS_MISSING)]
            if missing:
                pool = f"winnow-cells/{resolved.pools.of('train')}"
                _gather(_run_units(missing, pool, {"revision": at, "params": params}), there.folder, log)
    except (UserError, StageFailedError, Stopped) as error:
        return state_of(error)
    return None


def _run_units(missing: list[Unit], deployment: str, parameters: dict[str, str]) -> dict[str, dict[str, str]]:
    """Submit all ``missing`` units at once; return the failure reasons by unit and trial name.

    Raises:
        Stopped: if one was cancelled, after all have ended.
    """
    futures = {
        f"{task}@{seed}": send.submit(f"{task} seed {seed}", deployment, {**parameters, "task": task, "seed": seed})
        for task, seed in missing
    }
    ended = {unit: _reasons(future) for unit, future in futures.items()}
    if None in ended.values():
        raise Stopped
    return {unit: reasons for unit, reasons in ended.items() if reasons}


def _reasons(future: Future) -> dict[str, str] | None:
    """Wait for a unit; return its failure reasons by trial name ("" for all others), or None if it was cancelled."""
    try:
        return future.result().failed
    except Stopped:
        return None
    except (UserError, StageFailedError) as error:
        return {"": str(error)}


def _gather(failed: dict[str, dict[str, str]], root: Path, log: Log) -> None:
    """Write and publish the tables of the finished trials.

    Raises:
        StageFailedError: if trials failed.
    """
    artifacts.write_json(root / artifacts.UNITS_FAILED, failed)
    if _call(root, log, "study.collect", str(artifacts.UNITS_FAILED)):
        reasons = [
            ": ".join(filter(None, (unit, name, why))) for unit, trials in failed.items() for name, why in trials.items()
        ]
        raise StageFailedError("; ".join(["study: trials failed; see the table of trials in MLflow", *reasons[:1]]))


def _named_in(root: Path, command: str) -> str:
    """Return the name of ``command`` in the revision that is checked out in ``root``.

    Raises:
        UserError: if the revision lacks the command.
    """
    for name in (command, OLD_NAMES[command]):
        if Path(root, "pipelines", *name.split(".")).with_suffix(".py").exists():
            return name
    file = f"pipelines/{command.replace('.', '/')}.py"
    raise UserError(f"revision: has no {file}, which agents need to run its studies; use a later revision")


def _call(root: Path, log: Log, command: str, *arguments: str) -> int:
    """Run a command of the revision in ``root``, and return its exit status: 1 if trials failed.

    The command is ended with this process.

    Raises:
        UserError: for a mistake in the input, or a revision without the command.
        Stopped: if it was asked to stop, and saved a checkpoint.
        StageFailedError: for any other failure.
    """
    command = _named_in(root, command)
    line = (sys.executable, "-m", f"pipelines.{command}", *arguments)
    code = subprocesses.call(*line, said=lambda text: log.info("%s", without_passwords(text)), root=root)
    # The name under which a command records its failure has no file arguments.
    failure = failure_of("@".join([command, *(a for a in arguments if not a.endswith(".json"))]), root)
    if failure is None:
        if code in (0, FAILED):
            return code
        raise StageFailedError(f"{command}: exited with {code}")
    if failure.code == STOPPED:
        raise Stopped
    raise (UserError if failure.code == BAD_INPUT else StageFailedError)(f"{command}: {failure.message}")
