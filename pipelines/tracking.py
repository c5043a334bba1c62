"""tracking: what the stages' files say, told to MLflow once: a parent run a comparison, a child run a method.

Everything is read from files, so that a stage that DVC restored, or that ran while the tracker was down, is told of too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from components.comparison import Metric
from pipelines import artifacts, report_comparison
from pipelines.artifacts import MANIFEST, plan_of, read_json, result
from pipelines.facts import TOLD, Lock, events_of, files_of, md5_of, params_of, shared, tags_of, versions
from pipelines.stage import main
from pipelines.tracker import REASON, Tracker, say, told
from pipelines.tracking_agents import tell_agents
from pipelines.tracking_metrics import metrics_of, tell_costs
from pipelines.tracking_models import log_model
from pipelines.tracking_note import note
from pipelines.tracking_registry import register

#: The key of a comparison that failed before its data were prepared.
UNPREPARED = "unprepared"
#: What MLflow calls the use of each split.
CONTEXTS = {"train": "training", "test": "testing"}


def publish(say: Callable[[str], object] = say) -> str | None:
    """Tell MLflow of everything that is finished and not yet told, and return the id of the comparison's run.

    Args:
        say: is told once where there is no tracker.

    Returns:
        None where there is nothing to tell yet, or no tracker to tell it to: then the next call tells it.
    """
    return told(_publish, say)


def fail(stage: str, message: str, say: Callable[[str], object] = say) -> None:
    """Mark the comparison as failed, and the method too where ``stage`` (``train@full``, say) belongs to one."""
    told(lambda tracker: _fail(tracker, stage, message), say)


def _publish(tracker: Tracker) -> str | None:
    lock = tracker.lock
    if not (lock.holds("plan") and lock.holds("prepare")):
        return None
    parent = _parent(tracker, prepared=True)
    parent_id = str(parent.info.run_id)
    children = tracker.runs("mlflow.parentRunId", parent_id)
    for run in children:
        if not {"winnow.complete", "winnow.failed"} & run.data.tags.keys():
            tracker.forget(run)
    methods = read_json(plan_of("comparison"))["methods"]
    runs = {m: _child(tracker, parent, m, children) for m in methods}
    there = {m: run for m, run in runs.items() if run}
    tell_costs(tracker, there)
    tell_agents(tracker, there)
    whole = _tell_comparison(tracker, parent) and all(runs.values())
    if whole:
        tracker.finish(parent)
    tracker.point_caller("winnow.comparison", parent_id)
    if whole:
        register(tracker, parent, {name: str(run) for name, run in runs.items()})
    return parent_id


def _parent(tracker: Tracker, *, prepared: bool) -> Any:  # noqa: ANN401 - mlflow's Run
    """Return the run of the comparison; one that failed before its data were prepared becomes it."""
    made_of = [tracker.lock.outs.get(str(path)) for path in (artifacts.PLAN, artifacts.PREPARED)]
    key = artifacts.digest(made_of) if prepared else UNPREPARED
    task = read_json(plan_of("task")) if plan_of("task").exists() else {"name": "winnow", "seed": ""}
    name = f"{task['name']} comparison"
    if runs := tracker.runs("winnow.key", key):
        return runs[0]
    tags = {"winnow.key": key, "task": task["name"], "seed": str(task["seed"]), **versions()}
    if prepared:
        tags |= {"data": read_json(MANIFEST)["content"], "comparison": f"{task['name']}-{key[:8]}"}
    early = tracker.runs("winnow.key", UNPREPARED)
    if not early:
        return tracker.create(name, tags)
    run_id = early[0].info.run_id
    tracker.log(run_id, [], {}, {**tags, "mlflow.runName": name})
    return tracker.client.get_run(run_id)


def _tell_comparison(tracker: Tracker, parent: Any) -> bool:  # noqa: ANN401 - mlflow's Run
    """Log the table and the figure where they are new; return whether there are any."""
    md5 = tracker.lock.outs.get(str(artifacts.COMPARISON))
    if not (md5 and tracker.lock.holds("account") and tracker.lock.holds("compare")):
        return False
    if parent.data.tags.get("winnow.compare") != md5:
        run_id = parent.info.run_id
        plan = read_json(plan_of("comparison"))
        params = {"task": plan["task"], "methods": ", ".join(plan["methods"])}
        table = artifacts.COMPARISON / "comparison.json"
        rows, manifest = read_json(table)["rows"], read_json(MANIFEST)
        told_first = note(*report_comparison.summary(rows, Metric(manifest["metric"], manifest["higher"])), "compare")
        tracker.log(run_id, [], params, versions() | told_first)
        tracker.client.log_artifacts(run_id, str(artifacts.COMPARISON), "compare")
        tracker.client.log_artifact(run_id, str(artifacts.ACCOUNT))
        tracker.client.set_tag(run_id, "winnow.compare", md5)
    return True


def _child(tracker: Tracker, parent: Any, name: str, children: list[Any]) -> str | None:  # noqa: ANN401 - mlflow's Run
    """Return the run of the method ``name``, made where there is none; None where its results are not all there."""
    lock, stages = tracker.lock, [f"{stage}@{name}" for stage in TOLD]
    if not all(lock.holds(stage) for stage in stages):
        return None
    mine = [run for run in children if run.data.tags.get("method") == name]
    done = [r for r in mine if r.data.tags.get("winnow.complete") and r.data.tags.get("winnow.key") == lock.key(*stages)]
    if not done and not all(lock.holds(stage, bytes_too=True) for stage in stages):
        return None
    run_id = done[0].info.run_id if done else _tell_method(tracker, parent, name, str(lock.key(*stages)))
    for run in mine:
        if "winnow.failed" in run.data.tags:
            tracker.forget(run)
    return str(run_id)


def _tell_method(tracker: Tracker, parent: Any, name: str, key: str) -> str:  # noqa: ANN401 - mlflow's Run
    """Make the run of one method; the mark that it is complete comes last."""
    plan, training = read_json(plan_of("methods", name)), read_json(plan_of("training"))
    manifest = read_json(MANIFEST)
    tags = tags_of(tracker.lock, parent.info.run_id, plan, manifest)
    tags |= events_of(read_json(result("train", name, "history.json"))) | shared(parent.data.tags, "comparison")
    run_id = str(tracker.create(name, {**tags, "winnow.key": key}).info.run_id)
    tracker.log(run_id, metrics_of(name), params_of(plan, training), {})
    tracker.client.log_inputs(run_id, [_dataset(tracker.lock, manifest, split) for split in CONTEXTS])
    for folder, paths in files_of(name, plan["warm_up"]).items():
        for path in paths:
            tracker.client.log_artifact(run_id, str(path), folder)
    log_model(run_id, name, training["model"], manifest)
    tracker.client.set_terminated(run_id, "FINISHED")
    tracker.client.set_tag(run_id, "winnow.complete", "true")
    return run_id


def _dataset(lock: Lock, manifest: dict[str, Any], split: str) -> Any:  # noqa: ANN401 - a DatasetInput
    """Return one split of the prepared data, by the hash of its file; the tag "data" has that of both."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    path = artifacts.PREPARED / f"{split}.arrow"
    source = json.dumps({"uri": str(path.resolve())})
    known = ("counts", "target", "classes", "licence", "label_noise", "long_tail", "duplicates")
    profile = json.dumps({k: manifest[k] for k in known if k in manifest})
    data = Dataset(f"{manifest['task']} {split}", md5_of(path) or "", "local", source, profile=profile)
    tags = {"mlflow.data.context": CONTEXTS[split], "dvc.md5": lock.outs[str(artifacts.PREPARED)]}
    return DatasetInput(data, [InputTag(k, v) for k, v in tags.items()])


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
    tags = {"mlflow.parentRunId": parent.info.run_id, "method": name, **versions()}
    tracker.failed(tracker.create(name, tags), reason)


def reach() -> None:
    """Load MLflow and make its database, where there is none: what the first publish would wait for."""
    told(lambda tracker: None)


def command() -> None:
    """Publish, as a command."""
    publish()


if __name__ == "__main__":
    main("tracking", command)
