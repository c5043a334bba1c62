"""Checks for keys of a task that have no effect."""

from __future__ import annotations

from pipelines.config.schema.task_fields import TaskKeys

#: The kinds of data that a key is for, by key.
FOR = {"image_size": ("image",), "max_length": ("text",), "block": ("language",), "vocabulary": ("language",)}
#: Image sources without columns.
WITHOUT_COLUMNS = ("idx", "scikit-learn", "folder")
#: Suffixes of files that name their columns themselves.
NAMED = (".jsonl", ".parquet")


def idle(task: TaskKeys) -> str | None:
    """Return the error of the first key that is set without effect, None if there is none."""
    given, source = task.model_fields_set, task.source
    for key, kinds in FOR.items():
        if key in given and getattr(task, key) is not None and task.kind not in kinds:
            return f"{key}: is for a task of kind {kinds[0]!r}, and this one is of kind {task.kind!r}; leave it out"
    if task.training.augment and task.kind != "image":
        return f"training.augment: is for a task of kind 'image', and this one is of kind {task.kind!r}; leave it out"
    if task.kind == "image" and source.source in WITHOUT_COLUMNS and list(task.columns.named()):
        return f"columns: images of {source.source!r} have none, got {', '.join(task.columns.named())}; leave it out"
    if task.test is not None and (own := _own_test(task)):
        return f"test: must be left out where the source has a test split, {own}; or leave that out"
    return _idle_header(task)


def _own_test(task: TaskKeys) -> str | None:
    """Return the key of the source's own test split, None if it has none."""
    for key in ("test", "test_member", "test_split"):
        if named := getattr(task.source, key, None):
            return f"source.{key}: {named!r}"
    return "t10k" if task.source.source == "idx" else None


def _idle_header(task: TaskKeys) -> str | None:
    train = getattr(task.source, "train", None)
    if train is None or not train.removesuffix(".gz").endswith(NAMED):
        return None
    key = next((k for k in ("header", "skip") if getattr(task.source, k)), None)
    return key and f"source.{key}: is for csv and tsv files, and {train} names its columns itself; leave it out"
