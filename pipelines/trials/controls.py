"""Controls at the measured cost of a finished trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.selection.selector import epochs_spent
from pipelines.config import planning
from pipelines.core.artifacts import plan_of
from pipelines.costs.records import CostRecord, counts_of
from pipelines.trials.grid import Grid, Trial, block_at

if TYPE_CHECKING:
    from pipelines.config.plans import MethodPlan
    from pipelines.trials.study_folder import StudyFolder


def cost_had(name: str, root: Path) -> float:
    """Return the cost of a finished trial, in epochs over all data, to four decimals.

    It includes the warm-up and is computed from counts, not timings: a seed has the same cost on all machines with the same
    arithmetic.
    """
    train = CostRecord.of_stage("train", name, root).counted
    spent = counts_of(name, train, root)
    return round(epochs_spent(spent["looked"], spent["trained"], train.examples), 4)


def plan_at(grid: Grid, trial: Trial, seed: int, cost: float) -> MethodPlan:
    """Return the plan of a control at a cost in epochs, at most that of ``full``."""
    changes = {"seed": seed, "compare": {trial.name: grid.start}}
    methods = grid.params.methods | {trial.name: block_at(trial, cost, grid.params.chosen.training.epochs)}
    return planning.method_plan(grid.params.model_copy(update={**changes, "methods": methods}), trial.name)


def plan_after(study: StudyFolder, seed: int, trial: Trial) -> None:
    """Write a control's plan so that it costs what the finished trial ``trial.after`` cost."""
    root = study.of(seed)
    planned = plan_at(study.grid, trial, seed, cost_had(trial.after, root))
    planned.write(root / plan_of("methods", trial.name))
