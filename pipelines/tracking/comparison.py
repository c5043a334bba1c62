"""Publishes a comparison to MLflow: a parent run, and a child run for each method.

Everything is read from files, so that stages that DVC restored, or that ran while MLflow was down, are logged too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.plans import ComparisonPlan, TaskPlan, TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import HERE, plan_of
from pipelines.data.findings.records import Findings
from pipelines.data.manifest import Manifest
from pipelines.report import comparison, diagnosis
from pipelines.report.rows import Comparison
from pipelines.tracking.agents import log_agents
from pipelines.tracking.client import REASON, Tracker, points, warn, with_tracker
from pipelines.tracking.description import note
from pipelines.tracking.method_runs import Methods
from pipelines.tracking.models import models_of
from pipelines.tracking.registry import register
from pipelines.tracking.run_facts import TOLD
from pipelines.versioning.provenance import versions

if TYPE_CHECKING:
    from mlflow.entities import Run

#: The key of a comparison that failed before its data were prepared.
UNPREPARED = "unprepared"


def publish(report: Callable[[str], object] = warn, root: Path = HERE) -> str | None:
    """Log finished results that are not in MLflow yet, and return the comparison's run id.

    Args:
        report: called once if MLflow is unreachable.
        root: the folder of the comparison.

    Returns:
        None if there is nothing to log yet, or MLflow is unreachable: then the next call logs it.
    """
    return with_tracker(_publish, report, root)


def fail(stage: str, message: str, report: Callable[[str], object] = warn, root: Path = HERE) -> None:
    """Mark the comparison as failed, and the method of ``stage`` (``train@full``, say), if any."""
    with_tracker(lambda tracker: _fail(tracker, stage, message), report, root)


def _publish(tracker: Tracker) -> str | None:
    lock, root = tracker.lock, tracker.root
    if not (lock.holds("plan") and lock.holds("prepare")):
        return None
    parent = _parent(tracker, prepared=True)
    parent_id = str(parent.info.run_id)
    children = tracker.runs("mlflow.parentRunId", parent_id)
    for run in children:
        if not {"winnow.complete", "winnow.failed"} & run.data.tags.keys():
            tracker.forget(run)
    with models_of(TrainingPlan.read(root / plan_of("training")).model, Manifest.prepared(root), root) as models:
        methods = Methods(tracker, parent, children, models)
        runs = {name: methods.log_method(name) for name in ComparisonPlan.read(root / plan_of("comparison")).methods}
    log_agents(tracker, {name: run for name, run in runs.items() if run})
    _log_diagnosis(tracker, parent)
    whole = _log_comparison(tracker, parent) and all(runs.values())
    if whole:
        tracker.finish(parent)
    tracker.point_caller("winnow.comparison", parent_id)
    if whole:
        register(tracker, parent, {name: str(run) for name, run in runs.items()})
    return parent_id


def _parent(tracker: Tracker, *, prepared: bool) -> Run:
    """Return the comparison's run; a run that failed before the data were prepared is reused."""
    made_of = [tracker.lock.outs.get(str(path)) for path in (artifacts.PLAN, artifacts.PREPARED)]
    key = artifacts.digest(made_of) if prepared else UNPREPARED
    planned = tracker.root / plan_of("task")
    plan = TaskPlan.read(planned) if planned.exists() else None
    task, seed = (plan.name, str(plan.seed)) if plan else ("winnow", "")
    name = f"{task} comparison"
    if runs := tracker.runs("winnow.key", key):
        return runs[0]
    tags = {"winnow.key": key, "task": task, "seed": seed, **versions(tracker.root)}
    if prepared:
        tags |= {"data": Manifest.prepared(tracker.root).content, "comparison": f"{task}-{key[:8]}"}
    early = tracker.runs("winnow.key", UNPREPARED)
    if not early:
        return tracker.create(name, tags)
    run_id = early[0].info.run_id
    tracker.log(run_id, [], {}, {**tags, "mlflow.runName": name})
    return tracker.client.get_run(run_id)


def _log_comparison(tracker: Tracker, parent: Run) -> bool:
    """Log the comparison's files if they are new; return whether they exist and are current."""
    md5 = tracker.lock.outs.get(str(artifacts.COMPARISON))
    if not (md5 and tracker.lock.holds("account") and tracker.lock.holds("compare")):
        return False
    if parent.data.tags.get("winnow.compare") != md5:
        run_id, root = parent.info.run_id, tracker.root
        plan = ComparisonPlan.read(root / plan_of("comparison"))
        params = {"task": plan.task, "methods": ", ".join(plan.methods)}
        rows = Comparison.written(root).rows
        description = note(*comparison.summary(rows, Manifest.prepared(root).judging_metric, root), "compare")
        tracker.log(run_id, [], params, versions(root) | description)
        tracker.client.log_artifacts(run_id, str(root / artifacts.COMPARISON), "compare")
        tracker.client.log_artifact(run_id, str(root / artifacts.ACCOUNT))
        tracker.client.set_tag(run_id, "winnow.compare", md5)
    return True


def _log_diagnosis(tracker: Tracker, parent: Run) -> None:
    """Log the diagnosis of the data if it is new."""
    md5 = tracker.lock.outs.get(str(artifacts.DIAGNOSIS))
    if not (md5 and tracker.lock.holds("diagnose")) or parent.data.tags.get("winnow.diagnosis") == md5:
        return
    path = tracker.root / artifacts.DIAGNOSIS / "diagnosis.json"
    findings, run_id = Findings.read(path), parent.info.run_id
    found = [(f"diagnosis/{name}", value, 0) for name, value in diagnosis.measures(findings).items()]
    tracker.log(run_id, points(found, path), {}, {"winnow.advice": diagnosis.lines(findings)[0]})
    tracker.client.log_artifacts(run_id, str(path.parent), "diagnose")
    tracker.client.set_tag(run_id, "winnow.diagnosis", md5)


def _fail(tracker: Tracker, stage: str, message: str) -> None:
    lock, reason = tracker.lock, f"{stage}: {message.removeprefix(f'{stage}: ')}"[:REASON]
    prepared = stage != "plan" and lock.holds("plan") and lock.holds("prepare")
    parent = _parent(tracker, prepared=prepared)
    tracker.failed(parent, reason)
    kind, _, name = stage.partition("@")
    if kind not in TOLD or not name:
        return
    for run in tracker.runs("mlflow.parentRunId", parent.info.run_id):
        if run.data.tags.get("method") == name and "winnow.complete" not in run.data.tags:
            tracker.forget(run)
    tags = {"mlflow.parentRunId": parent.info.run_id, "method": name, **versions(tracker.root)}
    tracker.failed(tracker.create(name, tags), reason)


def reach() -> None:
    """Import MLflow and create its database if missing, before the first publish needs them."""
    with_tracker(lambda tracker: None)
