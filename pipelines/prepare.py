"""prepare: raw source to memory-mapped splits with permanent ids, and a manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from components.arrays import Array
from components.costs.clock import Clock
from pipelines import sources
from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import TaskPlan
from pipelines.core import artifacts
from pipelines.core.command import main
from pipelines.core.records import Record
from pipelines.costs.records import CostRecord
from pipelines.data import encoding, leaks, resampling, summary, target_set, targets, token_blocks
from pipelines.data.manifest import DuplicateCounts, InputFacts, Manifest, RegimeFacts, SplitCounts
from pipelines.data.split_files import read_split, write_split
from pipelines.data.splits import division
from pipelines.sources.package_index import digest_of_tree
from pipelines.sources.pixel_writer import Pixels, blank, fill
from pipelines.sources.raw import Raw

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Prepared:
    """Prepared data, before it is written.

    Attributes:
        splits: "train", "test" and any "validation", one row per example, with a column ``id``.
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
    """Return the splits of a task whose examples are rows; training leaves out the ids ``without``."""
    target = targets.read(raw, task)
    divided = division.of_rows(raw, target, task)
    test, left = divided.test, leaks.without(divided.train, without, task)
    aim = None if raw.aimed is None or task.target is None else target_set.target_set_facts(raw.aimed[left], task.target, task)
    made = resampling.make(raw, target, left, task)
    if made.target.classes is not None:
        division.check_learnt(made.target.classes, made.train, divided.validation, target.names or [], task)
    settled = targets.settle(made.target, made.train, test, task)
    columns, facts, tokenizer = encoding.encode(made.raw, task, made.train, test)
    splits, judging = {}, divided.named()
    apart = [(name, rows, rows, settled.test) for name, rows in judging.items()]
    for split, ids, chosen, label in (("train", made.ids, made.train, settled.train), *apart):
        stored = {n: c.take(pa.array(chosen)) for n, c in columns.items()}
        if made.raw.pixels is not None:
            stored[made.raw.pixels.form.column] = blank(len(chosen), made.raw.pixels)
        own = {} if task.own_target else {"label": encoding.labels(label[chosen])}
        splits[split] = pa.table({"id": ids} | own | stored)
    splits["train"] = resampling.with_copy_column(splits["train"], made.copies)
    if made.raw.aimed is not None:
        splits["train"] = splits["train"].append_column("target", pa.array(made.raw.aimed[made.train]))
    pictures = None if made.raw.pixels is None else (made.raw.pixels, {"train": made.train, **judging})
    regimes = RegimeFacts.from_regimes(long_tail=made.long_tail, duplicates=made.duplicates, target_set=aim)
    return Prepared(splits, (facts, settled.facts, regimes), raw.changes | target.changes, tokenizer, pictures)


def _blocks(raw: Raw, task: TaskPlan, without: Array) -> Prepared:
    """Return the splits of running text as blocks; documents are split first, and training's ids come first."""
    texts, block = raw.texts["text"], task.block
    divided = division.of_documents(raw, task)
    tokenizer = token_blocks.tokenizer_of(task, [texts[i] for i in divided.train])
    where = f"params.yaml: tasks.{task.name}.block: the {{}} split"
    named = {"training": divided.train, **divided.named()}
    parts = [token_blocks.cut(texts, ids, tokenizer, block, where.format(n)) for n, ids in named.items()]
    used = leaks.without(division.limited(np.arange(len(parts[0].tokens)), task), without, task)
    copies, made = resampling.duplicates(used, None, task)
    sizes = [len(part.tokens) for part in parts]
    ids = [copies.ids(sum(sizes)), *(sum(sizes[:i]) + np.arange(sizes[i]) for i in range(1, len(parts)))]
    chosen = [np.concatenate([copies.kept, copies.of]), *map(np.arange, sizes[1:])]
    splits = {}
    for name, part, rows_of_split, rows in zip(("train", *divided.named()), parts, ids, chosen, strict=True):
        columns = {"id": rows_of_split, "document": part.document[rows], "tokens": encoding.listed(part.tokens[rows])}
        splits[name] = pa.table(columns)
    splits["train"] = resampling.with_copy_column(splits["train"], copies)
    facts = (
        token_blocks.facts(parts[0], parts[1], tokenizer),
        targets.own_tokens(task),
        RegimeFacts.from_regimes(duplicates=made),
    )
    return Prepared(splits, facts, tokenizer=tokenizer if task.tokenizer is None else None)


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
        counted, more = leaks.look_at_all({name: read_split(name, manifest, folder) for name in prepared.splits}, task)
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
        filled = fill(folder, *prepared.pictures, f"{task.name}: {task.kind}")
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
        counts=SplitCounts(**{name: len(table) for name, table in splits.items()}),
        content=artifacts.digest(hashes),
        files=hashes,
        columns={field.name: str(field.type) for field in splits["train"].schema if field.name not in ("id", "label")},
        **{key: value for key, value in optional.items() if value is not None},
    )


if __name__ == "__main__":
    main("prepare", prepare, before=check_plan)
