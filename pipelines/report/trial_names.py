"""Names and runs of a study's trials on its page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pipelines.report.run_results import Run
from pipelines.trials.search_space import told

if TYPE_CHECKING:
    from pipelines.trials.folder import Place
    from pipelines.trials.grid import Cell
    from pipelines.trials.method_rows import MethodRow


def kept(cell: Cell) -> str:
    """Return what tells a cell from the others of its method."""
    fraction = "" if cell.fraction is None else f"{cell.fraction:g} kept"
    return ", ".join(part for part in (fraction, told(cell.settings)) if part)


def title(cell: Cell) -> str:
    """Return what a cell is called beside those of other methods."""
    return ", ".join(part for part in (cell.method, kept(cell)) if part)


def best(place: Place, methods: Iterable[MethodRow]) -> list[Cell]:
    """Return ``full``, and of each method the cell of highest AGOT by the rows ``methods`` of the study."""
    names = {(r.method, r.fraction, r.settings) for r in methods if r.agot_best or r.method == "full"}
    cells = [c for c in place.grid.cells if c.role != "control"]
    return [cell for cell in cells if (cell.method, cell.fraction, cell.settings_json) in names]


def runs(place: Place, cell: Cell, data: str | None = None) -> Iterator[Run]:
    """Yield the runs of a cell that are done."""
    for seed in place.seeds:
        if place.done(seed, cell.name):
            yield Run(cell.name, data, place.of(seed))
