"""Copies of rows, exact or slightly changed, for each kind of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.arrays import Array
from pipelines.data.targets import numbers
from pipelines.sources.pixels import WithCopies

#: Words of a text that are dropped or change places with the next, at most.
EDITS = 3
#: Standard deviation of what a number is multiplied by, around 1.
WOBBLE = 0.01
#: The eight ways that an image may move by a pixel.
MOVES = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)])


Inputs = dict[str, Any]


def added(inputs: Inputs, of: Array, task: dict[str, Any], rng: np.random.Generator | None) -> Inputs:
    """Return the rows of ``inputs`` and behind them copies of the rows ``of`` ``(K,)``: exact ones without ``rng``."""
    if task["kind"] == "image":
        moves = None if rng is None else MOVES[rng.integers(len(MOVES), size=len(of))]
        return {name: WithCopies(pixels, of, moves) for name, pixels in inputs.items()}
    more = _same(inputs, of) if rng is None else _changed(inputs, of, task, rng)
    return {n: np.concatenate([v, more[n]]) if isinstance(v, np.ndarray) else [*v, *more[n]] for n, v in inputs.items()}


def _same(inputs: Inputs, of: Array) -> Inputs:
    return {name: values[of] if isinstance(values, np.ndarray) else [values[i] for i in of] for name, values in inputs.items()}


def _changed(inputs: Inputs, of: Array, task: dict[str, Any], rng: np.random.Generator) -> Inputs:
    """Return near copies of the rows ``of`` ``(K,)``, K in each column.

    Of a text one to three words are dropped or change places, of a pair in both texts; an image moves by one pixel, its edge
    repeated (``pixels.moved``); of a table each number is multiplied by a draw of N(1, 0.01^2), and the rest stays.
    """
    if task["kind"] == "text":
        return {name: [reworded(values[i], rng) for i in of] for name, values in inputs.items()}
    named = task["columns"].get("numbers", [])
    return {name: _wobbled(name, v, of, task, rng) if name in named else [v[i] for i in of] for name, v in inputs.items()}


def reworded(text: str, rng: np.random.Generator) -> str:
    """Return ``text`` with one to three of its words dropped or swapped with the next; one word alone stays."""
    words = text.split()
    for _ in range(rng.integers(1, EDITS + 1)):
        if len(words) < 2:
            break
        if len(words) > 2 and rng.random() < 0.5:
            del words[rng.integers(len(words))]
        else:
            place = int(rng.integers(len(words) - 1))
            words[place : place + 2] = words[place + 1], words[place]
    return " ".join(words)


def _wobbled(name: str, values: Sequence[Any], of: Array, task: dict[str, Any], rng: np.random.Generator) -> Array:
    return numbers(values, f"{task['name']}: {name}")[of] * rng.normal(1.0, WOBBLE, len(of))
