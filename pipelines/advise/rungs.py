"""Rungs of an advice: trials on growing parts of the training data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

from components.costs.halving import Goal, Outcome, survivors
from components.costs.savings import Metric
from pipelines.advise.records import Spent, Unit
from pipelines.config.params import Params
from pipelines.config.plans import MethodPlan
from pipelines.config.schema.sections import Advise, Study
from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, plan_of
from pipelines.core.errors import UserError
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.trials import plan_files
from pipelines.trials.folder import DATA, StudyFolder
from pipelines.trials.grid import grid_of
from pipelines.trials.rows import TrialRow, collect

#: Runs trials of a place, which may be none, and returns why some failed.
Run = Callable[[StudyFolder, list[tuple[int, str]]], dict[tuple[int, str], str]]
#: What a goal's costs are, by their column in a study's rows.
UNITS: dict[Unit, str] = {"cpu_seconds": "CPU seconds", "energy_kwh": "kWh"}


@dataclass(frozen=True)
class Rung:
    """What the trials of one rung found.

    Attributes:
        share: of the training data, what is left for validation apart.
        study: where they lie.
        scale: what a cost on all training data is of one here.
        rows: of the trials, one a seed and trial, as a study has them.
        outcomes: of the trials that all seeds have.
        kept: names of those that go on; at the last rung, all.
    """

    share: float
    study: StudyFolder
    scale: float
    rows: list[TrialRow]
    outcomes: list[Outcome]
    kept: list[str]

    @property
    def failed(self) -> list[TrialRow]:
        """The rows of the trials without results."""
        return [r for r in self.rows if r.error]


def section_of(params: Params) -> Advise:
    """Return the section ``advise``.

    Raises:
        UserError: where there is none.
    """
    if params.advise is None:
        raise UserError("params.yaml: advise: is missing; it names methods with their warm-ups, fractions, seeds and rungs")
    return params.advise


def study_at(params: Params, share: float, seeds: list[int]) -> StudyFolder:
    """Return the folder of the trials on ``share`` of the training data, their plans written.

    Raises:
        UserError: for what cannot work, paths as in params.yaml.
    """
    asked, task = section_of(params), params.chosen
    parts = {"limit": limit_at(task.limit, share), "validation": asked.validation}
    tasks = {**params.tasks, params.task: task.model_copy(update=parts)}
    return _laid_out(params.model_copy(update={"tasks": tasks}), seeds)


def study_of_test(params: Params) -> StudyFolder:
    """Return the folder where the task itself is trained, with the seed of params.yaml, and judged by its test split."""
    return _laid_out(params, [params.seed])


def _laid_out(params: Params, seeds: list[int]) -> StudyFolder:
    asked = section_of(params)
    study = Study(methods=asked.methods, fractions=asked.fractions, vary=asked.vary, seeds=seeds, controls=asked.controls)
    try:
        derived = params.model_copy(update={"study": study})
        return plan_files.lay_out(derived, grid_of(derived))
    except UserError as error:
        raise UserError(str(error).replace("params.yaml: study", "params.yaml: advise")) from None


def limit_at(limit: int | float | None, share: float) -> int | float | None:
    """Return the ``limit`` of a task of which a share is trained on."""
    if share == 1:
        return limit
    return max(1, round(limit * share)) if isinstance(limit, int) else (limit or 1.0) * share


def climb(params: Params, goal: Goal, unit: Unit, run: Run) -> Iterator[Rung]:
    """Yield the rungs, each run by ``run`` where it was not before; who goes on from one is who enters the next.

    Raises:
        UserError: for a rung whose data do not suffice, or where training on everything failed.
    """
    asked, entrants = section_of(params), set[str]()
    for share in asked.rungs:
        seeds = asked.seeds if share == asked.rungs[-1] else asked.seeds[:1]
        study = study_at(params, share, seeds)
        names = [c.name for c in study.grid.trials if c.name in entrants or not entrants]
        rung = _tried(study, params, share, names, goal, unit, run)
        entrants = set(rung.kept)
        yield rung


def _tried(study: StudyFolder, params: Params, share: float, names: list[str], goal: Goal, unit: Unit, run: Run) -> Rung:
    missing = [trial for trial in study.missing() if trial[1] in names]
    failed = run(study, missing)
    if not all(study.is_done(seed, "full") for seed in study.seeds):
        reason = next((r for (_, name), r in failed.items() if name == "full"), "it has no results")
        raise UserError(f"'full' failed on {share:g} of the training data, and all is held against it: {reason}")
    manifest = Manifest.read(study.path / DATA / artifacts.MANIFEST)
    metric = Metric(manifest.metric, manifest.higher)
    rows = [row for row in collect(study, metric, failed) if row.head.cell in names]
    scale = scale_of(params, share, manifest.counts.train)
    outcomes = outcomes_of(rows, study, unit, scale)
    kept = names if share == section_of(params).rungs[-1] else survivors(outcomes, goal)
    return Rung(share, study, scale, rows, outcomes, kept)


def scale_of(params: Params, share: float, examples: int) -> float:
    """Return what a training on all data costs of one on ``examples``, a ``share`` of them: costs are in proportion."""
    limit = params.chosen.limit
    return limit / examples if isinstance(limit, int) else 1 / (share * (1 - section_of(params).validation))


def outcomes_of(rows: list[TrialRow], study: StudyFolder, unit: Unit, scale: float) -> list[Outcome]:
    """Return the outcomes of the trials that have results with every seed."""
    found = []
    for trial in study.grid.trials:
        mine = [r for r in rows if r.head.cell == trial.name]
        if mine and not any(r.error for r in mine):
            score, cost = fmean(r.score for r in mine if r.score is not None), fmean(getattr(r.costs, unit) for r in mine)
            found.append(Outcome(trial.name, trial.role, score, cost * scale, trial.controls))
    return found


def spent(study: StudyFolder, names: list[str]) -> dict[str, Spent]:
    """Return CPU seconds and kWh of every cost record of the trials ``names`` at ``study``, by its path; none twice."""
    records = {str(study.path / DATA / cost_of("prepare")): study.path / DATA / cost_of("prepare")}
    for seed in study.seeds:
        for name in names:
            planned = study.of(seed) / plan_of("methods", name)
            start = MethodPlan.read(planned).warm_up if planned.exists() else ""
            own = [cost_of(stage, name) for stage in ("subset", "train", "evaluate")]
            records |= {str(study.of(seed) / p): study.of(seed) / p for p in [cost_of("warm_up", start), *own]}
    return {key: _spent(CostRecord.read(path)) for key, path in records.items() if path.exists()}


def _spent(cost: CostRecord) -> Spent:
    return Spent(cpu_seconds=cost.outermost.cpu_seconds, energy_kwh=cost.energy.kwh if cost.energy else 0.0)
