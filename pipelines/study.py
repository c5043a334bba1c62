"""study: a grid of methods, kept fractions and seeds, cell by cell, and the table of their means."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pipelines import cells, layout, params, study_tasks
from pipelines.cells import Place
from pipelines.errors import UserError
from pipelines.grid import grid_of
from pipelines.progress import duration
from pipelines.stage import FAILED, main
from pipelines.study_results import say, tell, tell_together
from pipelines.study_table import Row


def study(over: str | None = None) -> int:
    """Run what is missing of the study, write its tables, and return the exit status.

    Args:
        over: a file whose keys stand in the place of those of params.yaml.
    """
    file = Path(over) if over else params.FILE
    read = params.load(over=Path(over) if over else None)
    asked = study_tasks.each(read, file)
    places = {task: layout.lay_out(p, grid_of(p)) for task, p in asked.items()}
    with _one_server(any(place.missing() for place in places.values())):
        written = {task: _one(place, task) for task, place in places.items()}
    return FAILED if tell_together(read, file, asked, places, written) else 0


def _one_server(needed: bool) -> AbstractContextManager[None]:
    """Return what gives all flows of this process the same Prefect server: its client keeps to the first one that it met."""
    if not needed:
        return nullcontext()
    # Prefect takes two seconds to import: not where there is nothing to do; and the flow's settings must be there before it.
    import pipelines.flow  # noqa: F401
    from pipelines.server import server

    return server()


def _one(place: Place, task: str) -> Row:
    """Run what is missing of the study of one task, and return what its JSON holds.

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
    from pipelines.flow import run_study

    say(f"{len(missing)} of {len(place.seeds) * len(place.grid.cells)} cells to run on {task}")
    return run_study(missing, told(place, missing))


def told(place: Place, missing: list[tuple[int, str]]) -> Callable[[int, str], None]:
    """Return what runs one of the ``missing`` cells and says so, with the time that is left if all go at the speed so far."""
    cost = {cell: place.grid[cell[1]].cost for cell in missing}
    begun, seen = time.monotonic(), set[tuple[int, str]]()

    def work(seed: int, name: str) -> None:
        seen.add((seed, name))
        started = time.monotonic()
        cells.run(place, seed, name)
        done = sum(cost[cell] for cell in seen)
        left = (time.monotonic() - begun) / done * (sum(cost.values()) - done)
        took = f"{time.monotonic() - started:.1f} s"
        say(f"{len(seen)}/{len(missing)}: {name}, seed {seed}: {took}, about {duration(left)} left")

    return work


if __name__ == "__main__":
    main("study", study, file=True)
