"""Label sets as stored: without classes that training lacks, and their metadata."""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data.manifest import TargetFacts, TrainCounts


def settled(value: Array, names: list[str], train: Array, test: Array, task: TaskPlan) -> tuple[Array, Array, TargetFacts]:
    """Return the label sets to store ``(N, C)`` uint8, for training and the same for testing, and their metadata.

    Args:
        value: ``(N, C)`` as read.
        names: of the C classes.
        train: ids of the training split.
        test: ids of the test split.
        task: as planned.

    Raises:
        UserError: for a class without training rows that is not to be dropped, and for fewer than two with some.
    """
    counts = value[train].sum(0, dtype=np.int64)
    empty = [name for name, count in zip(names, counts, strict=True) if not count]
    if empty and task.empty_classes == "refuse":
        more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
        raise UserError(
            f"{task.name}: training has no example of {', '.join(empty[:5])}{more}; train without with 'empty_classes: drop', "
            "by which test rows lose these labels too"
        )
    used = np.flatnonzero(counts)
    if len(used) < 2:
        raise UserError(f"{task.name}: training must have 2 classes or more, got {len(used)}")
    if not value[test][:, used].any():
        raise UserError(f"{task.name}: no row of the test split has a label that training has; use a larger test split")
    facts = TargetFacts(
        target="classes",
        metric=task.judging_metric.name,
        higher=task.judging_metric.higher,
        classes=[],
        labels=[names[c] for c in used],
        by_label=TrainCounts(train=counts[used].tolist()),
        outputs=len(used),
        label_scale=None,
        label_noise=None,
    )
    stored = value[:, used]
    return stored, stored, facts.model_copy(update={"empty_classes": empty}) if empty else facts
