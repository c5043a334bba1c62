"""Prefect flow of a comparison on this machine, and its task for one stage."""

from __future__ import annotations

from prefect import flow, task

from pipelines.core.errors import AwayError, StageFailedError, UserError
from pipelines.flows.retry import worth_a_retry
from pipelines.tracking import comparison as tracking
from pipelines.versioning import dvc_project, dvc_remote


@task(retries=2, retry_delay_seconds=1, retry_condition_fn=worth_a_retry, task_run_name="{stage}")
def run_stage(stage: str, shared: bool) -> None:
    """Reproduce one stage and, with a DVC remote, push it; a retry resumes from its checkpoint."""
    dvc_project.reproduce(stage, pull=shared)
    try:
        if shared:
            dvc_remote.push(stage)
    except AwayError as error:
        raise StageFailedError(f"{error}; run 'dvc push --run-cache {stage}' later") from None


@flow(name="winnow")
def winnow() -> list[str]:
    """Run every stale stage in the order of DVC's graph, and return their names."""
    shared = bool(dvc_remote.address())
    if "plan" in dvc_project.stale():
        _run_or_mark_failed("plan", shared)
    stale, needs = dvc_project.stale(), dvc_project.depends_on()
    ran: list[str] = []
    for stage in dvc_project.stages():
        if stage in stale or not needs[stage].isdisjoint(ran):
            _run_or_mark_failed(stage, shared)
            ran.append(stage)
            if stage.startswith("evaluate@"):
                tracking.publish()
    return ran


def _run_or_mark_failed(stage: str, shared: bool) -> None:
    """Run a stage; if it still fails after its retries, mark it as failed in MLflow."""
    try:
        run_stage(stage, shared)
    except (UserError, StageFailedError) as error:
        tracking.fail(stage, str(error))
        raise
