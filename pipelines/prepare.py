"""prepare: the raw source as splits that can be memory-mapped, every example with an id for life, and a manifest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.arrays import Array, count_of, stream
from components.energy import Clock
from pipelines import artifacts, models, sources
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
        _check_inputs(raw, task)
        target, kept, names = _targets(raw, task)
        train, test = _split(raw.tested, kept, task)
        _check_classes(target[train], target[test], names, task)
        noisy = _noise(target, train, len(names), task)
        columns, facts = _encode(raw, task)
        _write(columns, noisy, target, (train, test), facts | _facts(task, names, noisy, target, train, test))
    artifacts.write_json(artifacts.cost_of("prepare"), {"laps": clock.record()})


def _check_inputs(raw: Raw, task: dict[str, Any]) -> None:
    for name, values in raw.inputs.items():
        if name == "image":
            continue
        bad = next((i for i, v in enumerate(values) if not isinstance(v, str) or not v.strip()), None)
        if bad is not None:
            raise UserError(f"{task['name']}: {name} of id {bad} must be a text, got {values[bad]!r}")


def _targets(raw: Raw, task: dict[str, Any]) -> tuple[Array, Array, list[str]]:
    """Return each row's class ``(N,)``, the ids that are used, and the classes' names."""
    if (margin := task["binarize"]) is not None:
        if raw.label.dtype.kind not in "fiu":
            raise UserError(f"{task['name']}: binarize needs numbers as labels, got {raw.label[:1].tolist()[0]!r}")
        return (raw.label > 0).astype(np.int64), np.flatnonzero(np.abs(raw.label) >= margin), ["negative", "positive"]
    if raw.names is not None:
        outside = np.flatnonzero((raw.label < 0) | (raw.label >= len(raw.names)))
        if len(outside):
            first, bound = outside[0], len(raw.names) - 1
            raise UserError(f"{task['name']}: label of id {first} must be in [0, {bound}], got {raw.label[first]}")
        return raw.label.astype(np.int64), np.arange(len(raw.label)), raw.names
    found, target = np.unique(raw.label, return_inverse=True)
    names = [str(f) for f in found]
    if raw.label.dtype.kind == "f":
        raise UserError(f"{task['name']}: labels must be classes, got {raw.label[0]}; 'binarize' makes two of a number's sign")
    if len(found) < 2:
        raise UserError(f"{task['name']}: labels must have 2 classes or more, got {names}")
    return target.astype(np.int64), np.arange(len(target)), names


def _split(tested: Array | None, kept: Array, task: dict[str, Any]) -> tuple[Array, Array]:
    """Return the ids of the training and the test split; without one of its own, a seeded shuffle cuts it off."""
    if tested is not None:
        train, test = kept[~tested[kept]], kept[tested[kept]]
    elif task["test"] is None:
        raise UserError(f"params.yaml: tasks.{task['name']}.test: the source has no test split; say how many rows, or 0.1")
    else:
        size = task["test"] if isinstance(task["test"], int) else count_of(task["test"], len(kept))
        if size >= len(kept):
            raise UserError(f"params.yaml: tasks.{task['name']}.test: must be under the {len(kept)} rows there are, got {size}")
        shuffled = stream(task["seed"], "split").permutation(kept)
        train, test = np.sort(shuffled[size:]), np.sort(shuffled[:size])
    if task["limit"] is not None:
        chosen = stream(task["seed"], "limit").permutation(len(train))[: task["limit"]]
        train = np.sort(train[chosen])
    return train, test


def _check_classes(train: Array, test: Array, names: list[str], task: dict[str, Any]) -> None:
    lacking = [names[c] for c in np.setdiff1d(test, train)]
    if lacking:
        raise UserError(f"{task['name']}: the test split has classes that training lacks: {', '.join(lacking)}")
    if empty := [n for n, count in zip(names, np.bincount(train, minlength=len(names)), strict=True) if not count]:
        raise UserError(f"{task['name']}: training has no example of {', '.join(empty)}")


def _noise(target: Array, train: Array, classes: int, task: dict[str, Any]) -> Array:
    """Return the targets with a fraction of the training ones replaced, each by another class drawn at random."""
    noise = task["label_noise"]
    noisy = target.copy()
    if noise and noise["fraction"]:
        rng = stream(noise["seed"], "label noise")
        changed = rng.permutation(train)[: count_of(noise["fraction"], len(train))]
        noisy[changed] = (target[changed] + rng.integers(1, classes, len(changed))) % classes
    return noisy


def _encode(raw: Raw, task: dict[str, Any]) -> tuple[dict[str, pa.Array], dict[str, Any]]:
    """Return the columns to store, and what a reader must know of them."""
    if task["kind"] == "image":
        pixels = raw.inputs["image"]
        flat = pa.FixedSizeListArray.from_arrays(pa.array(pixels.ravel()), int(np.prod(pixels.shape[1:])))
        return {"pixels": flat}, {"shape": list(pixels.shape[1:])}
    tokens, truncated, pad = _tokens(raw.inputs, task)
    return {"tokens": tokens, **{n: pa.array(v) for n, v in raw.inputs.items()}}, {"truncated": truncated, "pad": pad}


def _tokens(texts: dict[str, Sequence[str]], task: dict[str, Any]) -> tuple[pa.Array, int, int]:
    """Return the token ids of all texts (or pairs), how many were cut at ``max_length``, and the id that pads."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokenizer = models.tokenizer(task["tokenizer"])
    parts = [list(texts[name]) for name in ("text", "text_pair") if name in texts]
    encoded = tokenizer(*parts, truncation=True, max_length=task["max_length"])
    truncated = sum(bool(e.overflowing) for e in encoded.encodings)
    ids = encoded["input_ids"]
    ends = np.cumsum([0, *(len(i) for i in ids)])
    flat = pa.array(np.concatenate([np.asarray(i, np.int32) for i in ids]))
    return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), flat), truncated, tokenizer.pad_token_id or 0


def _facts(task: dict[str, Any], names: list[str], noisy: Array, clean: Array, train: Array, test: Array) -> dict[str, Any]:
    return {
        "task": task["name"],
        "kind": task["kind"],
        "target": "class",
        "classes": names,
        "counts": {"train": len(train), "test": len(test)},
        "by_class": {"train": np.bincount(noisy[train], minlength=len(names)).tolist()},
        "label_noise": task["label_noise"] and {**task["label_noise"], "changed": int((noisy != clean)[train].sum())},
        "source": task["source"],
        "licence": task["licence"],
        "citation": task["citation"],
        "seed": task["seed"],
    }


def _write(columns: dict[str, pa.Array], noisy: Array, clean: Array, ids: tuple[Array, Array], facts: dict[str, Any]) -> None:
    """Write both splits and their manifest as one folder."""

    def fill(folder: Path) -> None:
        hashes = {}
        for split, chosen, label in (("train", ids[0], noisy), ("test", ids[1], clean)):
            place = pa.array(chosen)
            table = {"id": place, "label": pa.array(label[chosen]), **{n: c.take(place) for n, c in columns.items()}}
            write_split(folder / f"{split}.arrow", pa.table(table))
            hashes[split] = artifacts.digest_of(folder / f"{split}.arrow")
        schema = {n: str(c.type) for n, c in columns.items()}
        if facts["kind"] == "image":
            pixels = columns["pixels"].take(pa.array(ids[0])).flatten().to_numpy()
            facts["mean"], facts["deviation"] = float(pixels.mean(dtype=np.float64)), float(pixels.std(dtype=np.float64))
        content = {"content": artifacts.digest(hashes), "files": hashes, "schema": schema}
        artifacts.write_json(folder / "manifest.json", facts | content)

    artifacts.write_folder(artifacts.PREPARED, fill)


if __name__ == "__main__":
    main("prepare", prepare)
