"""study: runs the trials of a grid and writes the table of their means."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pipelines.config import loader
from pipelines.core import artifacts
from pipelines.core.command import FAILED
from pipelines.core.errors import UserError
from pipelines.study import tasks
from pipelines.study.console import say, told
from pipelines.study.publish import tell, tell_together
from pipelines.trials import plan_files
from pipelines.trials.folder import Place
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
    places = {task: plan_files.lay_out(p, grid_of(p)) for task, p in asked.items()}
    with _one_server(any(place.missing() for place in places.values())):
        written = {task: _one(place, task) for task, place in places.items()}
    return FAILED if tell_together(read, file, asked, places, written) else 0


def _one_server(needed: bool) -> AbstractContextManager[None]:
    """Return what gives all flows of this process the same Prefect server: its client keeps to the first one that it met."""
    if not needed:
        return nullcontext()
    # Prefect takes two seconds to import: not where there is nothing to do.
    from pipelines.flows.prefect_server import server

    return server()


def _one(place: Place, task: str) -> StudyTables:
    """Run what is missing of the study of one task, and return its tables.

    Raises:
        UserError: where not even the data could be prepared: with the first cell's reason.
    """
    missing = place.missing()
    failed = _run(place, missing, task) if missing else {}
    if failed and not place.has_data:
        raise UserError(next(iter(failed.values())))
    if not missing:
        say(f"{task}: nothing had changed; these are the cells that were run before")
    return tell(place, task, failed)


def _run(place: Place, missing: list[tuple[int, str]], task: str) -> dict[tuple[int, str], str]:
    from pipelines.flows.trials import run_study

    say(f"{len(missing)} of {len(place.seeds) * len(place.grid.cells)} cells to run on {task}")
    return run_study(missing, told(place, missing))
