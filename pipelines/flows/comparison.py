"""Prefect flow of a comparison on this machine, and its task for one stage."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Any

from prefect import flow, task
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from pipelines.core.errors import AwayError, StageFailedError, Stopped, UserError
from pipelines.flows.retry import worth_a_retry
from pipelines.tracking import comparison as tracking
from pipelines.versioning import dvc_project, dvc_remote


@task(retries=2, retry_delay_seconds=1, retry_condition_fn=worth_a_retry, task_run_name="{stage}")
def run_stage(stage: str, shared: bool, by_lines: bool) -> None:
    """Reproduce one stage and, with a DVC remote, push it; a retry resumes from its checkpoint.

    Args:
        stage: address of the stage.
        shared: whether there is a DVC remote.
        by_lines: whether to pass its output on line by line, since progress bars of several stages would draw over each other.

    Raises:
        Stopped: if this process was asked to stop; a thread's KeyboardInterrupt would reach nobody.
    """
    try:
        dvc_project.reproduce(stage, pull=shared, said=_print_line if by_lines else None)
        if shared:
            dvc_remote.push(stage)
    except KeyboardInterrupt:
        raise Stopped from None
    except AwayError as error:
        raise StageFailedError(f"{error}; run 'dvc push --run-cache {stage}' later") from None


def _print_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def run_comparison(at_once: int) -> list[str]:
    """Run the stale stages, up to ``at_once`` at a time, and return their names in the order in which they ended."""
    runner: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=at_once)
    return winnow.with_options(task_runner=runner)(at_once)


@flow(name="winnow")
def winnow(at_once: int) -> list[str]:
    """Run every stale stage after those that it depends on, and return their names."""
    shared = bool(dvc_remote.address())
    if "plan" in dvc_project.stale():
        _Stages(["plan"], {"plan": set()}, shared).run(1)
    stale, needs = dvc_project.stale(), dvc_project.depends_on()
    left: list[str] = []
    for stage in dvc_project.stages():
        if stage in stale or not needs[stage].isdisjoint(left):
            left.append(stage)
    return _Stages(left, needs, shared).run(at_once)


class _Stages:
    """Stages of a comparison: those left to run, in DVC's order, those running, and those that have ended."""

    def __init__(self, left: list[str], needs: dict[str, set[str]], shared: bool) -> None:
        self._left, self._needs, self._shared = left, needs, shared
        self._running: dict[PrefectFuture[None], str] = {}
        self._ended: list[str] = []

    def run(self, at_once: int) -> list[str]:
        """Run all, and return them in the order in which they ended; after a failure, end with those that run already.

        Raises:
            UserError: for a mistake in the input.
            Stopped: if this process was asked to stop.
            StageFailedError: if a stage still fails after its retries.
        """
        failures: list[Exception] = []
        while True:
            if not failures:
                self._start(at_once)
            if not self._running:
                break
            future = next(as_completed(list(self._running)))
            failures += self._end(self._running.pop(future), future)
        if failures:
            raise failures[0]
        return self._ended

    def _start(self, at_once: int) -> None:
        unfinished = {*self._left, *self._running.values()}
        ready = (stage for stage in self._left if self._needs[stage].isdisjoint(unfinished))
        for stage in list(islice(ready, at_once - len(self._running))):
            self._left.remove(stage)
            self._running[run_stage.submit(stage, self._shared, by_lines=at_once > 1 and "@" in stage)] = stage

    def _end(self, stage: str, future: PrefectFuture[None]) -> list[Exception]:
        """Publish what a stage that has ended made; return its failure, if it failed, and mark it as failed in MLflow."""
        try:
            future.result()
        except Stopped as error:
            return [error]
        except (UserError, StageFailedError) as error:
            tracking.fail(stage, str(error))
            return [error]
        self._ended.append(stage)
        if stage.startswith("evaluate@"):
            tracking.publish()
        return []
