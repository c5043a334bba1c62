"""Division of a source's rows into training, validation and test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from components.arrays import Array, count_of
from components.rng import stream
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data import target_set
from pipelines.data.splits import groups
from pipelines.data.targets import Target
from pipelines.sources.raw import Raw


@dataclass(frozen=True)
class Division:
    """Ids of the rows of each split, disjoint and sorted.

    Attributes:
        train: to train on.
        test: to evaluate on, after training.
        validation: to judge on while training; empty if the task has none.
    """

    train: Array
    test: Array
    validation: Array

    def named(self) -> dict[str, Array]:
        """Return the ids of the splits that are judged on, by name: test, and validation if there is one."""
        return {"test": self.test} | ({"validation": self.validation} if len(self.validation) else {})


def of_rows(raw: Raw, target: Target, task: TaskPlan) -> Division:
    """Return the division of a task whose examples are rows."""
    if raw.aimed is not None and task.target is not None:
        return _of_target_set(raw, target, task)
    group = raw.group
    whole = _with_own(
        raw, target.kept, task, lambda kept: divided(*split(raw.tested, kept, task, group), task, target.classes, group)
    )
    if raw.validates is not None:
        groups.checked(np.concatenate([whole.train, whole.test]), whole.validation, group, task)
    return whole


def of_documents(raw: Raw, task: TaskPlan) -> Division:
    """Return the division of running text by its documents."""
    every, whole = np.arange(len(raw.texts["text"])), task.model_copy(update={"limit": None})
    return _with_own(raw, every, task, lambda kept: divided(*split(raw.tested, kept, task), whole, None))


def _with_own(raw: Raw, kept: Array, task: TaskPlan, divide: Callable[[Array], Division]) -> Division:
    """Return the division of the ids ``kept``, the source's own validation rows apart.

    Raises:
        UserError: if the source has none, or one row of a number, which has no variance.
    """
    if raw.validates is None:
        return divide(kept)
    own, least = kept[raw.validates[kept]], 2 if task.regression else 1
    if len(own) < least:
        raise UserError(f"{task.name}: the source's validation split must have {least} rows or more, got {len(own)}")
    return replace(divide(kept[~raw.validates[kept]]), validation=own)


def _of_target_set(raw: Raw, target: Target, task: TaskPlan) -> Division:
    """Return the division of a task with a target set, of which validation is a part."""
    assert raw.aimed is not None
    assert task.target is not None
    plain = task.model_copy(update={"validation": None}) if task.while_training else task
    train, test = target_set.split(raw, target.kept, task.target, plain)
    if not task.while_training:
        return Division(train, test, train[:0])
    left, aside = _aside(train[raw.aimed[train]], task, None)
    return Division(np.sort(np.concatenate([train[~raw.aimed[train]], left])), test, np.sort(aside))


def split(tested: Array | None, kept: Array, task: TaskPlan, group: Array | None = None) -> tuple[Array, Array]:
    """Return the ids of the training and test split: the source's own, or a seeded random one of whole groups."""
    where = f"params.yaml: tasks.{task.name}.test"
    if tested is not None:
        return groups.checked(kept[~tested[kept]], kept[tested[kept]], group, task)
    if task.test is None:
        raise UserError(f"{where}: the source has no test split; set a number of rows, or 0.1")
    size = task.test if isinstance(task.test, int) else count_of(task.test, len(kept))
    if size >= len(kept):
        raise UserError(f"{where}: must be under the {len(kept)} rows there are, got {size}")
    shuffled, size = groups.drawn(kept, size, group, stream(task.seed, "split"), where)
    return np.sort(shuffled[size:]), np.sort(shuffled[:size])


def divided(train: Array, test: Array, task: TaskPlan, value: Array | None, group: Array | None = None) -> Division:
    """Return the division of the ids of both splits, after the task's ``validation`` and ``limit``.

    With ``validation`` a part of the training split judges: while training, or in place of the test split. That part is the
    same at every ``limit``, and a smaller limit trains on a subset of the rows of a larger one.

    Args:
        train: ids of the training split.
        test: ids of the test split.
        task: as planned.
        value: class of each id: training keeps one row of each of its classes; None without classes.
        group: name of each id's group, none of which is divided; None without groups.
    """
    if task.validation is None:
        return Division(limited(train, task), test, train[:0])
    left, aside = _aside(train, task, value, group)
    kept, judging = np.sort(left[: _most(len(left), task)]), np.sort(aside)
    return Division(kept, test, judging) if task.while_training else Division(kept, judging, judging[:0])


def _aside(train: Array, task: TaskPlan, value: Array | None, group: Array | None = None) -> tuple[Array, Array]:
    """Return the ids of ``train`` without the validation part, shuffled, and that part.

    Raises:
        UserError: if one of the two would be empty.
    """
    assert task.validation is not None
    where, size = f"params.yaml: tasks.{task.name}.validation", count_of(task.validation, len(train))
    if size >= len(train):
        raise UserError(f"{where}: leaves none of the {len(train)} training rows to train on")
    if group is not None:
        left, aside = groups.validation(train, size, group, task, stream(task.seed, "validation"))
        if value is not None and task.while_training:
            _check_groups_have_classes(value[left], value[aside], where)
        return left, aside
    shuffled = stream(task.seed, "validation").permutation(train)
    if value is not None:
        _, first = np.unique(value[shuffled], return_index=True)
        shuffled = np.concatenate([shuffled[np.sort(first)], np.delete(shuffled, first)])
        if task.while_training:
            _check_has_classes(value[shuffled], size, where)
    elif task.while_training and task.regression and size < 2:
        raise UserError(f"{where}: must be 2 rows or more, since R2 needs a variance, got {size} of {len(train)}")
    return shuffled[:-size], shuffled[-size:]


def _check_has_classes(value: Array, size: int, where: str) -> None:
    """Check that the last ``size`` of the shuffled classes ``value`` ``(N,)`` have every class.

    A metric by class would else change its meaning with the draw.

    Raises:
        UserError: with the nearest fraction that works, if any does.
    """
    classes = np.unique(value)
    if len(lacking := np.setdiff1d(classes, value[-size:])) == 0:
        return
    # The first row of each class stays in training.
    last = {c: np.flatnonzero(value == c)[-1] for c in classes}
    once = [c for c in lacking if np.count_nonzero(value == c) == 1]
    got = (
        f"{where}: must have every class, got {size:,} of {len(value):,} training rows without {len(lacking)} of {len(classes)}"
    )
    if once:
        raise UserError(
            f"{got}, of which {len(once)} have a single training row; give them two rows or leave them out of the data"
        )
    least = len(value) - min(last[c] for c in classes)
    raise UserError(f"{got}; the nearest that works is {np.ceil(least / len(value) * 1e4) / 1e4:g}")


def _check_groups_have_classes(left: Array, aside: Array, where: str) -> None:
    """Check that the classes ``aside`` ``(M,)`` are all of those that are ``left`` to train on, ``(N,)``.

    Raises:
        UserError: with the number of classes that are lacking.
    """
    if lacking := len(np.setdiff1d(left, aside)):
        rows = f"{len(aside):,} of {len(aside) + len(left):,} training rows, in whole groups,"
        raise UserError(f"{where}: must have every class, got {rows} without {lacking}; set a larger fraction")


def check_learnt(value: Array, train: Array, validation: Array, names: list[str], task: TaskPlan) -> None:
    """Check that training has every class of the validation part.

    Raises:
        UserError: naming the first class that it lacks, which a limit or dropped leaks left out.
    """
    lacking = np.setdiff1d(value[validation], value[train])
    if len(lacking):
        raise UserError(
            f"{task.name}: the validation part has classes that training lacks, the first of them {names[lacking[0]]!r}; raise "
            "limit, or leave it out"
        )


def limited(train: Array, task: TaskPlan) -> Array:
    """Return a random draw of ``train`` of the task's ``limit``."""
    if task.limit is None:
        return train
    return np.sort(train[stream(task.seed, "limit").permutation(len(train))[: _most(len(train), task)]])


def _most(rows: int, task: TaskPlan) -> int:
    """Return the task's ``limit`` as a number of ``rows``."""
    limit = task.limit
    if limit is None:
        return rows
    return limit if isinstance(limit, int) else count_of(limit, rows)
