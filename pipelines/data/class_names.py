"""Class names as written, in an order that does not depend on the file format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import numpy as np

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError

#: An integer without leading zeros: 7, not 07.
WHOLE = re.compile(r"0|-?[1-9][0-9]*")
#: A number with a point or an exponent.
BROKEN = re.compile(r"[+-]?([0-9]+[.][0-9]*|[.][0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]+)?")


def classes_of(label: Array, task: str) -> tuple[Array, list[str], int]:
    """Return each row's class ``(N,)``, the class names, and the number of labels changed by NFC.

    Args:
        label: ``(N,)`` texts, integers or booleans.
        task: name of the task, for errors.

    Raises:
        UserError: for numbers that are not integers, and for fewer than two classes.
    """
    read, composed = _composed(label) if label.dtype.kind == "U" else (label, 0)
    found, index = np.unique(read, return_inverse=True)
    if label.dtype.kind == "f" or (label.dtype.kind == "U" and any(map(BROKEN.fullmatch, found)) and all(map(_number, found))):
        raise UserError(
            f"{task}: labels must be classes, got {label[0]}; 'predicts: number' learns the number, and 'binarize' makes two "
            "classes of its sign"
        )
    names = [str(name) for name in found]
    if len(names) < 2:
        raise UserError(f"{task}: labels must have 2 classes or more, got {names}")
    order = sorted(range(len(names)), key=_key(names))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[index], [names[i] for i in order], composed


def _composed(label: Array) -> tuple[Array, int]:
    """Return texts in NFC, where é is one character, and the number of changed ones."""
    found, index = np.unique(label, return_inverse=True)
    put = np.array([unicodedata.normalize("NFC", name) for name in found])
    return put[index], int((put != found)[index].sum())


def _number(name: str) -> bool:
    return bool(WHOLE.fullmatch(name) or BROKEN.fullmatch(name))


def _key(names: list[str]) -> Callable[[int], int | str]:
    """Return the sort key of classes: numeric if all are integers, else alphabetical."""
    whole = all(map(WHOLE.fullmatch, names))
    return lambda index: int(names[index]) if whole else names[index]


def composed_labels(changed: int) -> dict[str, int]:
    """Return the number of labels that were ``changed`` by NFC, as a manifest's changes have it; nothing for 0."""
    return {"labels in Unicode's composed form": changed} if changed else {}


def check_classes(train: Array, test: Array, names: list[str], task: TaskPlan) -> list[str]:
    """Return the names of classes without training rows, which are left out.

    Args:
        train: class of each training row ``(N,)``.
        test: class of each test row ``(M,)``.
        names: of the classes.
        task: as planned.

    Raises:
        UserError: if the test split has one, or the task does not leave them out.
    """
    lacking = [names[c] for c in np.setdiff1d(test, train)]
    if lacking:
        raise UserError(f"{task.name}: the test split has classes that training lacks: {_few(lacking)}; {_remedy(task)}")
    empty = [n for n, count in zip(names, np.bincount(train, minlength=len(names)), strict=True) if not count]
    if empty and task.empty_classes == "refuse":
        raise UserError(
            f"{task.name}: training has no example of {_few(empty)}; {_remedy(task)}, or train without with "
            "'empty_classes: drop'"
        )
    return empty


def _few(names: list[str], most: int = 5) -> str:
    """Return the first ``most`` names, and the number of others, as text."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _remedy(task: TaskPlan) -> str:
    if task.limit is not None:
        return f"raise limit, which is {task.limit}, or leave it out"
    return "give training rows of each, or take its rows out of the test split"
