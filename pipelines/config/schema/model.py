"""Models that a task may name."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from pipelines.config.schema.sections import Section, Share
from pipelines.config.schema.source import ModelSource


class Lora(Section):
    """Low-rank adapters of a pretrained model, which are trained with its head; all else is frozen.

    ``rank`` is that of each adapter, whose output is multiplied by ``alpha / rank``. ``targets`` are names of modules, or ends
    of their names; by default those that peft takes for the architecture. A ``merged`` model is saved whole.
    """

    rank: PositiveInt = 8
    alpha: PositiveFloat = 16.0
    dropout: Share = 0.0
    targets: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] | None = None
    merged: bool = False


class Transformer(Section):
    """A transformers model with a head for the task; all but the last ``train_layers`` layers are frozen."""

    family: Literal["transformers"]
    source: ModelSource
    num_hidden_layers: PositiveInt | None = None
    train_layers: NonNegativeInt | None = None
    lora: Lora | None = None


class Timm(Section):
    """A model of timm with a head for the task; untrained without a ``source`` of weights.

    A weights file in safetensors or PyTorch's format is read without its pickles; ``keys: by-order`` takes the tensors of
    another library's file in their order. ``options`` are further arguments of ``timm.create_model``. All but the last
    ``train_layers`` layers, of those that timm divides the model into, are frozen. With ``lora`` adapters are trained in the
    place of weights.
    """

    family: Literal["timm"]
    name: str
    source: ModelSource | None = None
    keys: Literal["by-name", "by-order"] = "by-name"
    options: dict[str, int | float | str | list[int]] = Field(default_factory=dict)
    train_layers: NonNegativeInt | None = None
    lora: Lora | None = Field(default=None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _keys_are_of_weights(self) -> Timm:
        for key in ("keys", "train_layers", "lora"):
            if self.source is None and getattr(self, key) not in (None, "by-name"):
                raise ValueError(f"{key}: is for pretrained weights, and there is no source; name one, or leave {key} out")
        return self


class Vision(Section):
    """An untrained torchvision model, with a stem that fits the images; ``vit`` and ``swin`` take any size."""

    family: Literal["torchvision"]
    name: str
    options: dict[str, int | float | str | list[int]] = Field(default_factory=dict)


class Small(Section):
    """A model for CPUs; ``options`` are further arguments of its function in components/models/small.py."""

    family: Literal["small"]
    name: Literal["lenet", "cnn", "mlp", "table-mlp", "bag", "mel-cnn"]
    options: dict[str, int | float | list[int]] = Field(default_factory=dict)


class Sized(Section):
    """Size of an untrained transformer."""

    layers: PositiveInt
    width: PositiveInt
    heads: PositiveInt
    dropout: Share = 0.1

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            nearest = max(1, round(self.width / self.heads)) * self.heads
            raise ValueError(
                f"width: must be a multiple of the {self.heads} heads, got {self.width}; the nearest that works is {nearest}"
            )
        return self


class Gpt(Sized):
    """An untrained GPT-2 of any size, with the task's block length and vocabulary."""

    family: Literal["gpt"]


class T5(Sized):
    """An untrained T5 of any size with the task's vocabulary; ``layers`` in the encoder, and as many in the decoder."""

    family: Literal["t5"]


class Untrained(Section):
    """An untrained transformers model of sounds, of the configuration ``type`` with ``options``; its sizes follow the data."""

    family: Literal["untrained"]
    type: str
    options: dict[str, int | float | str | list[int]] = Field(default_factory=dict)


Model = Annotated[Transformer | Timm | Vision | Small | Gpt | T5 | Untrained, Field(discriminator="family")]
