"""study: runs the trials of a grid and writes the table of their means."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pipelines.config import loader
from pipelines.core import artifacts
from pipelines.core.command import FAILED
from pipelines.core.errors import UserError
from pipelines.study import tasks
from pipelines.study.console import log, timed_runner
from pipelines.study.publish import publish, publish_across_tasks
from pipelines.trials import plan_files
from pipelines.trials.folder import StudyFolder
from pipelines.trials.grid import grid_of
from pipelines.trials.study_tables import StudyTables


def study(over: str | None = None) -> int:
    """Run what is missing of the study, write its tables, and return the exit status.

    Args:
        over: a file whose keys stand in the place of those of params.yaml.
    """
    file = Path(over) if over else artifacts.PARAMS
    read = loader.load(over=Path(over) if over else None)
    asked = tasks.each(read, file)
    studies = {task: plan_files.lay_out(p, grid_of(p)) for task, p in asked.items()}
    with _one_server(any(study.missing() for study in studies.values())):
        written = {task: _one(study, task) for task, study in studies.items()}
    return FAILED if publish_across_tasks(read, file, asked, studies, written) else 0


def _one_server(needed: bool) -> AbstractContextManager[None]:
    """Return what gives all flows of this process the same Prefect server: its client keeps to the first one that it met."""
    if not needed:
        return nullcontext()
    # Prefect takes two seconds to import: not where there is nothing to do.
    from pipelines.flows.prefect_server import server

    return server()


def _one(study: StudyFolder, task: str) -> StudyTables:
    """Run what is missing of the study of one task, and return its tables.

    Raises:
        UserError: where not even the data could be prepared: with the first trial's reason.
    """
    missing = study.missing()
    failed = _run(study, missing, task) if missing else {}
    if failed and not study.has_data:
        raise UserError(next(iter(failed.values())))
    if not missing:
        log(f"{task}: nothing had changed; these are the trials that were run before")
    return publish(study, task, failed)


def _run(study: StudyFolder, missing: list[tuple[int, str]], task: str) -> dict[tuple[int, str], str]:
    from pipelines.flows.trials import run_study

    log(f"{len(missing)} of {len(study.seeds) * len(study.grid.trials)} trials to run on {task}")
    return run_study(missing, timed_runner(study, missing))
