"""Sources of raw data, checked, as plain columns with permanent ids."""

from __future__ import annotations

from pipelines.config.plans import TaskPlan
from pipelines.config.schema.source import FromFiles, FromFolder, FromHub, FromIdx, FromPackage
from pipelines.sources import documents, folders, hub_datasets, idx_and_digits, pretrained, tables
from pipelines.sources.raw import Raw
from pipelines.sources.sounds import reading


def read(task: TaskPlan) -> Raw:
    """Return the raw data of a planned task.

    Raises:
        UserError: naming the file, column or row that cannot be used.
    """
    task = _sized(task)
    source = task.source
    # Running text with one file per document.
    documents_alone = task.kind == "language" and not task.columns.text
    if isinstance(source, FromFiles):
        found = tables.from_files(source, task)
        return reading.of_paths(found, task) if task.kind == "audio" else found
    if isinstance(source, FromPackage):
        return documents.from_package(source) if documents_alone else tables.from_package(source, task)
    if isinstance(source, FromFolder) and task.kind == "audio":
        return (reading.from_tables if task.predicts == "transcript" else reading.from_folder)(source, task)
    if isinstance(source, FromFolder):
        return documents.from_folder(source) if documents_alone else folders.from_folder(source, task.image_size)
    if isinstance(source, FromHub):
        return hub_datasets.from_hub(source, task)
    if isinstance(source, FromIdx):
        return idx_and_digits.from_idx(source, task.image_size)
    return idx_and_digits.from_scikit_learn(task.image_size)


def _sized(task: TaskPlan) -> TaskPlan:
    """Return ``task`` with the size of its model's image processor, if images have no ``image_size``."""
    if task.kind != "image" or task.image_size is not None or task.tokenizer is None:
        return task
    return task.model_copy(update={"image_size": pretrained.image_processor(task.tokenizer).side})
