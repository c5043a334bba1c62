"""Scheduler of a comparison: submits each stage when those before it are done."""

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
    """Restore in the worktree ``root`` what was run before, have the rest run, and publish what is evaluated meanwhile.

    Args:
        send: has a stage, by its address, run elsewhere; its result is how that was.
        log: is told what is waited for.
        root: the folder of the worktree.

    Raises:
        UserError: for a mistake in the input.
        Stopped: where a stage was cancelled.
        StageFailedError: where one failed, or what it made is not in the DVC remote.
    """
    dvc_remote.patiently(partial(dvc_remote.learn_runs, root), log)
    Walk(send, log, root).to_the_end()


class Walk:
    """What is left of the graph, what is under way, and what is in the worktree ``root``."""

    def __init__(self, send: Callable[[str], Future], log: Log, root: Path) -> None:
        """Begin where nothing is there yet."""
        self._send, self._log, self._root = send, log, root
        self._needs, self._left = dvc_project.depends_on(root), dvc_project.stages(root)
        self._here: set[str] = set()
        self._running: dict[Future, str] = {}
        self._sent: dict[str, agents.AgentResult] = {}

    def to_the_end(self) -> None:
        """Take up each stage that has ended, and send those that waited for it."""
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
                f"{stage}: its results are not in the DVC remote {dvc_remote.address(self._root)}; agents must share one"
            )
        self._here.add(stage)

    def _restore(self, stage: str) -> bool:
        return dvc_remote.patiently(partial(dvc_remote.restore, stage, self._root), self._log)

    def _result(self, stage: str, future: Future) -> agents.AgentResult:
        """Return how a stage was ended; where it failed, wait for the others, and let MLflow know all that failed for good."""
        told = self._outcome(stage, future)
        if isinstance(told, agents.AgentResult):
            return told
        others = [self._outcome(other, running) for running, other in self._running.items()]
        raise next(e for e in (told, *others) if isinstance(e, Exception))

    def _outcome(self, stage: str, future: Future) -> agents.AgentResult | Exception:
        try:
            return future.result()
        except Stopped as error:
            return error
        except (UserError, StageFailedError) as error:
            tracking.fail(stage, str(error), self._log.warning, self._root)
            return error
