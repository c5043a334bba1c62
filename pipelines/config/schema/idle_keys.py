"""Checks for keys of a task that have no effect."""

from __future__ import annotations

from components.costs.savings import NAMED as NAMED_METRICS
from pipelines.config.schema.model import Transformer
from pipelines.config.schema.task_fields import OWN_TARGETS, TaskKeys
from pipelines.core.errors import unknown

#: The kinds of data that a key is for, by key.
FOR = {
    "image_size": ("image",),
    "max_length": ("text", "seq2seq", "instructions"),
    "max_target_length": ("seq2seq", "instructions"),
    "block": ("language",),
    "vocabulary": ("language", "seq2seq", "instructions"),
    "audio": ("audio",),
}
#: Image sources without columns.
WITHOUT_COLUMNS = ("idx", "scikit-learn", "folder")
#: Suffixes of files that name their columns themselves.
NAMED = (".jsonl", ".parquet")


def idle(task: TaskKeys) -> str | None:
    """Return the error of the first key that is set without effect, None if there is none."""
    given, source = task.model_fields_set, task.source
    for key, kinds in FOR.items():
        if key in given and getattr(task, key) is not None and task.kind not in kinds:
            known = " or ".join(map(repr, kinds))
            return f"{key}: is for a task of kind {known}, and this one is of kind {task.kind!r}; leave it out"
    if task.training.augment and task.kind != "image":
        return f"training.augment: is for a task of kind 'image', and this one is of kind {task.kind!r}; leave it out"
    if task.kind == "image" and source.source in WITHOUT_COLUMNS and list(task.columns.named()):
        return f"columns: images of {source.source!r} have none, got {', '.join(task.columns.named())}; leave it out"
    if message := _idle_transcript(task):
        return message
    if task.kind == "audio" and (message := _idle_audio(task)):
        return message
    if task.test is not None and (own := _own_test(task)):
        return f"test: must be left out where the source has a test split, {own}; or leave that out"
    return _idle_header(task)


def validation_error(task: TaskKeys) -> str | None:
    """Return the error of evaluations while training without rows to judge on, or of rows that judge nothing."""
    every, named = task.training.evaluate_every, _own_validation(task)
    if every is not None and task.validation is None and named is None:
        return (
            f"training.evaluate_every: {every} needs a part of the training split to judge on, and there is none; set "
            "validation: 0.1 beside training, or leave evaluate_every out"
        )
    if named is not None and task.validation is not None:
        return f"validation: must be left out where the source has a validation split, {named}; or leave that out"
    if named is not None and every is None:
        return f"{named.partition(':')[0]}: judges while a model trains, and training.evaluate_every is not set; set it to 1"
    if named is not None and task.target is not None:
        return f"{named.partition(':')[0]}: must be left out with a target set; set validation, a fraction of the target rows"
    return None


def _own_validation(task: TaskKeys) -> str | None:
    """Return the key of the source's own validation split, None if it has none."""
    found = ((key, getattr(task.source, key, None)) for key in ("validation", "validation_split", "validation_member"))
    return next((f"source.{key}: {named!r}" for key, named in found if named), None)


def _idle_transcript(task: TaskKeys) -> str | None:
    """Return the error of settings of transcripts without any, or of what models of transcripts do not have."""
    if task.transcript is not None and task.predicts != "transcript":
        return f"transcript: is for 'predicts: transcript', and this task has predicts: {task.predicts}; leave it out"
    if task.predicts == "transcript" and isinstance(task.model, Transformer) and task.model.lora is not None:
        return "model.lora: is not for 'predicts: transcript'; leave it out, and set train_layers to train a part of the model"
    if task.transcript and task.transcript.vocabulary == "model" and not isinstance(task.model, Transformer):
        return "transcript.vocabulary: 'model' is for a model of family 'transformers', which has one; set 'characters'"
    return None


def _idle_audio(task: TaskKeys) -> str | None:
    """Return the error of columns of a folder of sounds, or of features beside a model that has its own."""
    if task.source.source == "folder" and task.predicts != "transcript" and list(task.columns.named()):
        return f"columns: sounds of 'folder' have none, got {', '.join(task.columns.named())}; leave it out"
    set_keys = sorted((task.audio.model_fields_set if task.audio else set()) - {"max_seconds"})
    if isinstance(task.model, Transformer) and set_keys:
        return f"audio.{set_keys[0]}: is what the feature extractor of a model of family 'transformers' says; leave it out"
    return None


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


def misfit(task: TaskKeys) -> str | None:
    """Return the error of the first key that does not fit how much an example's label holds, None if there is none."""
    several = task.predicts == "classes"
    if message := _label_columns(task):
        return message
    if task.separator is not None and not several:
        return f"separator: is for 'predicts: classes', and this task has predicts: {task.predicts}; leave it out"
    known = NAMED_METRICS.get(task.predicts, ())
    if task.metric is not None and task.kind not in OWN_TARGETS and known and task.metric not in known:
        return unknown(f"metric: {task.metric!r} with predicts: {task.predicts}", "metric", task.metric, known)
    for key in ("binarize", "label_noise", "long_tail") if several else ():
        if getattr(task, key) is not None:
            return f"{key}: is for one class an example, and this task has predicts: classes; leave one of the two out"
    return _label_source(task) if several or task.predicts == "numbers" else None


def _label_columns(task: TaskKeys) -> str | None:
    """Return the error of a list of columns as label, None if the task predicts several numbers of two columns or more."""
    label = task.columns.label
    if not isinstance(label, list):
        return None
    if task.predicts != "numbers":
        return (
            f"columns.label: must be one column with predicts: {task.predicts}, got {len(label)}; several columns are for "
            "'predicts: numbers'"
        )
    return None if len(label) > 1 else f"columns.label: must list 2 columns or more, got {label}; 'predicts: number' learns one"


def _label_source(task: TaskKeys) -> str | None:
    """Return the error of a source that cannot have several labels a row, None if it can."""
    source = task.source
    if source.source in WITHOUT_COLUMNS:
        what = "of labels" if task.predicts == "classes" else "for each number"
        return f"predicts: {task.predicts!r} needs a column {what}, and {source.source!r} has one class a picture; use hub"
    train = getattr(source, "train", None)
    if task.predicts == "numbers":
        return _number_columns(task.columns.label, train)
    if train is not None and task.separator is None and not train.removesuffix(".gz").endswith(NAMED):
        return f"separator: must be set for {train}, whose labels are texts; one that works: ','"
    return None


def _number_columns(label: str | list[str] | None, train: str | None) -> str | None:
    """Return the error of one column for several numbers in a csv or tsv, whose values are no lists."""
    if isinstance(label, list) or train is None or train.removesuffix(".gz").endswith(NAMED):
        return None
    return f"columns.label: must name a column for each number of {train}, got {label!r}; one that works: [{label}, another]"
