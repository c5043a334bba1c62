"""The Prefect flow: walks DVC's graph, runs what is not fresh, retries what failed, and publishes what is done."""

from __future__ import annotations

import os
import sys
import traceback

for _name, _value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    # What fails is said once, by the stage or by this file; Prefect would add its own way through the code.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
}.items():
    os.environ.setdefault(_name, _value)

from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402

from prefect import flow, task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.states import Cancelled, Completed, Failed  # noqa: E402

from pipelines import collector, compare, params, plan, remote, tracking, workspace  # noqa: E402
from pipelines.errors import UserError  # noqa: E402
from pipelines.progress import say  # noqa: E402
from pipelines.server import server  # noqa: E402
from pipelines.stage import BAD_INPUT, FAILED, STOP, STOPPED, Stopped, alone, end_when_asked  # noqa: E402
from pipelines.workspace import StageFailedError  # noqa: E402


def worth_a_retry(task: object, run: object, state: State[object]) -> bool:
    """Return whether another try may end better: not so for bad input, nor for a stage that was asked to end."""
    try:
        state.result()
    except (UserError, Stopped):
        return False
    except Exception:
        return True
    return False


@task(retries=2, retry_delay_seconds=1, retry_condition_fn=worth_a_retry, task_run_name="{stage}")
def run_stage(stage: str, shared: bool) -> None:
    """Bring one stage up to date, and share it where there is a DVC remote; a retry goes on from its last checkpoint."""
    workspace.reproduce(stage, pull=shared)
    try:
        if shared:
            remote.push(stage)
    except remote.AwayError as error:
        raise StageFailedError(f"{error}; 'dvc push --run-cache {stage}' sends it later") from None


@flow(name="winnow")
def winnow() -> list[str]:
    """Run every stage that is not fresh, in the order of DVC's graph, and return which those were."""
    shared = bool(remote.address())
    if "plan" in workspace.stale():
        _run_or_tell("plan", shared)
    stale, needs = workspace.stale(), workspace.depends_on()
    ran: list[str] = []
    for stage in workspace.stages():
        if stage in stale or not needs[stage].isdisjoint(ran):
            _run_or_tell(stage, shared)
            ran.append(stage)
            if stage.startswith("evaluate@"):
                tracking.publish()
    return ran


def _run_or_tell(stage: str, shared: bool) -> None:
    """Run a stage; where it fails, for good, MLflow shall know it as failed too."""
    try:
        run_stage(stage, shared)
    except (UserError, StageFailedError) as error:
        tracking.fail(stage, str(error))
        raise


@task(
    retries=2,
    retry_delay_seconds=1,
    retry_condition_fn=worth_a_retry,
    task_run_name="{name}, seed {seed}",
    cache_policy=NO_CACHE,
)
def run_cell(seed: int, name: str, work: Callable[[int, str], None]) -> State[None] | None:
    """Run one cell of a study, in this process; a retry goes on from its last checkpoint."""
    try:
        work(seed, name)
    except UserError as error:
        return Failed(message=str(error))
    except Stopped:
        return Cancelled(message="stopped")
    except Exception:
        traceback.print_exc()
        raise
    return None


@flow(name="study", validate_parameters=False)
def study(cells: list[tuple[int, str]], work: Callable[[int, str], None], failed: dict[tuple[int, str], str]) -> State[None]:
    """Run the cells of a study, each whatever became of the others, and put into ``failed`` why some did not end well."""
    # Prefect has put its own answer to SIGTERM in the place of ours.
    end_when_asked()
    for seed, name in cells:
        state = run_cell(seed, name, work, return_state=True)
        if STOP.is_set():
            return Cancelled(message="stopped")
        if not state.is_completed():
            failed[seed, name] = str(state.message).removeprefix("Task run encountered an exception ")
    return Failed(message=f"{len(failed)} of {len(cells)} cells failed") if failed else Completed()


def run_study(cells: list[tuple[int, str]], work: Callable[[int, str], None]) -> dict[tuple[int, str], str]:
    """Run the cells of a study, given by seed and name, and return the reasons of those that failed.

    Raises:
        Stopped: where the study was asked to end.
    """
    with trials("study") as run:
        return run(cells, work)


@contextmanager
def trials(name: str) -> Iterator[Callable[[list[tuple[int, str]], Callable[[int, str], None]], dict[tuple[int, str], str]]]:
    """Give what runs cells as ``run_study`` does, flows called ``name`` that share one server."""
    named = study.with_options(name=name)

    def run(cells: list[tuple[int, str]], work: Callable[[int, str], None]) -> dict[tuple[int, str], str]:
        failed: dict[tuple[int, str], str] = {}
        named(cells, work, failed, return_state=True)
        if STOP.is_set():
            raise Stopped
        return failed

    with server():
        yield run


def _run() -> list[str]:
    with server(meanwhile=tracking.reach):
        return winnow()


def main() -> int:
    """Run the flow in this working copy, print the comparison, and return the exit status."""
    collector.spare(loading=False)
    try:
        with alone("flow"):
            plan.files_of(params.load())
            say("winnow: params.yaml is sound; asking DVC what has to be run")
            workspace.release_the_dead()
            ran = _run() if workspace.stale() else []
            tracking.publish()
            if "compare" not in ran:
                sys.stderr.write("winnow: nothing had changed; this is the comparison that was made before\n")
                compare.show()
    except UserError as error:
        return _said(str(error), BAD_INPUT)
    except StageFailedError as error:
        return _said(str(error), FAILED)
    except (Stopped, KeyboardInterrupt):
        return _said("stopped; the next call goes on from here", STOPPED)
    return 0


def _said(text: str, code: int) -> int:
    sys.stderr.write(f"winnow: {text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
