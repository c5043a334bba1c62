"""Sources of raw data, checked, as plain columns with permanent ids."""

from __future__ import annotations

from pipelines.config.plans import TaskPlan
from pipelines.config.schema.source import FromFiles, FromFolder, FromHub, FromIdx, FromPackage
from pipelines.sources import documents, folders, hub_datasets, idx_and_digits, tables
from pipelines.sources.raw import Raw


def read(task: TaskPlan) -> Raw:
    """Return the raw data of a planned task.

    Raises:
        UserError: naming the file, column or row that cannot be used.
    """
    source = task.source
    # Running text with one file per document.
    documents_alone = task.kind == "language" and not task.columns.text
    if isinstance(source, FromFiles):
        return tables.from_files(source, task)
    if isinstance(source, FromPackage):
        return documents.from_package(source) if documents_alone else tables.from_package(source, task)
    if isinstance(source, FromFolder):
        return documents.from_folder(source) if documents_alone else folders.from_folder(source, task.image_size)
    if isinstance(source, FromHub):
        return hub_datasets.from_hub(source, task)
    return idx_and_digits.from_idx(source) if isinstance(source, FromIdx) else idx_and_digits.from_scikit_learn()
