"""Manifest of the prepared splits: what a reader must know of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from components.costs.savings import Metric
from pipelines.config.schema.source import DataSource
from pipelines.config.schema.split_options import Duplicates, LabelNoise, LongTail, TargetSet
from pipelines.core.artifacts import HERE, MANIFEST
from pipelines.core.records import Record


class SplitCounts(Record):
    """A number of each split."""

    train: int
    test: int

    @property
    def total(self) -> int:
        """That of both splits together."""
        return self.train + self.test


class TrainCounts(Record):
    """Training examples of each class, in the order of the classes."""

    train: list[int]


class LabelScale(Record):
    """Mean and deviation of the training labels, in their own unit; stored labels are standardised by them."""

    mean: float
    deviation: float


class LabelNoiseFacts(LabelNoise):
    """Label noise as it was made: how many training labels it ``changed``."""

    changed: int


class LongTailFacts(LongTail):
    """A long tail as it was made: the ``sizes`` of the classes, and the rows that were ``dropped``."""

    sizes: list[int]
    dropped: int


class DuplicatesFacts(Duplicates):
    """Duplicates as they were made: ``copies`` in the place of other rows, and the ``originals`` that are left."""

    copies: int
    originals: int


class TargetSetFacts(TargetSet):
    """A target set as it was made: how many rows of training are of it, and how many of the pool."""

    target_rows: int
    pool_rows: int


class DuplicateCounts(Record):
    """Rows that repeat others.

    Training rows that repeat an earlier one, test rows that stand in training too, to the byte or nearly; among how many
    rows near ones were ``sought``; and how many training rows were ``dropped``, since test rows say the same.
    """

    train_exact: int
    train_near: int
    leaked_exact: int
    leaked_near: int
    sought: int
    dropped: int


class TargetFacts(Record):
    """What a manifest says of the targets.

    Attributes:
        target: what is learnt: "class", "number" or "tokens".
        metric: what models are judged by; ``higher`` whether more of it is better.
        outputs: numbers that the model gives an example; of running text, tokens to predict.
    """

    target: Literal["class", "number", "tokens"]
    metric: str
    higher: bool
    classes: list[str]
    outputs: int
    by_class: TrainCounts | None = None
    label_scale: LabelScale | None = None
    label_noise: LabelNoiseFacts | None = None
    empty_classes: list[str] = Field(default_factory=list)


class InputFacts(Record):
    """What a manifest says of the inputs; keys that another kind of data has are None.

    Attributes:
        shape: of an image, a table's row or a block.
        features: of a table's row, as ``components.tasks.column_encoding`` records them.
        mean: of the pixels of training, with their ``deviation``.
        pad: the token that fills a batch of texts up.
        truncated: texts longer than ``max_length`` tokens.
        end: the token between documents; None where the tokenizer has none.
        tokens: of all documents of a split.
    """

    shape: list[int] | None = None
    features: list[dict[str, JsonValue]] | None = None
    mean: float | None = None
    deviation: float | None = None
    pad: int | None = None
    vocabulary: int | None = None
    max_length: int | None = None
    truncated: SplitCounts | None = None
    block: int | None = None
    end: int | None = None
    tokens: SplitCounts | None = None


class RegimeFacts(Record):
    """What a manifest says of the regimes that a training split was made by; those that a task does not ask for are None."""

    long_tail: LongTailFacts | None = None
    duplicates: DuplicatesFacts | None = None
    target_set: TargetSetFacts | None = None

    @classmethod
    def from_regimes(cls, **made: LongTailFacts | DuplicatesFacts | TargetSetFacts | None) -> RegimeFacts:
        """Return what is said of the regimes that were ``made``, by name: nothing of one that is None."""
        return cls.of({name: regime for name, regime in made.items() if regime is not None})


class Manifest(TargetFacts, InputFacts, RegimeFacts):
    """What a reader must know of the prepared splits; keys that another kind of data has are None.

    Attributes:
        content: the digest of the ``files``.
        columns: Arrow types of the inputs, by name.
        changes: what is not as it lay in the source, and in how many rows.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, protected_namespaces=())

    kind: Literal["text", "image", "table", "language"]
    task: str
    source: DataSource
    licence: str
    citation: str
    seed: int
    counts: SplitCounts
    content: str
    files: dict[str, str]
    columns: dict[str, str] = Field(alias="schema")
    changes: dict[str, int] = Field(default_factory=dict)
    dropped_empty: int | None = None
    duplicates_found: DuplicateCounts | None = None
    stream: bool = False

    @classmethod
    def joined(cls, facts: Iterable[Record], **more: object) -> Manifest:
        """Return the manifest that says what all ``facts`` and ``more`` say; what none of them says stays unsaid."""
        said = {name: getattr(part, name) for part in facts for name in part.model_fields_set}
        return cls.of(said | more)

    @classmethod
    def prepared(cls, root: Path = HERE) -> Manifest:
        """Return the manifest of the data that were prepared last.

        Raises:
            UserError: where there is none.
        """
        return cls.read(root / MANIFEST)

    @property
    def judging_metric(self) -> Metric:
        """What models are judged by."""
        return Metric(self.metric, self.higher)
