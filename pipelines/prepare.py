"""prepare: raw source to memory-mapped splits with permanent ids, and a manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from components.arrays import Array, count_of
from components.costs.clock import Clock
from components.rng import stream
from pipelines import sources
from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import TaskPlan
from pipelines.core import artifacts
from pipelines.core.command import main
from pipelines.core.errors import UserError
from pipelines.core.records import Record
from pipelines.costs.records import CostRecord
from pipelines.data import encoding, leaks, resampling, summary, target_set, targets, token_blocks
from pipelines.data.manifest import DuplicateCounts, InputFacts, Manifest, RegimeFacts, SplitCounts
from pipelines.data.split_files import read_split, write_split
from pipelines.sources.package_index import digest_of_tree
from pipelines.sources.pixel_writer import Pixels, blank, fill
from pipelines.sources.raw import Raw

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Prepared:
    """Prepared data, before it is written.

    Attributes:
        splits: "train" and "test", one row per example, with a column ``id``.
        facts: their metadata, parts of the manifest.
        changes: number of changed rows by kind of change to the source; None for running text.
        tokenizer: trained on the data, to be stored with them; None for a model's own.
        pictures: source of the pixels, and the rows of each split in it; None if there are no images.
    """

    splits: dict[str, pa.Table]
    facts: tuple[Record, ...]
    changes: dict[str, int] | None = None
    tokenizer: PreTrainedTokenizerBase | None = None
    pictures: tuple[Pixels, dict[str, Array]] | None = None


def prepare(root: Path = artifacts.HERE) -> None:
    """Write the prepared splits of the task planned in ``root``; sources are relative to the working folder."""
    task = TaskPlan.read(root / artifacts.plan_of("task"))
    clock, begun = Clock(), _of_children()
    with clock.lap("prepare"):
        raw = sources.read(task)
        encoding.check(raw, task)
        manifest, label = _write(raw, task, root)
    clock.laps["prepare"].cpu_seconds += _of_children() - begun
    summary.log_summary(manifest, label)
    CostRecord.timed(clock).write(root / artifacts.cost_of("prepare"))


def _of_children() -> float:
    """Return the CPU seconds of this process's children that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _rows(raw: Raw, task: TaskPlan, without: Array) -> Prepared:
    """Return both splits of a task whose examples are rows; training leaves out the ids ``without``."""
    target = targets.read(raw, task)
    classes = target.classes
    if raw.aimed is None or task.target is None:
        train, test = _with_validation(*_split(raw.tested, target.kept, task), task, classes)
    else:
        train, test = target_set.split(raw, target.kept, task.target, task)
    left = _without(train, without, task)
    aim = None if raw.aimed is None or task.target is None else target_set.target_set_facts(raw.aimed[left], task.target, task)
    made = resampling.make(raw, target, left, task)
    settled = targets.settle(made.target, made.train, test, task)
    columns, facts = encoding.encode(made.raw, task, made.train, test)
    splits = {}
    for split, ids, chosen, label in (("train", made.ids, made.train, settled.train), ("test", test, test, settled.test)):
        rows_of_split = pa.array(chosen)
        stored = {n: c.take(rows_of_split) for n, c in columns.items()}
        if made.raw.pixels is not None:
            stored = {"pixels": blank(len(chosen), made.raw.pixels.shape)}
        splits[split] = pa.table({"id": ids, "label": encoding.labels(label[chosen]), **stored})
    splits["train"] = resampling.with_copy_column(splits["train"], made.copies)
    if made.raw.aimed is not None:
        splits["train"] = splits["train"].append_column("target", pa.array(made.raw.aimed[made.train]))
    pictures = None if made.raw.pixels is None else (made.raw.pixels, {"train": made.train, "test": test})
    regimes = RegimeFacts.from_regimes(long_tail=made.long_tail, duplicates=made.duplicates, target_set=aim)
    return Prepared(splits, (facts, settled.facts, regimes), raw.changes | target.changes, pictures=pictures)


def _without(train: Array, without: Array, task: TaskPlan) -> Array:
    """Return the ids of ``train`` that are not in ``without``, the leaks."""
    left = train[~np.isin(train, without)]
    if not len(left):
        raise UserError(f"params.yaml: tasks.{task.name}.leaks: 'drop' leaves no training row: all are in the test split")
    return left


def _blocks(raw: Raw, task: TaskPlan, without: Array) -> Prepared:
    """Return both splits of running text as blocks; documents are split first, and training's ids come first."""
    texts, block = raw.texts["text"], task.block
    train, test = _split(raw.tested, np.arange(len(texts)), task)
    train, test = _with_validation(train, test, task.model_copy(update={"limit": None}), None)
    tokenizer = token_blocks.tokenizer_of(task, [texts[i] for i in train])
    where = f"params.yaml: tasks.{task.name}.block: the {{}} split"
    parts = [
        token_blocks.cut(texts, ids, tokenizer, block, where.format(n)) for n, ids in (("training", train), ("test", test))
    ]
    used = _without(_limited(np.arange(len(parts[0].tokens)), task), without, task)
    copies, made = resampling.duplicates(used, None, task)
    sizes = [len(part.tokens) for part in parts]
    ids = [copies.ids(sum(sizes)), sizes[0] + np.arange(sizes[1])]
    chosen = [np.concatenate([copies.kept, copies.of]), np.arange(sizes[1])]
    splits = {}
    for name, part, rows_of_split, rows in zip(("train", "test"), parts, ids, chosen, strict=True):
        columns = {"id": rows_of_split, "document": part.document[rows], "tokens": encoding.listed(part.tokens[rows])}
        splits[name] = pa.table(columns)
    splits["train"] = resampling.with_copy_column(splits["train"], copies)
    facts = (
        token_blocks.facts(parts[0], parts[1], tokenizer),
        targets.next_tokens(task),
        RegimeFacts.from_regimes(duplicates=made),
    )
    return Prepared(splits, facts, tokenizer=tokenizer if task.tokenizer is None else None)


def _split(tested: Array | None, kept: Array, task: TaskPlan) -> tuple[Array, Array]:
    """Return the ids of the training and test split: the source's own, or a seeded random one."""
    if tested is not None:
        return kept[~tested[kept]], kept[tested[kept]]
    if task.test is None:
        raise UserError(f"params.yaml: tasks.{task.name}.test: the source has no test split; set a number of rows, or 0.1")
    size = task.test if isinstance(task.test, int) else count_of(task.test, len(kept))
    if size >= len(kept):
        raise UserError(f"params.yaml: tasks.{task.name}.test: must be under the {len(kept)} rows there are, got {size}")
    shuffled = stream(task.seed, "split").permutation(kept)
    return np.sort(shuffled[size:]), np.sort(shuffled[:size])


def _with_validation(train: Array, test: Array, task: TaskPlan, value: Array | None) -> tuple[Array, Array]:
    """Return the ids to train on and to evaluate on.

    With ``validation`` the latter are a part of the training split, and no test row is used. That part is the same at every
    ``limit``, and a smaller limit trains on a subset of the rows of a larger one.

    Args:
        train: ids of the training split.
        test: ids of the test split.
        task: as planned.
        value: class of each id: training keeps one row of each of its classes; None without classes.
    """
    if task.validation is None:
        return _limited(train, task), test
    if (size := count_of(task.validation, len(train))) >= len(train):
        raise UserError(f"params.yaml: tasks.{task.name}.validation: leaves none of the {len(train)} training rows to train on")
    shuffled = stream(task.seed, "validation").permutation(train)
    if value is not None:
        _, first = np.unique(value[shuffled], return_index=True)
        shuffled = np.concatenate([shuffled[np.sort(first)], np.delete(shuffled, first)])
    left = shuffled[:-size]
    return np.sort(left[: _most(len(left), task)]), np.sort(shuffled[-size:])


def _limited(train: Array, task: TaskPlan) -> Array:
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


def _write(raw: Raw, task: TaskPlan, root: Path) -> tuple[Manifest, Array | None]:
    """Write both splits, their manifest and any trained tokenizer as one folder.

    Returns:
        The manifest, and the labels of the training split; None for running text.
    """
    manifests: list[Manifest] = []
    artifacts.write_folder(root / artifacts.PREPARED, lambda folder: manifests.append(_written(folder, raw, task)))
    manifest = manifests[0]
    train = read_split("train", manifest, root / artifacts.PREPARED).table
    return manifest, train["label"].to_numpy() if "label" in train.column_names and manifest.classes else None


def _written(folder: Path, raw: Raw, task: TaskPlan) -> Manifest:
    """Write all files into ``folder``, and return the manifest.

    Leaking rows are dropped until none are found, since a regime may draw other rows in their place.
    """
    without, fresh = np.empty(0, np.int64), True
    while fresh:
        prepared = (_blocks if task.kind == "language" else _rows)(raw, task, without)
        manifest = _fill(folder, prepared, raw, task)
        counted, more = leaks.look(read_split("train", manifest, folder), read_split("test", manifest, folder), task)
        without, fresh = np.union1d(without, more), len(more) > 0
    found = DuplicateCounts(**counted, dropped=len(without))
    manifest = manifest.model_copy(update={"duplicates_found": found})
    manifest.write(folder / artifacts.MANIFEST.name)
    return manifest


def _fill(folder: Path, prepared: Prepared, raw: Raw, task: TaskPlan) -> Manifest:
    """Write the files of ``prepared`` into ``folder``, and return their manifest."""
    splits, facts, changes = prepared.splits, prepared.facts, prepared.changes
    for name, table in splits.items():
        write_split(folder / f"{name}.arrow", table)
    if prepared.pictures is not None:
        filled = fill(folder, *prepared.pictures, f"{task.name}: image")
        facts += (InputFacts(mean=filled.mean, deviation=filled.deviation),)
        changes = {**(changes or {}), **filled.changes}
    hashes = {name: artifacts.digest_of(folder / f"{name}.arrow") for name in splits}
    if prepared.tokenizer is not None:
        prepared.tokenizer.save_pretrained(folder / artifacts.TOKENIZER.name)
        hashes["tokenizer"] = digest_of_tree(folder / artifacts.TOKENIZER.name)
    optional = {"dropped_empty": raw.dropped if task.drop_empty else None, "stream": task.stream or None, "changes": changes}
    return Manifest.joined(
        facts,
        kind=task.kind,
        task=task.name,
        source=task.source,
        licence=task.licence,
        citation=task.citation,
        seed=task.seed,
        counts=SplitCounts(train=len(splits["train"]), test=len(splits["test"])),
        content=artifacts.digest(hashes),
        files=hashes,
        columns={field.name: str(field.type) for field in splits["train"].schema if field.name not in ("id", "label")},
        **{key: value for key, value in optional.items() if value is not None},
    )


if __name__ == "__main__":
    main("prepare", prepare, before=check_plan)
