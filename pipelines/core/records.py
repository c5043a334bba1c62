"""Typed records of JSON files: reading, checking and writing."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.core.artifacts import read_json, write_json
from pipelines.core.errors import UserError

#: A number that is written as given: an int stays an int.
Number = int | float


class Stored(BaseModel):
    """The content of a JSON file; a subclass defines its keys and their types."""

    @classmethod
    def of(cls, value: object) -> Self:
        """Return the JSON ``value`` as this record, which is dumped with the same keys.

        Raises:
            pydantic.ValidationError: for a key that is unknown, missing or of another type.
        """
        return cls.model_validate(value)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the record in the file ``path``.

        Raises:
            UserError: if the file is missing, is no JSON, or was written by another version.
        """
        try:
            return cls.of(read_json(path))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise UserError(f"{path}: {key}: {first['msg']}; another version wrote it: run 'dvc repro'") from None

    def write(self, path: Path) -> None:
        """Write the record to ``path``."""
        write_json(path, self.dumped())

    def dumped(self) -> dict[str, object]:
        """Return the record as JSON values, without the keys that were not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Record(Stored):
    """A record of a file that a stage writes: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
