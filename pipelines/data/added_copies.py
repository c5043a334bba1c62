"""Copies of rows, exact or slightly changed, for each kind of data."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.data.numeric.reading import numbers
from pipelines.sources.pixel_writer import WithCopies
from pipelines.sources.raw import Column, Raw

#: Most words of a text to drop or swap with the next.
EDITS = 3
#: Standard deviation of the factor of a number; its mean is 1.
WOBBLE = 0.01
#: The eight shifts of an image by one pixel.
MOVES = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)])

Inputs = dict[str, Column]


def added(raw: Raw, of: Array, task: TaskPlan, rng: np.random.Generator | None) -> Raw:
    """Return ``raw`` with copies of the rows ``of`` ``(K,)`` appended; without ``rng`` they are exact."""
    aimed = None if raw.aimed is None else np.concatenate([raw.aimed, raw.aimed[of]])
    if raw.pixels is not None:
        moves = None if rng is None else MOVES[rng.integers(len(MOVES), size=len(of))]
        inputs = {name: _behind(values, _same(raw.inputs, of)[name]) for name, values in raw.inputs.items()}
        return replace(raw, inputs=inputs, pixels=WithCopies(raw.pixels, of, moves), aimed=aimed)
    more = _same(raw.inputs, of) if rng is None else _changed(raw.inputs, of, task, rng)
    return replace(raw, inputs={name: _behind(values, more[name]) for name, values in raw.inputs.items()}, aimed=aimed)


def _behind(values: Column, more: Column) -> Column:
    return np.concatenate([values, np.asarray(more)]) if isinstance(values, np.ndarray) else [*values, *more]


def _same(inputs: Inputs, of: Array) -> Inputs:
    return {name: values[of] if isinstance(values, np.ndarray) else [values[i] for i in of] for name, values in inputs.items()}


def _changed(inputs: Inputs, of: Array, task: TaskPlan, rng: np.random.Generator) -> Inputs:
    """Return near copies of the rows ``of`` ``(K,)``, K values in each column.

    In texts, both of a pair, one to three words are dropped or swapped with the next; in a table's rows, numbers are
    multiplied by a draw of N(1, 0.01^2), and the rest stays. Images are shifted elsewhere (``pixel_writer.moved``).
    """
    if task.kind == "text":
        return {name: [reworded(cast("str", values[i]), rng) for i in of] for name, values in inputs.items()}
    named = task.columns.numbers
    return {name: _wobbled(name, v, of, task, rng) if name in named else [v[i] for i in of] for name, v in inputs.items()}


def reworded(text: str, rng: np.random.Generator) -> str:
    """Return ``text`` with one to three words dropped or swapped with the next; a single word stays."""
    words = text.split()
    for _ in range(rng.integers(1, EDITS + 1)):
        if len(words) < 2:
            break
        if len(words) > 2 and rng.random() < 0.5:
            del words[rng.integers(len(words))]
        else:
            at = int(rng.integers(len(words) - 1))
            words[at : at + 2] = words[at + 1], words[at]
    return " ".join(words)


def _wobbled(name: str, values: Column, of: Array, task: TaskPlan, rng: np.random.Generator) -> Array:
    return numbers(values, f"{task.name}: {name}")[of] * rng.normal(1.0, WOBBLE, len(of))
