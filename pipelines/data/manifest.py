"""Manifest: the metadata of the prepared splits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from components.costs.savings import Metric
from pipelines.config.schema.regimes import Duplicates, LabelNoise, LongTail, TargetSet
from pipelines.config.schema.source import DataSource
from pipelines.core.artifacts import HERE, MANIFEST
from pipelines.core.records import Record


class SplitCounts(Record):
    """A count for each split; ``validation`` is left out where there is none."""

    train: int
    test: int
    validation: int | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def total(self) -> int:
        """The sum of all splits."""
        return self.train + self.test + (self.validation or 0)


class TrainCounts(Record):
    """Training examples of each class, in the order of the classes."""

    train: list[int]


class LabelScale(Record):
    """Mean and standard deviation of the training labels, by which stored labels are standardised."""

    mean: float
    deviation: float


class NamedScale(LabelScale):
    """Scale of one number of several, with its ``name``."""

    name: str


class LabelNoiseFacts(LabelNoise):
    """Applied label noise, with the number of ``changed`` training labels."""

    changed: int


class LongTailFacts(LongTail):
    """Applied long tail, with the class ``sizes`` and the number of ``dropped`` rows."""

    sizes: list[int]
    dropped: int


class DuplicatesFacts(Duplicates):
    """Applied duplicates, with the numbers of ``copies`` and of ``originals`` left."""

    copies: int
    originals: int


class TargetSetFacts(TargetSet):
    """Applied target set, with the numbers of training rows in it and in the pool."""

    target_rows: int
    pool_rows: int


class DuplicateCounts(Record):
    """Counts of duplicates, exact and near.

    ``train_*`` are training rows that repeat an earlier one, ``leaked_*`` test rows that are in training too. Near ones were
    searched among ``sought`` rows; ``dropped`` training rows were left out, since rows that judge repeat them. ``validation_*``
    are validation rows that are in training too.
    """

    train_exact: int
    train_near: int
    leaked_exact: int
    leaked_near: int
    sought: int
    dropped: int
    validation_exact: int | None = Field(default=None, exclude_if=lambda value: value is None)
    validation_near: int | None = Field(default=None, exclude_if=lambda value: value is None)


class TargetFacts(Record):
    """A manifest's metadata of the targets.

    Attributes:
        target: kind of target: "class", "classes" (any number of them), "number", "numbers", "tokens", "sequence" or
            "transcript".
        metric: that models are judged by; ``higher`` is whether a higher value is better.
        outputs: model outputs per example; for running text, tokens to predict; of a sequence, the most;
            of a transcript 1, its log-probability.
        labels: names of the classes of which an example has any number; ``classes`` is empty then.
        by_label: training examples that have each of ``labels``.
        label_scale: of a number; ``label_scales``, in their order, of several.
    """

    target: Literal["class", "classes", "number", "numbers", "tokens", "sequence", "transcript"]
    metric: str
    higher: bool
    classes: list[str]
    outputs: int
    by_class: TrainCounts | None = None
    label_scale: LabelScale | None = None
    label_noise: LabelNoiseFacts | None = None
    empty_classes: list[str] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)
    by_label: TrainCounts | None = None
    label_scales: list[NamedScale] = Field(default_factory=list)

    @property
    def numbers(self) -> list[str]:
        """The names of several numbers, in their order."""
        return [scale.name for scale in self.label_scales]


class AudioFacts(Record):
    """Features of sounds: their name, the sampling rate in Hz, and the seconds that each sound is cut or padded to."""

    features: str
    sampling_rate: int
    seconds: float


class InputFacts(Record):
    """A manifest's metadata of the inputs; keys of other kinds of data are None.

    Attributes:
        shape: of an image, a sound's features, a table's row or a block.
        features: of a table's row, as ``components.tasks.column_encoding`` records them.
        mean: of the training pixels or features, with their standard ``deviation``.
        pad: id of the padding token; of transcripts the blank's, which is no token.
        truncated: number of texts longer than ``max_length`` tokens.
        truncated_targets: number of targets longer than ``max_target_length`` tokens.
        start: id of the token that a decoder reads before a target's first one.
        end: id of the token between documents, or after a source, target or response; None if the tokenizer has none.
        template: whose chat template writes conversations: the tokenizer's own, or the plain one.
        tokens: number in all documents of a split.
    """

    shape: list[int] | None = None
    features: list[dict[str, JsonValue]] | None = None
    mean: float | None = None
    deviation: float | None = None
    pad: int | None = None
    vocabulary: int | None = None
    max_length: int | None = None
    truncated: SplitCounts | None = None
    max_target_length: int | None = None
    truncated_targets: SplitCounts | None = None
    start: int | None = None
    block: int | None = None
    end: int | None = None
    template: Literal["own", "plain"] | None = None
    tokens: SplitCounts | None = None
    audio: AudioFacts | None = None


class RegimeFacts(Record):
    """A manifest's metadata of the regimes applied to the training split; None for others."""

    long_tail: LongTailFacts | None = None
    duplicates: DuplicatesFacts | None = None
    target_set: TargetSetFacts | None = None

    @classmethod
    def from_regimes(cls, **made: LongTailFacts | DuplicatesFacts | TargetSetFacts | None) -> RegimeFacts:
        """Return the metadata of the applied regimes by name; those that are None are left out."""
        return cls.of({name: regime for name, regime in made.items() if regime is not None})


class Manifest(TargetFacts, InputFacts, RegimeFacts):
    """Metadata of the prepared splits; keys of other kinds of data are None.

    Attributes:
        content: digest of the ``files``.
        columns: Arrow types of the inputs, by name.
        changes: number of changed rows by kind of change to the source.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, protected_namespaces=())

    kind: Literal["text", "image", "table", "language", "seq2seq", "instructions", "audio"]
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
        """Return the manifest of the set keys of all ``facts``, and of ``more``."""
        given = {name: getattr(part, name) for part in facts for name in part.model_fields_set}
        return cls.of(given | more)

    @classmethod
    def prepared(cls, root: Path = HERE) -> Manifest:
        """Return the manifest of the prepared data in ``root``.

        Raises:
            UserError: if there is none.
        """
        return cls.read(root / MANIFEST)

    @property
    def judging_metric(self) -> Metric:
        """The metric that models are judged by."""
        return Metric(self.metric, self.higher)
