"""Scheduler of a comparison: submits each stage when its dependencies are done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.futures import PrefectFuture, as_completed

from pipelines.core.artifacts import HERE
from pipelines.core.errors import StageFailedError, Stopped, UserError
from pipelines.tracking import agents
from pipelines.tracking import comparison as tracking
from pipelines.versioning import dvc_project, dvc_remote

if TYPE_CHECKING:
    from pipelines.core.progress import Log

Future = PrefectFuture[agents.AgentResult]


def walk(send: Callable[[str], Future], log: Log, root: Path = HERE) -> None:
    """Restore the finished stages in ``root``, submit the rest, and publish evaluated models as they finish.

    Args:
        send: submits a stage by its address, and returns a future of its result.
        log: receives warnings, such as that the DVC remote is unreachable.
        root: the folder of the worktree.

    Raises:
        UserError: for a mistake in the input.
        Stopped: if a stage was cancelled.
        StageFailedError: if a stage failed, or its outputs are not in the DVC remote.
    """
    dvc_remote.patiently(partial(dvc_remote.learn_runs, root), log)
    Walk(send, log, root).to_the_end()


class Walk:
    """State of a comparison: the stages left, running, and restored in the worktree ``root``."""

    def __init__(self, send: Callable[[str], Future], log: Log, root: Path) -> None:
        """Start with all stages left to do."""
        self._send, self._log, self._root = send, log, root
        self._needs, self._left = dvc_project.depends_on(root), dvc_project.stages(root)
        self._here: set[str] = set()
        self._running: dict[Future, str] = {}
        self._sent: dict[str, agents.AgentResult] = {}

    def to_the_end(self) -> None:
        """Submit stages as their dependencies end, until all are done."""
        self._advance()
        while self._running:
            future = next(as_completed(list(self._running)))
            stage = self._running.pop(future)
            self._sent[stage] = self._result(stage, future)
            agents.write_agent_results(self._sent, self._root)
            self._bring(stage)
            self._advance()
            if stage.startswith("evaluate@"):
                tracking.publish(self._log.warning, self._root)

    def _advance(self) -> None:
        while ready := [stage for stage in self._left if self._needs[stage] <= self._here]:
            for stage in ready:
                self._left.remove(stage)
                if self._restore(stage):
                    self._here.add(stage)
                else:
                    self._running[self._send(stage)] = stage

    def _bring(self, stage: str) -> None:
        dvc_remote.patiently(partial(dvc_remote.learn_runs, self._root), self._log)
        if not self._restore(stage):
            raise StageFailedError(
                f"{stage}: its results are not in the DVC remote {dvc_remote.address(self._root)}; agents must share it"
            )
        self._here.add(stage)

    def _restore(self, stage: str) -> bool:
        return dvc_remote.patiently(partial(dvc_remote.restore, stage, self._root), self._log)

    def _result(self, stage: str, future: Future) -> agents.AgentResult:
        """Return a stage's result; if it failed, wait for the running ones, publish all failures to MLflow, and raise."""
        outcome = self._outcome(stage, future)
        if isinstance(outcome, agents.AgentResult):
            return outcome
        others = [self._outcome(other, running) for running, other in self._running.items()]
        raise next(e for e in (outcome, *others) if isinstance(e, Exception))

    def _outcome(self, stage: str, future: Future) -> agents.AgentResult | Exception:
        try:
            return future.result()
        except Stopped as error:
            return error
        except (UserError, StageFailedError) as error:
            tracking.fail(stage, str(error), self._log.warning, self._root)
            return error
