"""Sources of raw data, checked, as plain columns with an id for life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipelines.sources import documents, folders, hub, images, tables
from pipelines.sources.raw import Raw

READERS: dict[str, Callable[[dict[str, Any]], Raw]] = {
    "files": tables.from_files,
    "package": tables.from_package,
    "hub": hub.from_hub,
    "folder": folders.from_folder,
    "idx": images.from_idx,
    "scikit-learn": images.from_scikit_learn,
}
#: Where running text lies as a file a document.
DOCUMENTS: dict[str, Callable[[dict[str, Any]], Raw]] = {
    "folder": documents.from_folder,
    "package": documents.from_package,
}


def read(task: dict[str, Any]) -> Raw:
    """Return the data that a planned task describes.

    Raises:
        UserError: naming the file, column or row that cannot be used.
    """
    documents_alone = task["kind"] == "language" and "text" not in task["columns"]
    return (DOCUMENTS if documents_alone else READERS)[task["source"]["from"]](task)
