"""Keys of a task: its data, target, model and training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal, get_args

from pydantic import Field, NonNegativeFloat, field_validator, model_serializer, model_validator

from components.costs.savings import METRICS, Metric
from pipelines.config.schema.audio import Audio, Transcript
from pipelines.config.schema.model import Model
from pipelines.config.schema.regimes import Duplicates, LabelNoise, LongTail, TargetSet
from pipelines.config.schema.sections import Section
from pipelines.config.schema.source import DataSource
from pipelines.config.schema.training import Training
from pipelines.core.errors import unknown

#: Metrics of classes and transcripts; ``NAMED`` has those of one class an example, of several, and of a transcript.
MetricName = Literal[
    "accuracy",
    "macro_f1",
    "balanced_accuracy",
    "worst_class_accuracy",
    "mean_average_precision",
    "micro_f1",
    "subset_accuracy",
    "wer",
    "cer",
]

#: Kinds of data whose targets are neither classes nor numbers -> what they are.
OWN_TARGETS: dict[str, Literal["tokens", "sequence"]] = {
    "language": "tokens",
    "seq2seq": "sequence",
    "instructions": "sequence",
}


class Columns(Section):
    """Names of the source's columns, by role."""

    text: str | None = None
    text_pair: str | None = None
    source: str | None = None
    target: str | None = None
    prompt: str | None = None
    response: str | None = None
    messages: str | None = None
    image: str | None = None
    audio: str | None = None
    transcript: str | None = None
    numbers: list[str] = Field(default_factory=list)
    categories: list[str] = Field(default_factory=list)
    dates: list[str] = Field(default_factory=list)
    label: str | list[str] | None = None
    domain: str | None = None
    group: str | None = None

    @model_serializer
    def _named_alone(self) -> dict[str, str | list[str]]:
        return {role: columns for role, columns in vars(self).items() if columns}

    def named(self) -> Iterator[str]:
        """Yield the columns' names."""
        for columns in vars(self).values():
            yield from [columns] if isinstance(columns, str) else columns or []

    @model_validator(mode="after")
    def _each_once(self) -> Columns:
        if twice := [name for name, count in Counter(self.named()).items() if count > 1]:
            raise ValueError(f"each column may be named once, got {twice[0]!r} {Counter(self.named())[twice[0]]} times")
        return self


class DataKeys(Section):
    """Keys of a task's data and target.

    ``validation`` is a fraction of the training split that is not trained on. With ``training.evaluate_every`` it judges while
    a model trains; without, it judges at the end in place of the test split.
    """

    kind: Literal["text", "image", "table", "language", "seq2seq", "instructions", "audio"]
    predicts: Literal["class", "classes", "number", "numbers", "transcript"] = "class"
    separator: Annotated[str, Field(min_length=1)] | None = None
    metric: MetricName | None = None
    source: DataSource
    columns: Columns = Field(default_factory=Columns)
    binarize: NonNegativeFloat | None = None
    test: int | float | None = None
    audio: Audio | None = None
    transcript: Transcript | None = Field(default=None, exclude_if=lambda value: value is None)
    image_size: Annotated[int, Field(ge=1, le=8192)] | None = None
    limit: int | float | None = None
    validation: Annotated[float, Field(gt=0, lt=1)] | None = None
    drop_empty: bool = False
    empty_classes: Literal["refuse", "drop"] = "refuse"
    leaks: Literal["report", "refuse", "drop"] = "report"
    max_length: Annotated[int, Field(ge=4)] = 128
    max_target_length: Annotated[int, Field(ge=2)] = 64
    label_noise: LabelNoise | None = None
    long_tail: LongTail | None = None
    duplicates: Duplicates | None = None
    target: TargetSet | None = None
    stream: bool = False
    block: Annotated[int, Field(ge=2)] = 128
    vocabulary: Annotated[int, Field(ge=257)] = 4096
    licence: str
    citation: str

    @field_validator("metric", mode="before")
    @classmethod
    def _nearest_metric(cls, value: object) -> object:
        if isinstance(value, str) and value not in (known := get_args(MetricName)):
            raise ValueError(unknown(repr(value), "metric", value, known))
        return value

    @property
    def classifies(self) -> bool:
        """Whether an example's target is one class."""
        return self.target_kind == "class"

    @property
    def regression(self) -> bool:
        """Whether an example's target is a number, or several."""
        return self.target_kind in ("number", "numbers")

    @property
    def target_kind(self) -> Literal["class", "classes", "number", "numbers", "tokens", "sequence", "transcript"]:
        """What an example's target is."""
        return OWN_TARGETS.get(self.kind, self.predicts)

    @property
    def own_target(self) -> bool:
        """Whether targets are tokens, which come with the inputs and not as labels."""
        return self.target_kind in ("tokens", "sequence", "transcript")

    @property
    def judging_metric(self) -> Metric:
        """The metric that the task's models are judged by."""
        of_kind = METRICS[self.target_kind]
        return replace(of_kind, name=self.metric) if self.metric else of_kind


class TaskKeys(DataKeys):
    """Keys of a task: its data, target, model and training.

    ``time_to`` is a value of the judging metric: a comparison says what each method took until validation first reached it.
    """

    model: Model
    training: Training
    time_to: float | None = Field(default=None, exclude_if=lambda value: value is None)
