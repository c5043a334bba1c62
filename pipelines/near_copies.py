"""Copies of rows, of each kind of data: exact ones, or near ones, a little changed as another source might have them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.arrays import Array
from pipelines.targets import numbers

#: Words of a text that are dropped or change places with the next, at most.
EDITS = 3
#: Standard deviation of what a number is multiplied by, around 1.
WOBBLE = 0.01
#: The eight ways that an image may move by a pixel.
MOVES = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)])


Inputs = dict[str, Any]


def joined(inputs: Inputs, more: Inputs) -> Inputs:
    """Return the rows of ``inputs`` and behind them those of ``more``, each column as it was: an array, or a list."""
    return {n: np.concatenate([v, more[n]]) if isinstance(v, np.ndarray) else [*v, *more[n]] for n, v in inputs.items()}


def same(inputs: Inputs, of: Array, task: dict[str, Any], rng: np.random.Generator) -> Inputs:
    """Return the rows ``of`` ``(K,)`` of ``inputs`` (as of ``Raw``) again."""
    return {name: values[of] if isinstance(values, np.ndarray) else [values[i] for i in of] for name, values in inputs.items()}


def changed(inputs: Inputs, of: Array, task: dict[str, Any], rng: np.random.Generator) -> Inputs:
    """Return near copies of the rows ``of`` ``(K,)`` of ``inputs`` (as of ``Raw``), K in each column.

    Of a text one to three words are dropped or change places, of a pair in both texts; an image moves by one pixel, its edge
    repeated; of a table each number is multiplied by a draw of N(1, 0.01^2), and the rest stays.
    """
    if task["kind"] == "image":
        return {name: moved(pixels[of], rng) for name, pixels in inputs.items()}
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


def moved(pixels: Array, rng: np.random.Generator) -> Array:
    """Return images ``(K, channels, height, width)`` moved by one pixel each, in one of eight directions."""
    padded = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = pixels.shape[2:]
    moves = MOVES[rng.integers(len(MOVES), size=len(pixels))] + 1
    return np.stack([image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, moves, strict=True)])


def _wobbled(name: str, values: Sequence[Any], of: Array, task: dict[str, Any], rng: np.random.Generator) -> Array:
    return numbers(values, f"{task['name']}: {name}")[of] * rng.normal(1.0, WOBBLE, len(of))
