"""prepare: the raw source as splits that can be memory-mapped, every example with an id for life, and a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.arrays import Array, count_of, stream
from components.energy import Clock
from pipelines import artifacts, encode, sources, targets
from pipelines.errors import UserError
from pipelines.sources.raw import Raw
from pipelines.splits import write_split
from pipelines.stage import main


def prepare() -> None:
    """Write the prepared splits of the planned task."""
    task = artifacts.read_json(artifacts.plan_of("task"))
    clock = Clock()
    with clock.lap("prepare"):
        raw = sources.read(task)
        encode.check(raw, task)
        _write(*_rows(raw, task), task)
    artifacts.write_json(artifacts.cost_of("prepare"), {"laps": clock.record()})


def _rows(raw: Raw, task: dict[str, Any]) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """Return both splits of a task whose rows are its examples, and what a reader must know of them."""
    target = targets.read(raw, task)
    train, test = _split(raw.tested, target.kept, task)
    train = _limited(train, task)
    settled = targets.settle(target, train, test, task)
    columns, facts = encode.encode(raw, task, train)
    splits = {}
    for split, chosen, label in (("train", train, settled.train), ("test", test, settled.test)):
        place = pa.array(chosen)
        splits[split] = pa.table({"id": place, "label": label[chosen], **{n: c.take(place) for n, c in columns.items()}})
    return splits, facts | settled.facts


def _split(tested: Array | None, kept: Array, task: dict[str, Any]) -> tuple[Array, Array]:
    """Return the ids of the training and the test split; without one of its own, a seeded shuffle cuts it off."""
    if tested is not None:
        return kept[~tested[kept]], kept[tested[kept]]
    if task["test"] is None:
        raise UserError(f"params.yaml: tasks.{task['name']}.test: the source has no test split; say how many rows, or 0.1")
    size = task["test"] if isinstance(task["test"], int) else count_of(task["test"], len(kept))
    if size >= len(kept):
        raise UserError(f"params.yaml: tasks.{task['name']}.test: must be under the {len(kept)} rows there are, got {size}")
    shuffled = stream(task["seed"], "split").permutation(kept)
    return np.sort(shuffled[size:]), np.sort(shuffled[:size])


def _limited(train: Array, task: dict[str, Any]) -> Array:
    """Return so many of ``train`` as the task trains on at most, drawn at random."""
    if task["limit"] is None:
        return train
    return np.sort(train[stream(task["seed"], "limit").permutation(len(train))[: task["limit"]]])


def _write(splits: dict[str, pa.Table], facts: dict[str, Any], task: dict[str, Any]) -> None:
    """Write both splits and their manifest as one folder."""

    def fill(folder: Path) -> None:
        for name, table in splits.items():
            write_split(folder / f"{name}.arrow", table)
        hashes = {name: artifacts.digest_of(folder / f"{name}.arrow") for name in splits}
        schema = {field.name: str(field.type) for field in splits["train"].schema if field.name not in ("id", "label")}
        manifest = {k: task[k] for k in ("kind", "source", "licence", "citation", "seed")} | facts
        manifest |= {"task": task["name"], "counts": {name: len(table) for name, table in splits.items()}}
        manifest |= {"content": artifacts.digest(hashes), "files": hashes, "schema": schema}
        artifacts.write_json(folder / "manifest.json", manifest)

    artifacts.write_folder(artifacts.PREPARED, fill)


if __name__ == "__main__":
    main("prepare", prepare)
