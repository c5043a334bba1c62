"""Controls at the measured cost of a finished trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.selection.selector import epochs_spent
from pipelines.config import planning
from pipelines.core.artifacts import plan_of
from pipelines.costs.records import CostRecord, counts_of
from pipelines.trials.grid import Cell, Grid, block_at

if TYPE_CHECKING:
    from pipelines.config.plans import MethodPlan
    from pipelines.trials.folder import Place


def cost_had(name: str, root: Path) -> float:
    """Return what the cell ``name``, which has run in ``root``, cost in epochs over everything, to four digits.

    Its warm-up is in it, and of timings nothing: the same seed has the same cost on every machine of one arithmetic.
    """
    train = CostRecord.of_stage("train", name, root).counted
    spent = counts_of(name, train, root)
    return round(epochs_spent(spent["looked"], spent["trained"], train.examples), 4)


def plan_at(grid: Grid, cell: Cell, seed: int, cost: float) -> MethodPlan:
    """Return the plan of the control ``cell`` with ``seed`` at ``cost`` epochs, and at no more than ``full`` has."""
    changes = {"seed": seed, "compare": {cell.name: grid.start}}
    methods = grid.params.methods | {cell.name: block_at(cell, cost, grid.params.chosen.training.epochs)}
    return planning.method_plan(grid.params.model_copy(update={**changes, "methods": methods}), cell.name)


def plan_after(place: Place, seed: int, cell: Cell) -> None:
    """Write a control's plan so that it costs what the finished trial ``cell.after`` cost."""
    root = place.of(seed)
    planned = plan_at(place.grid, cell, seed, cost_had(cell.after, root))
    planned.write(root / plan_of("methods", cell.name))
