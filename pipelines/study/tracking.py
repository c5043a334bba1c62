"""MLflow runs of a study: a parent run, and a child run for each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.config.plans import MethodPlan, TrainingPlan
from pipelines.core.artifacts import MANIFEST, STUDY, cost_of, digest, plan_of
from pipelines.data.manifest import Manifest
from pipelines.study.report import page
from pipelines.tracking.client import REASON, Tracker, points, with_tracker
from pipelines.tracking.description import note
from pipelines.tracking.metrics import metrics_of
from pipelines.tracking.run_facts import chance_of, keep_of, params_of, shared
from pipelines.trials.method_rows import BEST, MethodRow
from pipelines.trials.rows import TrialRow
from pipelines.trials.search_space import name_of, settings_in
from pipelines.trials.study_folder import DATA, StudyFolder
from pipelines.trials.study_tables import StudyTables
from pipelines.versioning.provenance import versions

if TYPE_CHECKING:
    from pipelines.tracking.client import TrackedRun


def publish(study: StudyFolder, written: StudyTables) -> str | None:
    """Log a study's new results to MLflow, and return its run id.

    Returns:
        None if MLflow is unreachable: then the next call logs them.
    """
    return with_tracker(lambda tracker: _publish(tracker, study, written))


def _publish(tracker: Tracker, study: StudyFolder, written: StudyTables) -> str:
    tags = {"task": written.task, "data": Manifest.read(study.path / DATA / MANIFEST).content, **versions()}
    parent = _parent(tracker, study, tags)
    parent_id = str(parent.info.run_id)
    children = tracker.runs("mlflow.parentRunId", parent_id)
    logged = {r.data.tags["winnow.key"]: r for r in children if {"winnow.complete", "winnow.failed"} & r.data.tags.keys()}
    keys = {digest(row.columns()): row for row in written.cells}
    for key, row in keys.items():
        if key not in logged:
            own = shared(parent.data.tags, "comparison") | {"mlflow.parentRunId": parent_id, "winnow.key": key}
            _log_trial(tracker, study, row, tags | own)
    _forget_the_old(tracker, children, keys)
    _log_tables(tracker, parent, written)
    if failed := written.failed:
        tracker.failed(parent, f"{len(failed)} of {len(keys)} trials failed")
    else:
        tracker.finish(tracker.client.get_run(parent_id))
    tracker.point_caller("winnow.study", parent_id)
    return parent_id


def key_of(study: StudyFolder) -> str:
    """Return the key by which a study's run is found."""
    return digest(["study", study.path.name])


def _parent(tracker: Tracker, study: StudyFolder, tags: dict[str, str]) -> TrackedRun:
    key = key_of(study)
    found = tracker.runs("winnow.key", key)
    run_tags = {**tags, "winnow.key": key, "comparison": f"{tags['task']}-{key[:8]}"}
    return found[0] if found else tracker.create(f"{tags['task']} study", run_tags)


def _forget_the_old(tracker: Tracker, children: list[TrackedRun], keys: dict[str, TrialRow]) -> None:
    """Delete replaced runs, and unfinished runs of an interrupted publish."""
    now = {(row.head.cell, str(row.seed)) for row in keys.values()}
    for run in children:
        tags = run.data.tags
        replaced = tags["winnow.key"] not in keys and (tags["cell"], tags["seed"]) in now
        if replaced or not {"winnow.complete", "winnow.failed"} & tags.keys():
            tracker.forget(run)


def _log_trial(tracker: Tracker, study: StudyFolder, row: TrialRow, tags: dict[str, str]) -> None:
    """Create a trial's run; the tag that marks it as complete is set last."""
    name, role, method = row.head.cell, row.head.role, row.head.method
    found = {"cell": name, "method": method, "seed": str(row.seed)}
    root = study.of(row.seed)
    planned = root / plan_of("methods", name)
    # A control at the cost of another trial has no plan before that trial has run.
    plan = MethodPlan.read(planned) if planned.exists() else None
    params = (params_of(plan, TrainingPlan.read(root / plan_of("training"))) if plan else {}) | found
    metrics = [] if row.error else [*metrics_of(name, root=root), *points(_costs(row), root / cost_of("train", name))]
    tags |= found | {"role": role} | chance_of(row.reached.above_chance) | (keep_of(plan) if plan else {})
    run = tracker.create(f"{name} seed {row.seed}", tags)
    if row.error:
        tracker.log(run.info.run_id, metrics, params, {})
        tracker.failed(run, row.error[:REASON])
        return
    tracker.client.set_terminated(run.info.run_id, "FINISHED")
    tracker.log(run.info.run_id, metrics, params, {"winnow.complete": "true"})


def _costs(row: TrialRow) -> list[tuple[str, float, int]]:
    """Return a row's costs and gains; an energy metric is named after its source."""
    ended = dict.fromkeys(("energy_kwh", "co2e_kg"), f"_{row.costs.energy_label}")
    numbers = {k: v for k, v in row.columns().items() if isinstance(v, int | float) and k not in ("fraction", "seed")}
    return [(f"{k}{ended.get(k, '')}", v, 0) for k, v in numbers.items() if _is_cost(k)]


def _is_cost(key: str) -> bool:
    kinds = ("examples", "time", "alpha", "speed", "agot")
    return key.startswith(kinds) or key.endswith(("seconds", "kwh", "kg", "counted", "epochs"))


def _called(row: MethodRow) -> str:
    """Return a trial's name for use in a metric's name, which allows few characters."""
    return name_of(row.method, settings_in(row.settings), row.fraction)


def _method_metrics(row: MethodRow) -> dict[str, float | None]:
    """Return the parent run's metrics of a method beside its controls, as ``<column>/<method>``."""
    gain, name = row.best_control.gain, f"gain_over_{BEST}"
    gains = {name: gain.mean, f"{name}_low": gain.low, f"{name}_high": gain.high}
    return {**gains, "cost_ratio": row.cost_ratio.value, "cpu_ratio": row.cpu_ratio.value}


def _log_tables(tracker: Tracker, parent: TrackedRun, written: StudyTables) -> None:
    """Log the tables if they are new."""
    tables_key = digest(written.dumped())
    if parent.data.tags.get("winnow.tables") == tables_key:
        return
    run_id, folder = parent.info.run_id, STUDY / written.task
    means = [(f"mean_{written.metric}/{c}", written.summary[c].mean) for c in written.columns]
    ranks = [(f"mean_rank/{c}", written.summary[c].rank) for c in written.columns]
    methods = [(f"{key}/{_called(r)}", value) for r in written.methods for key, value in _method_metrics(r).items()]
    found = [(name, value, 0) for name, value in means + ranks + methods if value is not None]
    seeds = ", ".join(map(str, written.seeds))
    tags = {"methods": ", ".join(written.columns), "seeds": seeds} | note(*page.summary(written), "study")
    tracker.log(run_id, points(found, folder / "study.json"), {}, tags)
    tracker.client.log_artifacts(run_id, str(folder), "study")
    tracker.client.set_tag(run_id, "winnow.tables", tables_key)
