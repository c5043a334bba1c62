"""Raw data as it lies about: opened, checked, and returned as plain columns with an id for life."""

from __future__ import annotations

from typing import Any

from pipelines.sources import hub, images, tables
from pipelines.sources.raw import Raw

READERS = {
    "files": tables.from_files,
    "package": tables.from_package,
    "hub": hub.from_hub,
    "folder": images.from_folder,
    "idx": images.from_idx,
    "scikit-learn": images.from_scikit_learn,
}


def read(task: dict[str, Any]) -> Raw:
    """Return the data that a planned task describes.

    Raises:
        UserError: naming the file, column or row that cannot be used.
    """
    return READERS[task["source"]["from"]](task)
