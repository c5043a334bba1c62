"""History of a training: the records of its epochs, written and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from components.epoch_records import EpochRecord, epoch_record
from pipelines.core.artifacts import read_json, write_json


def history_of(path: Path) -> list[EpochRecord]:
    """Return the epoch records in the file ``path``.

    Raises:
        UserError: if it is missing, or no JSON.
    """
    return [epoch_record(record) for record in read_json(path)]


def write_history(path: Path, records: Sequence[EpochRecord]) -> None:
    """Write the epoch ``records`` of a training to ``path``."""
    write_json(path, [asdict(record) for record in records])
