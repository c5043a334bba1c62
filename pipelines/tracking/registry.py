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

#: Tag of a version: when its comparison was first published, in Unix milliseconds. The latest comparison gets the aliases.
SINCE = "winnow.since"


def model_name(task: str) -> str:
    """Return the name of a task's registered model."""
    return f"winnow-{task}"


def best(rows: list[ComparisonRow], metric: Metric) -> dict[str, ComparisonRow]:
    """Return the best row of a comparison by alias; ties go to the first.

    There is no ``best-agot`` if no AGOT is known.
    """
    known = [(row.gains.agot, row) for row in rows if row.gains.agot is not None]
    found = {"best-agot": max(known, key=lambda gained: gained[0])[1]} if known else {}
    sign = 1 if metric.higher else -1
    return found | {f"best-{metric.name}": max(rows, key=lambda row: sign * row.metrics[metric.name])}


def register(tracker: Tracker, parent: Run, runs: dict[str, str]) -> None:
    """Register the best models of a comparison that are not registered yet.

    Args:
        tracker: where to register.
        parent: run of the comparison.
        runs: run ids by method.

    Raises:
        UserError: if params.yaml, which may turn this off, cannot be read.
    """
    if not load(root=tracker.root).tracking.register_best:
        return
    manifest, name = Manifest.prepared(tracker.root), model_name(parent.data.tags["task"])
    metric = manifest.judging_metric
    aliases = _alias_versions(tracker, name, metric)
    versions = {v.run_id: v for v in tracker.client.search_model_versions(f"name = '{name}'")}
    since = {str(v.version): int(v.tags[SINCE]) for v in versions.values() if SINCE in v.tags}
    for alias, row in best(Comparison.written(tracker.root).rows, metric).items():
        run_id = runs[row.method]
        if run_id not in versions:
            versions[run_id] = _version(tracker, name, row, metric, parent, run_id)
        version = str(versions[run_id].version)
        if aliases.get(alias) != version and since.get(aliases.get(alias, ""), 0) <= parent.info.start_time:
            tracker.client.set_registered_model_alias(name, alias, version)


def _alias_versions(tracker: Tracker, name: str, metric: Metric) -> dict[str, str]:
    """Return the version of each alias of a registered model, which is created if missing."""
    found = tracker.client.search_registered_models(f"name = '{name}'")
    if not found:
        by = f"`best-{metric.name}` the {'highest' if metric.higher else 'lowest'} {metric.name}"
        text = f"In the comparison published last, `best-agot` has the highest AGOT, and {by}."
        tracker.client.create_registered_model(name, tags={"task": name.removeprefix("winnow-")}, description=text)
        return {}
    # The result of a search has no aliases.
    return {alias: str(version) for alias, version in tracker.client.get_registered_model(name).aliases.items()}


def _version(tracker: Tracker, name: str, row: ComparisonRow, metric: Metric, parent: Run, run_id: str) -> ModelVersion:
    """Create a version of a registered model from the model logged by ``run_id``."""
    (model,) = tracker.client.search_logged_models([tracker.experiment], f"source_run_id = '{run_id}'")
    tags = {k: parent.data.tags[k] for k in ("task", "seed", "data")} | {"method": row.method}
    tags |= {metric.name: f"{row.metrics[metric.name]:.6g}", SINCE: str(parent.info.start_time)}
    tags |= {} if row.gains.agot is None else {"agot": f"{row.gains.agot:.6g}"}
    return tracker.client.create_model_version(
        name, f"models:/{model.model_id}", run_id, tags, model_id=model.model_id, await_creation_for=None
    )
