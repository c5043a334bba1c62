"""MLflow model registry: the best models of the last comparison, by alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.costs.savings import Metric
from pipelines.config.loader import load
from pipelines.data.manifest import Manifest
from pipelines.report.rows import Comparison, ComparisonRow
from pipelines.tracking.client import Tracker

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

#: A version's tag that has the moment when its comparison was first published, in milliseconds: later ones take the aliases.
SINCE = "winnow.since"


def model_name(task: str) -> str:
    """Return what the registered model of a task is called."""
    return f"winnow-{task}"


def best(rows: list[ComparisonRow], metric: Metric) -> dict[str, ComparisonRow]:
    """Return the best of a comparison's rows by alias; of equals the first, and none by a gain that is not known."""
    known = [(row.gains.agot, row) for row in rows if row.gains.agot is not None]
    found = {"best-agot": max(known, key=lambda gained: gained[0])[1]} if known else {}
    sign = 1 if metric.higher else -1
    return found | {f"best-{metric.name}": max(rows, key=lambda row: sign * row.metrics[metric.name])}


def register(tracker: Tracker, parent: Run, runs: dict[str, str]) -> None:
    """Register the best models of the comparison ``parent``, whose methods have the ``runs``; nothing that is there already.

    Raises:
        UserError: where params.yaml, which says whether to, cannot be read.
    """
    if not load(root=tracker.root).tracking.register_best:
        return
    manifest, name = Manifest.prepared(tracker.root), model_name(parent.data.tags["task"])
    metric = manifest.judging_metric
    held = _alias_versions(tracker, name, metric)
    versions = {v.run_id: v for v in tracker.client.search_model_versions(f"name = '{name}'")}
    since = {str(v.version): int(v.tags[SINCE]) for v in versions.values() if SINCE in v.tags}
    for alias, row in best(Comparison.written(tracker.root).rows, metric).items():
        run_id = runs[row.method]
        if run_id not in versions:
            versions[run_id] = _version(tracker, name, row, metric, parent, run_id)
        version = str(versions[run_id].version)
        if held.get(alias) != version and since.get(held.get(alias, ""), 0) <= parent.info.start_time:
            tracker.client.set_registered_model_alias(name, alias, version)


def _alias_versions(tracker: Tracker, name: str, metric: Metric) -> dict[str, str]:
    """Return the version of each alias of the registered model ``name``, which is made where there is none."""
    found = tracker.client.search_registered_models(f"name = '{name}'")
    if not found:
        by = f"`best-{metric.name}` the {'highest' if metric.higher else 'lowest'} {metric.name}"
        text = f"Of the comparison that was published last, `best-agot` has the highest AGOT, and {by}."
        tracker.client.create_registered_model(name, tags={"task": name.removeprefix("winnow-")}, description=text)
        return {}
    # A search leaves the aliases out.
    return {alias: str(version) for alias, version in tracker.client.get_registered_model(name).aliases.items()}


def _version(tracker: Tracker, name: str, row: ComparisonRow, metric: Metric, parent: Run, run_id: str) -> ModelVersion:
    """Return a new version of the registered model ``name``: the model that the run ``run_id`` has logged."""
    (model,) = tracker.client.search_logged_models([tracker.experiment], f"source_run_id = '{run_id}'")
    tags = {k: parent.data.tags[k] for k in ("task", "seed", "data")} | {"method": row.method}
    tags |= {metric.name: f"{row.metrics[metric.name]:.6g}", SINCE: str(parent.info.start_time)}
    tags |= {} if row.gains.agot is None else {"agot": f"{row.gains.agot:.6g}"}
    return tracker.client.create_model_version(
        name, f"models:/{model.model_id}", run_id, tags, model_id=model.model_id, await_creation_for=None
    )
