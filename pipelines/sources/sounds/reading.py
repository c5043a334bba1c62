"""Raw data of sounds: by class folder, column of paths, or hub data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.config.plans import TaskPlan
from pipelines.config.schema.source import FromFolder
from pipelines.core.errors import UserError
from pipelines.sources import tables
from pipelines.sources.folders import class_folders
from pipelines.sources.picture_decoding import Item
from pipelines.sources.raw import Raw
from pipelines.sources.sounds.features import features_of
from pipelines.sources.sounds.speech import Spoken, features_alone
from pipelines.sources.sounds.writer import Sounds

#: File suffixes of sounds in a class folder.
SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}
#: Key in ``Raw.inputs`` of the path of each sound.
PATH = "audio"


def from_folder(source: FromFolder, task: TaskPlan) -> Raw:
    """Return the sounds of ``[train|test/]<class>/<sound>`` as raw data.

    Raises:
        UserError: for a folder without sounds, or with an ambiguous layout.
    """
    paths, raw = class_folders(source, SUFFIXES, "sound")
    return of_paths(replace(raw, inputs={PATH: [str(path) for path in paths]}), task)


def from_tables(source: FromFolder, task: TaskPlan) -> Raw:
    """Return the sounds and transcripts of ``[train|test/]metadata.csv``, whose paths begin at the table's folder.

    It may also be a tsv, jsonl or parquet.

    Raises:
        UserError: for a folder without such a table, or with several.
    """
    root = Path(source.folder)
    divided = (root / "train").is_dir()
    train = _table_in(root / "train" if divided else root)
    test = _table_in(root / "test") if divided and (root / "test").is_dir() else None
    raw = tables.of_paths(task, [train, test, None])
    tested = np.zeros(len(raw.inputs[PATH]), bool) if raw.tested is None else raw.tested
    folders = [(test if of_test and test else train).parent for of_test in tested]
    paths = [given and str(folder / str(given)) for folder, given in zip(folders, raw.inputs[PATH], strict=True)]
    return of_paths(replace(raw, inputs={**raw.inputs, PATH: paths}), task)


def _table_in(folder: Path) -> Path:
    """Return the table of a folder's sounds."""
    found = sorted(folder.glob("metadata.*"))
    if len(found) != 1:
        got = "none" if not found else ", ".join(path.name for path in found)
        raise UserError(f"{folder}: must have one table of sounds, metadata.csv, .tsv, .jsonl or .parquet, got {got}")
    return found[0]


def of_paths(raw: Raw, task: TaskPlan) -> Raw:
    """Return ``raw``, of a table with a column of paths, with the sounds in these files.

    Raises:
        UserError: for a row without a path.
    """
    given = raw.inputs[PATH]
    if (empty := next((i for i, path in enumerate(given) if path is None or path == ""), None)) is not None:
        raise UserError(f"{task.name}: {task.columns.audio} of id {empty} must be the path of a sound, got none")
    paths = [str(path) for path in given]
    raw = replace(raw, inputs={**raw.inputs, PATH: paths})
    return with_sounds(raw, len(paths), lambda i: Item(f"id {i} ({paths[i]})", path=paths[i]), task)


def with_sounds(raw: Raw, count: int, item: Callable[[int], Item], task: TaskPlan) -> Raw:
    """Return ``raw`` with the ``count`` sounds that ``item`` returns by id."""
    where = f"params.yaml: tasks.{task.name}"
    if task.predicts == "transcript":
        return replace(raw, pixels=Spoken(count, item, features_alone(task.audio, task.tokenizer, where), where))
    features = features_of(task.audio, task.tokenizer, where)
    return replace(raw, pixels=Sounds(count, item, features))
