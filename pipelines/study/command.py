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
from pipelines.trials.grid import grid_of
from pipelines.trials.study_folder import StudyFolder
from pipelines.trials.study_tables import StudyTables


def study(over: str | None = None) -> int:
    """Run the missing trials of the study, write its tables, and return the exit status.

    Args:
        over: file whose keys override those of params.yaml.
    """
    file = Path(over) if over else artifacts.PARAMS
    read = loader.load(over=Path(over) if over else None)
    asked = tasks.each(read, file)
    studies = {task: plan_files.lay_out(p, grid_of(p)) for task, p in asked.items()}
    with _one_server(any(study.missing() for study in studies.values())):
        written = {task: _one(study, task) for task, study in studies.items()}
    return FAILED if publish_across_tasks(read, file, asked, studies, written) else 0


def _one_server(needed: bool) -> AbstractContextManager[None]:
    """Return a context with one Prefect server for all flows; Prefect's client keeps its first."""
    if not needed:
        return nullcontext()
    # Importing Prefect takes two seconds: only if there is something to run.
    from pipelines.flows.prefect_server import server

    return server()


def _one(study: StudyFolder, task: str) -> StudyTables:
    """Run the missing trials of one task, and return its tables.

    Raises:
        UserError: if the data could not be prepared, with the first trial's reason.
    """
    missing = study.missing()
    failed = _run(study, missing, task) if missing else {}
    if failed and not study.has_data:
        raise UserError(next(iter(failed.values())))
    if not missing:
        log(f"{task}: nothing had changed; these are the results of earlier trials")
    return publish(study, task, failed)


def _run(study: StudyFolder, missing: list[tuple[int, str]], task: str) -> dict[tuple[int, str], str]:
    from pipelines.flows.trials import run_study

    log(f"{len(missing)} of {len(study.seeds) * len(study.grid.trials)} trials to run on {task}")
    return run_study(missing, timed_runner(study, missing))
