"""Numbers as stored: in standard deviations around the training split's mean."""

from __future__ import annotations

from typing import Literal

import numpy as np

from components.arrays import Array
from components.tasks.column_encoding import spread, standardised
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data.manifest import LabelScale, NamedScale, TargetFacts
from pipelines.data.numeric.reading import check_scale


def settled_number(value: Array, train: Array, test: Array, task: TaskPlan) -> tuple[Array, TargetFacts]:
    """Return the number of each row to store ``(N,)`` float32, and its metadata.

    Args:
        value: ``(N,)`` as read.
        train: ids of the training split.
        test: ids of the test split.
        task: as planned.

    Raises:
        UserError: if training has outliers or one value alone, or the test split a single row.
    """
    stored, scale = _standardised(value, train, test, task, "label", "the training labels")
    return stored, _facts(task, "number", 1, scale)


def settled_numbers(value: Array, names: list[str], train: Array, test: Array, task: TaskPlan) -> tuple[Array, TargetFacts]:
    """Return the numbers of each row to store ``(N, K)`` float32, each by its own scale, and their metadata.

    Args:
        value: ``(N, K)`` as read.
        names: of the K numbers.
        train: ids of the training split.
        test: ids of the test split.
        task: as planned.

    Raises:
        UserError: as ``settled_number``, or if a number is the same in all test rows, naming it.
    """
    columns = dict(zip(names, value.T, strict=True))
    found = {
        name: _standardised(column, train, test, task, name, f"the training values of {name}")
        for name, column in columns.items()
    }
    if (same := next((name for name, column in columns.items() if np.ptp(column[test]) == 0), None)) is not None:
        raise UserError(
            f"{task.name}: {same} must differ in the test split, since R2 needs a variance, and all {len(test)} are "
            f"{columns[same][test[0]]}"
        )
    scales = [NamedScale(name=name, mean=scale.mean, deviation=scale.deviation) for name, (_, scale) in found.items()]
    stored = np.stack([numbers for numbers, _ in found.values()], axis=1)
    return stored, _facts(task, "numbers", len(names), None).model_copy(update={"label_scales": scales})


def _standardised(value: Array, train: Array, test: Array, task: TaskPlan, what: str, those: str) -> tuple[Array, LabelScale]:
    """Return ``value`` ``(N,)`` in standard deviations, and its scale; ``what`` and ``those`` name it in errors."""
    check_scale(value, train, f"{task.name}: {what}")
    mean, deviation = spread(value[train])
    if (value[train] == (first := value[train[0]])).all():
        raise UserError(f"{task.name}: {those} must differ, and all {len(train)} are {first}")
    if len(test) < 2:
        raise UserError(f"{task.name}: the test split must have 2 rows or more, since R2 needs a variance, got {len(test)}")
    return standardised(value, mean, deviation), LabelScale(mean=mean, deviation=deviation)


def _facts(task: TaskPlan, target: Literal["number", "numbers"], outputs: int, scale: LabelScale | None) -> TargetFacts:
    return TargetFacts(
        target=target,
        metric=task.judging_metric.name,
        higher=task.judging_metric.higher,
        classes=[],
        outputs=outputs,
        label_scale=scale,
        label_noise=None,
    )
