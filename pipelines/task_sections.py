"""A task as params.yaml says it: what is learnt, from what, by which model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from pipelines.sections import Section, Share, Training
from pipelines.source_sections import DataSource, ModelSource


class LabelNoise(Section):
    """A fraction of the training labels, each replaced by another class."""

    fraction: Share
    seed: int = 0


class Transformer(Section):
    """A sequence classifier of the transformers library; ``train_layers`` freezes all below the last so many."""

    family: Literal["transformers"]
    source: ModelSource
    num_hidden_layers: PositiveInt | None = None
    train_layers: NonNegativeInt | None = None


class Vision(Section):
    """A torchvision model by name, untrained, with a stem that fits the images."""

    family: Literal["torchvision"]
    name: str
    options: dict[str, int | float | str | list[int]] = Field(default_factory=dict)


class Small(Section):
    """A model for CPUs."""

    family: Literal["small"]
    name: Literal["lenet", "cnn", "mlp"]


Model = Annotated[Transformer | Vision | Small, Field(discriminator="family")]


class Task(Section):
    """What is learnt, from what, by which model."""

    kind: Literal["text", "image"]
    source: DataSource
    columns: dict[Literal["text", "text_pair", "image", "label"], str] = Field(default_factory=dict)
    binarize: NonNegativeFloat | None = None
    test: int | float | None = None
    image_size: PositiveInt | None = None
    limit: PositiveInt | None = None
    max_length: Annotated[int, Field(ge=4)] = 128
    label_noise: LabelNoise | None = None
    licence: str
    citation: str
    model: Model
    training: Training

    @model_validator(mode="after")
    def _source_fits_kind(self) -> Task:
        tabular = self.source.source in ("hub", "files", "package")
        if self.kind == "image" and self.source.source in ("files", "package"):
            raise ValueError(f"source.from: {self.source.source!r} holds texts; images: hub, folder, idx, scikit-learn")
        if self.kind == "text" and not tabular:
            raise ValueError(f"source.from: {self.source.source!r} holds images; texts come from hub, files or package")
        allowed = {"label", "image"} if self.kind == "image" else {"label", "text", "text_pair"}
        if tabular and (not {self.kind, "label"} <= set(self.columns) or not set(self.columns) <= allowed):
            raise ValueError(f"columns: must name '{self.kind}' and 'label', got {', '.join(self.columns) or 'none'}")
        if self.test is not None and not (self.test >= 1 if isinstance(self.test, int) else 0 < self.test < 1):
            raise ValueError(f"test: must be a number of rows, 1 or more, or a fraction in (0, 1), got {self.test!r}")
        return self
