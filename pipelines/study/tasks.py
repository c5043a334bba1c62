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

#: Folder of joint tables, one folder for each study, beside the folders of tasks.
TOGETHER = "regimes"
#: Depth to which a task's settings are merged key by key: ``training: { epochs: 3 }`` leaves the batch size.
DEPTH = 2


def each(params: Params, path: Path) -> dict[str, Params]:
    """Return the params by task of the study; without tasks, ``params`` alone.

    Raises:
        UserError: for an unknown task, or one that is invalid with the study's changes.
    """
    if params.study is None or not params.study.tasks:
        return {params.task: params}
    return {name: _of(params, name, changes, path) for name, changes in _changes_by_task(params).items()}


def bases(params: Params) -> dict[str, str]:
    """Return the task that each task of the study is derived from."""
    return {name: str(changes.get("task", name)) for name, changes in _changes_by_task(params).items()}


def together(file: Path) -> Path:
    """Return the folder of the joint tables of the study in ``file``."""
    return STUDY / TOGETHER / file.stem


def _changes_by_task(params: Params) -> dict[str, dict[str, JsonValue]]:
    assert params.study is not None
    tasks = params.study.tasks
    return {name: (tasks[name] or {}) if isinstance(tasks, dict) else {} for name in tasks}


def _of(params: Params, name: str, changes: dict[str, JsonValue], path: Path) -> Params:
    where = f"{path}: study.tasks.{name}"
    if name == TOGETHER:
        raise UserError(f"{where}: is the folder of the joint tables of all tasks; give the task another name")
    base = changes.get("task", name)
    if base not in params.tasks:
        raise UserError(unknown(f"{where}: {base!r}", "task", str(base), params.tasks))
    # Unset keys stay unset: some settings are refused if they are set at all, even to their default.
    written = params.tasks[base].model_dump(by_alias=True, exclude_unset=True)
    wanted = laid_over(written, {key: value for key, value in changes.items() if key != "task"}, DEPTH)
    try:
        task = Task.model_validate(wanted)
    except ValidationError as error:
        raise UserError(explained(where, error.errors())) from None
    changed = params.model_copy(update={"task": name, "tasks": params.tasks | {name: task}})
    check_names(path, changed)
    return changed
