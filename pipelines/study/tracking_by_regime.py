"""MLflow run of a study over several tasks, above their studies' runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.artifacts import digest
from pipelines.study.across_tasks import RegimeRow
from pipelines.study.tasks import together
from pipelines.study.tracking import key_of
from pipelines.tracking.client import Tracker, points, with_tracker
from pipelines.trials.study_folder import StudyFolder
from pipelines.versioning.provenance import versions

if TYPE_CHECKING:
    from pipelines.tracking.client import TrackedRun

PARENT = "mlflow.parentRunId"


def publish(file: Path, folders: dict[str, StudyFolder], rows: list[RegimeRow]) -> str | None:
    """Log the joint rows to a run above the tasks' runs, and return its id.

    Args:
        file: file that defines the study; a changed file keeps its run.
        folders: of the tasks' studies, whose runs exist.
        rows: to log.

    Returns:
        None if MLflow is unreachable: then the next call logs them.
    """
    return with_tracker(lambda tracker: _publish(tracker, file, folders, rows))


def _publish(tracker: Tracker, file: Path, folders: dict[str, StudyFolder], rows: list[RegimeRow]) -> str:
    key = digest(["studies", str(file)])
    found = tracker.runs("winnow.key", key)
    parent = found[0] if found else tracker.create(f"study of {file}", {**versions(), "winnow.key": key})
    parent_id = str(parent.info.run_id)
    studies = [run for study in folders.values() for run in tracker.runs("winnow.key", key_of(study))]
    mine = {run.info.run_id for run in studies}
    for run in tracker.runs(PARENT, parent_id):
        if run.info.run_id not in mine:
            tracker.client.delete_tag(run.info.run_id, PARENT)
    for run in studies:
        if run.data.tags.get(PARENT) != parent_id:
            tracker.client.set_tag(run.info.run_id, PARENT, parent_id)
    _log_rows(tracker, parent, together(file), rows, list(folders))
    tracker.finish(tracker.client.get_run(parent_id))
    tracker.point_caller("winnow.study", parent_id)
    return parent_id


def _log_rows(tracker: Tracker, parent: TrackedRun, folder: Path, rows: list[RegimeRow], tasks: list[str]) -> None:
    """Log the rows and the files in ``folder``, if they are new."""
    if parent.data.tags.get("winnow.tables") == (tables_key := digest([row.columns() for row in rows])):
        return
    run_id = parent.info.run_id
    gains = [(f"gain/{r.task}/{r.method}", gain, 0) for r in rows if (gain := r.gain.mean) is not None]
    tracker.log(run_id, points(gains, folder / "regimes.json"), {}, {"tasks": ", ".join(tasks)})
    tracker.client.log_artifacts(run_id, str(folder), "study")
    tracker.client.set_tag(run_id, "winnow.tables", tables_key)
