"""prepare: raw source to memory-mapped splits, ids for life, and a manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.arrays import Array, count_of
from components.costs.energy import Clock
from components.rng import stream
from pipelines import sources
from pipelines.config.plan_freshness import check_plan
from pipelines.core import artifacts
from pipelines.core.command import main
from pipelines.core.errors import UserError
from pipelines.data import encoding, leaks, resampling, summary, target_set, targets, token_blocks
from pipelines.data.splits import read_split, write_split
from pipelines.sources.package_index import digest_of_tree
from pipelines.sources.pixels import Pixels, blank, fill
from pipelines.sources.raw import Raw


@dataclass(frozen=True)
class Prepared:
    """What is written.

    Attributes:
        splits: "train" and "test", a row an example, each with its ``id``.
        facts: what a reader must know of them.
        tokenizer: one of their own, to be kept with them.
        pictures: what the pixels of both splits are written from, and which of it, by split; None where there are none.
    """

    splits: dict[str, pa.Table]
    facts: dict[str, Any]
    tokenizer: Any = None
    pictures: tuple[Pixels, dict[str, Array]] | None = None


def prepare() -> None:
    """Write the prepared splits of the planned task."""
    task = artifacts.read_json(artifacts.plan_of("task"))
    clock, begun = Clock(), _of_children()
    with clock.lap("prepare"):
        raw = sources.read(task)
        encoding.check(raw, task)
        manifest, label = _write(raw, task)
    clock.laps["prepare"].cpu_seconds += _of_children() - begun
    summary.tell(manifest, label)
    artifacts.write_json(artifacts.cost_of("prepare"), {"laps": clock.record()})


def _of_children() -> float:
    """Return the CPU seconds of the processes that this one started and that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _rows(raw: Raw, task: dict[str, Any], without: Array) -> Prepared:
    """Return both splits of a task whose rows are its examples, and what a reader must know of them."""
    target = targets.read(raw, task)
    classes = None if target.names is None else target.value
    aim: dict[str, Any] = {}
    if raw.aimed is None:
        train, test = _judged(*_split(raw.tested, target.kept, task), task, classes)
    else:
        train, test, aim = target_set.split(raw, target.kept, task)
    left = _left(train, without, task)
    if raw.aimed is not None:
        aim["target_set"] |= target_set.counts(raw.aimed[left], task)
    made = resampling.make(raw, target, left, task)
    settled = targets.settle(made.target, made.train, test, task)
    columns, facts = encoding.encode(made.raw, task, made.train, test)
    splits = {}
    for split, ids, chosen, label in (("train", made.ids, made.train, settled.train), ("test", test, test, settled.test)):
        place = pa.array(chosen)
        stored = {n: c.take(place) for n, c in columns.items()}
        if task["kind"] == "image":
            stored = {"pixels": blank(len(chosen), made.raw.inputs["image"].shape)}
        splits[split] = pa.table({"id": ids, "label": label[chosen], **stored})
    splits["train"] = resampling.told(splits["train"], made.copies)
    if made.raw.aimed is not None:
        splits["train"] = splits["train"].append_column("target", pa.array(made.raw.aimed[made.train]))
    facts |= settled.facts | made.facts | aim | {"changes": raw.changes | target.changes}
    pictures = (made.raw.inputs["image"], {"train": made.train, "test": test}) if task["kind"] == "image" else None
    return Prepared(splits, facts, pictures=pictures)


def _left(train: Array, without: Array, task: dict[str, Any]) -> Array:
    """Return the ids of ``train`` that are not among those it is to go ``without``."""
    left = train[~np.isin(train, without)]
    if not len(left):
        raise UserError(f"params.yaml: tasks.{task['name']}.leaks: 'drop' leaves no row of training: all are in the test split")
    return left


def _blocks(raw: Raw, task: dict[str, Any], without: Array) -> Prepared:
    """Return both splits of running text, divided by document, whose examples are blocks; training's ids come first."""
    texts, block = raw.inputs["text"], task["block"]
    train, test = _split(raw.tested, np.arange(len(texts)), task)
    train, test = _judged(train, test, task | {"limit": None}, None)
    tokenizer = token_blocks.tokenizer_of(task, [texts[i] for i in train])
    where = f"params.yaml: tasks.{task['name']}.block: the {{}} split"
    parts = [
        token_blocks.cut(texts, ids, tokenizer, block, where.format(n)) for n, ids in (("training", train), ("test", test))
    ]
    used = _left(_limited(np.arange(len(parts[0].tokens)), task), without, task)
    copies, made = resampling.duplicates(used, None, task)
    sizes = [len(part.tokens) for part in parts]
    ids = [copies.ids(sum(sizes)), sizes[0] + np.arange(sizes[1])]
    chosen = [np.concatenate([copies.kept, copies.of]), np.arange(sizes[1])]
    splits = {}
    for name, part, place, rows in zip(("train", "test"), parts, ids, chosen, strict=True):
        columns = {"id": place, "document": part.document[rows], "tokens": encoding.listed(part.tokens[rows])}
        splits[name] = pa.table(columns)
    splits["train"] = resampling.told(splits["train"], copies)
    facts = {"shape": [block], "block": block, "outputs": block - 1, "classes": [], "label_scale": None, "label_noise": None}
    facts |= {"vocabulary": len(tokenizer), "end": token_blocks.end_of(tokenizer)}
    facts |= {"tokens": {name: part.total for name, part in zip(splits, parts, strict=True)}}
    own = tokenizer if task["tokenizer"] is None else None
    return Prepared(splits, facts | made | targets.judged_by("tokens"), own)


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


def _judged(train: Array, test: Array, task: dict[str, Any], value: Array | None) -> tuple[Array, Array]:
    """Return the ids to train on and those to judge by: with ``validation`` a part of the training split, and no test row.

    A part for validation is the same at every limit, and training on less is on some of the same rows.

    Args:
        train: ids of the training split.
        test: of the test split.
        task: as planned.
        value: of classes, by id: training keeps one of each that it has.
    """
    if task["validation"] is None:
        return _limited(train, task), test
    if (size := count_of(task["validation"], len(train))) >= len(train):
        raise UserError(f"params.yaml: tasks.{task['name']}.validation: leaves nothing of the {len(train)} rows of training")
    shuffled = stream(task["seed"], "validation").permutation(train)
    if value is not None:
        _, first = np.unique(value[shuffled], return_index=True)
        shuffled = np.concatenate([shuffled[np.sort(first)], np.delete(shuffled, first)])
    left = shuffled[:-size]
    return np.sort(left[: _most(len(left), task)]), np.sort(shuffled[-size:])


def _limited(train: Array, task: dict[str, Any]) -> Array:
    """Return so many of ``train`` as the task trains on at most, drawn at random."""
    if task["limit"] is None:
        return train
    return np.sort(train[stream(task["seed"], "limit").permutation(len(train))[: _most(len(train), task)]])


def _most(rows: int, task: dict[str, Any]) -> int:
    """Return how many of so many ``rows`` the task trains on at most."""
    limit = task["limit"]
    if limit is None:
        return rows
    return limit if isinstance(limit, int) else count_of(limit, rows)


def _write(raw: Raw, task: dict[str, Any]) -> tuple[dict[str, Any], Array | None]:
    """Write both splits, their manifest, and a tokenizer of their own as one folder.

    Training goes without rows that leak until no more are found: a regime may draw others in their place.

    Returns:
        The manifest, and the labels of the training split; None of running text.
    """
    manifest: dict[str, Any] = {}

    def written(folder: Path) -> None:
        without, fresh = np.empty(0, np.int64), True
        while fresh:
            prepared = (_blocks if task["kind"] == "language" else _rows)(raw, task, without)
            manifest.clear()
            manifest.update(_fill(folder, prepared, raw, task))
            counted, more = leaks.look(read_split("train", manifest, folder), read_split("test", manifest, folder), task)
            without, fresh = np.union1d(without, more), len(more) > 0
        manifest["duplicates_found"] = counted | {"dropped": len(without)}
        artifacts.write_json(folder / "manifest.json", manifest)

    artifacts.write_folder(artifacts.PREPARED, written)
    train = read_split("train", manifest).table
    return manifest, train["label"].to_numpy() if "label" in train.column_names else None


def _fill(folder: Path, prepared: Prepared, raw: Raw, task: dict[str, Any]) -> dict[str, Any]:
    """Write the files of ``prepared`` into ``folder``; return what the manifest says of them."""
    splits, manifest = prepared.splits, {k: task[k] for k in ("kind", "source", "licence", "citation", "seed")} | prepared.facts
    manifest |= ({"dropped_empty": raw.dropped} if task["drop_empty"] else {}) | ({"stream": True} if task["stream"] else {})
    for name, table in splits.items():
        write_split(folder / f"{name}.arrow", table)
    if prepared.pictures is not None:
        known = fill(folder, *prepared.pictures, f"{task['name']}: image")
        manifest |= known | {"changes": manifest["changes"] | known["changes"]}
    hashes = {name: artifacts.digest_of(folder / f"{name}.arrow") for name in splits}
    if prepared.tokenizer is not None:
        prepared.tokenizer.save_pretrained(folder / artifacts.TOKENIZER.name)
        hashes["tokenizer"] = digest_of_tree(folder / artifacts.TOKENIZER.name)
    schema = {field.name: str(field.type) for field in splits["train"].schema if field.name not in ("id", "label")}
    manifest |= {"task": task["name"], "counts": {name: len(table) for name, table in splits.items()}}
    return manifest | {"content": artifacts.digest(hashes), "files": hashes, "schema": schema}


if __name__ == "__main__":
    main("prepare", prepare, before=check_plan)
