"""Tasks of a study: one study each, some with changed settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue, ValidationError

from pipelines.config.cross_checks import check_names
from pipelines.config.loader import explained, laid_over
from pipelines.config.params import Params
from pipelines.config.schema.task import Task
from pipelines.core.artifacts import STUDY
from pipelines.core.errors import UserError, unknown

#: Where the tables of all tasks together are, beside those of each: a folder a study.
TOGETHER = "regimes"
#: How deep a task's settings are changed one by one: ``training: { epochs: 3 }`` leaves the batch size.
DEPTH = 2


def each(params: Params, path: Path) -> dict[str, Params]:
    """Return the params of one study a task, by name; where the study names no tasks, those that there are.

    Raises:
        UserError: for a task that is not there, or that cannot be with what is changed of it.
    """
    if params.study is None or not params.study.tasks:
        return {params.task: params}
    return {name: _of(params, name, changes, path) for name, changes in _changes_by_task(params).items()}


def bases(params: Params) -> dict[str, str]:
    """Return which task each task of the study is made of."""
    return {name: str(changes.get("task", name)) for name, changes in _changes_by_task(params).items()}


def together(file: Path) -> Path:
    """Return the folder of the tables that the study of ``file`` makes of all its tasks."""
    return STUDY / TOGETHER / file.stem


def _changes_by_task(params: Params) -> dict[str, dict[str, JsonValue]]:
    assert params.study is not None
    tasks = params.study.tasks
    return {name: (tasks[name] or {}) if isinstance(tasks, dict) else {} for name in tasks}


def _of(params: Params, name: str, changes: dict[str, JsonValue], path: Path) -> Params:
    where = f"{path}: study.tasks.{name}"
    if name == TOGETHER:
        raise UserError(f"{where}: is what the tables of all tasks are called; give it another name")
    base = changes.get("task", name)
    if base not in params.tasks:
        raise UserError(unknown(f"{where}: {base!r}", "task", str(base), params.tasks))
    # What was not said stays unsaid: some settings are refused for being said at all.
    held = params.tasks[base].model_dump(by_alias=True, exclude_unset=True)
    wanted = laid_over(held, {key: value for key, value in changes.items() if key != "task"}, DEPTH)
    try:
        task = Task.model_validate(wanted)
    except ValidationError as error:
        raise UserError(explained(where, error.errors())) from None
    changed = params.model_copy(update={"task": name, "tasks": params.tasks | {name: task}})
    check_names(path, changed)
    return changed
