"""Raw data of sounds: by class folder, column of paths, or hub data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipelines.config.plans import TaskPlan
from pipelines.config.schema.source import FromFolder
from pipelines.core.errors import UserError
from pipelines.sources.folders import class_folders
from pipelines.sources.picture_decoding import Item
from pipelines.sources.raw import Raw
from pipelines.sources.sounds.features import features_of
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
    paths, label, tested, changes = class_folders(source, SUFFIXES, "sound")
    return of_paths(Raw({PATH: [str(path) for path in paths]}, label, tested, changes=changes), task)


def of_paths(raw: Raw, task: TaskPlan) -> Raw:
    """Return ``raw``, of a table with a column of paths, with the sounds in these files.

    Raises:
        UserError: for a row without a path.
    """
    given = raw.inputs[PATH]
    if (empty := next((i for i, path in enumerate(given) if path is None or path == ""), None)) is not None:
        raise UserError(f"{task.name}: {task.columns.audio} of id {empty} must be the path of a sound, got none")
    paths = [str(path) for path in given]
    raw = replace(raw, inputs={PATH: paths})
    return with_sounds(raw, len(paths), lambda i: Item(f"id {i} ({paths[i]})", path=paths[i]), task)


def with_sounds(raw: Raw, count: int, item: Callable[[int], Item], task: TaskPlan) -> Raw:
    """Return ``raw`` with the ``count`` sounds that ``item`` returns by id."""
    features = features_of(task.audio, task.tokenizer, f"params.yaml: tasks.{task.name}")
    return replace(raw, pixels=Sounds(count, item, features))
