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
from pipelines.config.schema.training import UNVALIDATED
from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, plan_of
from pipelines.core.errors import UserError
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.trials import plan_files
from pipelines.trials.grid import grid_of
from pipelines.trials.rows import TrialRow, collect
from pipelines.trials.study_folder import DATA, StudyFolder

#: Runs the given trials, possibly none, of a study's folder, and returns the reasons of failures.
Run = Callable[[StudyFolder, list[tuple[int, str]]], dict[tuple[int, str], str]]
#: Names of the goals' cost units, by their column in a study's rows.
UNITS: dict[Unit, str] = {"cpu_seconds": "CPU seconds", "energy_kwh": "kWh"}


@dataclass(frozen=True)
class Rung:
    """Results of one rung's trials.

    Attributes:
        share: of the training data, without the validation part.
        study: folder of the trials.
        scale: factor from a cost here to one on all training data.
        rows: a study's rows, one for each trial and seed.
        outcomes: of the trials that have results with all seeds.
        kept: names of the trials that go on; at the last rung, all.
    """

    share: float
    study: StudyFolder
    scale: float
    rows: list[TrialRow]
    outcomes: list[Outcome]
    kept: list[str]

    @property
    def failed(self) -> list[TrialRow]:
        """The rows of trials without results."""
        return [r for r in self.rows if r.error]


def section_of(params: Params) -> Advise:
    """Return the section ``advise``.

    Raises:
        UserError: if it is missing.
    """
    if params.advise is None:
        raise UserError("params.yaml: advise: is missing; it names methods with their warm-ups, fractions, seeds and rungs")
    return params.advise


def study_at(params: Params, share: float, seeds: list[int]) -> StudyFolder:
    """Write the plans of the trials on a share of the data, and return their folder.

    Raises:
        UserError: for an invalid setting, named by its path in params.yaml.
    """
    section, task = section_of(params), params.chosen
    parts: dict[str, object] = {"limit": limit_at(task.limit, share), "validation": section.validation, "time_to": None}
    # Candidates are judged at their end: evaluations while training would need a second part, and the test split.
    parts["training"] = task.training.model_copy(update=UNVALIDATED)
    tasks = {**params.tasks, params.task: task.model_copy(update=parts)}
    return _laid_out(params.model_copy(update={"tasks": tasks}), seeds)


def study_of_test(params: Params) -> StudyFolder:
    """Write the plans of the trials on the whole task, and return their folder."""
    return _laid_out(params, [params.seed])


def _laid_out(params: Params, seeds: list[int]) -> StudyFolder:
    section = section_of(params)
    study = Study(
        methods=section.methods, fractions=section.fractions, vary=section.vary, seeds=seeds, controls=section.controls
    )
    try:
        derived = params.model_copy(update={"study": study})
        return plan_files.lay_out(derived, grid_of(derived))
    except UserError as error:
        raise UserError(str(error).replace("params.yaml: study", "params.yaml: advise")) from None


def limit_at(limit: int | float | None, share: float) -> int | float | None:
    """Return a task's ``limit`` for training on a share of its data."""
    if share == 1:
        return limit
    return max(1, round(limit * share)) if isinstance(limit, int) else (limit or 1.0) * share


def climb(params: Params, goal: Goal, unit: Unit, run: Run) -> Iterator[Rung]:
    """Run and yield the rungs in order, each with the trials kept by the one before.

    Raises:
        UserError: if a rung has too few data, or training on everything failed.
    """
    section, entrants = section_of(params), set[str]()
    for share in section.rungs:
        seeds = section.seeds if share == section.rungs[-1] else section.seeds[:1]
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
        raise UserError(f"'full' failed on {share:g} of the training data, and without it nothing can be compared: {reason}")
    manifest = Manifest.read(study.path / DATA / artifacts.MANIFEST)
    metric = Metric(manifest.metric, manifest.higher)
    rows = [row for row in collect(study, metric, failed) if row.head.cell in names]
    scale = scale_of(params, share, manifest.counts.train)
    outcomes = outcomes_of(rows, study, unit, scale)
    kept = names if share == section_of(params).rungs[-1] else survivors(outcomes, goal)
    return Rung(share, study, scale, rows, outcomes, kept)


def scale_of(params: Params, share: float, examples: int) -> float:
    """Return the factor from the cost on ``examples``, a ``share``, to that on all data."""
    limit = params.chosen.limit
    return limit / examples if isinstance(limit, int) else 1 / (share * (1 - section_of(params).validation))


def outcomes_of(rows: list[TrialRow], study: StudyFolder, unit: Unit, scale: float) -> list[Outcome]:
    """Return the outcomes of the trials with results for every seed."""
    found = []
    for trial in study.grid.trials:
        mine = [r for r in rows if r.head.cell == trial.name]
        if mine and not any(r.error for r in mine):
            score, cost = fmean(r.score for r in mine if r.score is not None), fmean(getattr(r.costs, unit) for r in mine)
            found.append(Outcome(trial.name, trial.role, score, cost * scale, trial.controls))
    return found


def spent(study: StudyFolder, names: list[str]) -> dict[str, Spent]:
    """Return the costs in every cost record of the trials ``names``, by the record's path."""
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
