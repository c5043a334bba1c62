"""The study as a deployment: all its cells on one agent, in a worktree that stays until it has ended well, to go on there."""

from __future__ import annotations

import sys
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from pipelines import commands, worktree
from pipelines.artifacts import digest
from pipelines.asked import Keys, Text, Word, resolve
from pipelines.dispatch import Revision
from pipelines.errors import UserError
from pipelines.sending import state_of
from pipelines.stage import BAD_INPUT, STOPPED, Stopped, failure_of
from pipelines.workspace import StageFailedError


@flow(name="winnow-study")
def study(
    revision: Revision | None = None, params: Text = "", task: Word = "", overrides: Keys | None = None
) -> State[Any] | None:
    """Run what is missing of a study on this agent, and publish it to MLflow; its tables are among the artifacts there.

    Args:
        revision: the commit to run, 40 hex digits, on a branch of the agents' git remote; that of its HEAD where none is given.
        params: the text of a params.yaml to run in the place of the revision's own.
        task: of params.yaml, in the place of the one that it names.
        overrides: values by dotted key of params.yaml, {"study.seeds": [0, 1]} for example, at most 64.
    """
    try:
        at = revision or worktree.head()
        with worktree.kept(digest([at, params, task, overrides])[:16], at, params) as held:
            resolve(held, params, task, [], overrides or {})
            _run()
    except (UserError, StageFailedError, Stopped) as error:
        return state_of(error)
    return None


def _run() -> None:
    """Run the study's command here; it ends with this process, and where it is asked to, it saves itself."""
    code = commands.call(sys.executable, "-m", "pipelines.study")
    if not code:
        return
    said = failure_of("study") or {"code": code, "message": "cells failed; their runs in MLflow say why"}
    if said["code"] == STOPPED:
        raise Stopped
    raise (UserError if said["code"] == BAD_INPUT else StageFailedError)(f"study: {said['message']}")
