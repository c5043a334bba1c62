"""MLflow runs of an advice: a parent run, and a child run for each trial."""

from __future__ import annotations

from pipelines.advise.records import Advice, TrialRecord
from pipelines.advise.report import goal_option
from pipelines.core.artifacts import ADVICE, digest
from pipelines.tracking.client import REASON, Tracker, points, with_tracker
from pipelines.versioning.provenance import versions


def publish(written: Advice) -> str | None:
    """Log an advice to MLflow, unless it is there, and return its run id.

    Returns:
        None if MLflow is unreachable: then the next call logs it.
    """
    return with_tracker(lambda tracker: _publish(tracker, written))


def _publish(tracker: Tracker, written: Advice) -> str:
    # The balance differs at each call, since it has the costs of this run.
    key = digest(["advice", {k: v for k, v in written.dumped().items() if k != "balance"}])
    for run in tracker.runs("winnow.key", key):
        if "winnow.complete" in run.data.tags:
            return str(run.info.run_id)
        for left in [*tracker.runs("mlflow.parentRunId", run.info.run_id), run]:
            tracker.forget(left)
    tags = {"task": written.task, "goal": goal_option(written), **versions()}
    parent = tracker.create(f"{written.task} advice", {**tags, "winnow.key": key, "advice": written.sentence})
    run_id = str(parent.info.run_id)
    for trial in written.trials:
        _log_trial(tracker, written, trial, {**tags, "mlflow.parentRunId": run_id})
    balance, path = written.balance, ADVICE / written.task / "advice.json"
    found = [(f"advice_{k}", v, 0) for k, v in (*vars(balance.cost).items(), ("saving", balance.saving))]
    tracker.log(run_id, points(found, path), {"bound": written.bound, "goal": written.goal}, {})
    tracker.client.log_artifacts(run_id, str(path.parent), "advice")
    tracker.finish(parent)
    tracker.point_caller("winnow.advice", run_id)
    return run_id


def _log_trial(tracker: Tracker, written: Advice, trial: TrialRecord, tags: dict[str, str]) -> None:
    row, columns = trial.row, trial.columns()
    own = {k: columns[k] for k in ("cell", "role", "method", "seed", "share")}
    name = f"{row.head.cell} on {trial.share:g} seed {row.seed}"
    run = tracker.create(name, {**tags, **{k: str(v) for k, v in own.items()}})
    found = [(k, v, 0) for k, v in columns.items() if isinstance(v, int | float) and k not in own]
    tracker.log(run.info.run_id, points(found, ADVICE / written.task / "advice.json"), own, {})
    if row.error:
        tracker.failed(run, row.error[:REASON])
    else:
        tracker.finish(run)
