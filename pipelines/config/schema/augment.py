"""Augmentation of images in training steps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, model_serializer, model_validator

from pipelines.config.schema.sections import Section

Probability = Annotated[float, Field(ge=0, le=1)]


class Crop(Section):
    """A random cut of the image's size out of the image with ``padding`` black pixels on each side."""

    padding: NonNegativeInt = 4


class Flip(Section):
    """Mirroring, left to right, with probability ``p``."""

    p: Probability = 0.5


class RandAugment(Section):
    """``operations`` random ones of 14, each of the same ``magnitude`` (arXiv 1909.13719)."""

    operations: PositiveInt = 2
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9


class Erase(Section):
    """A random black rectangle with probability ``p`` (arXiv 1708.04896)."""

    p: Probability = 0.25


Given = Crop | Flip | RandAugment | Erase


class Transform(Section):
    """One transform with its arguments, which may be none: ``flip: {}``."""

    crop: Crop | None = None
    flip: Flip | None = None
    rand_augment: RandAugment | None = Field(None, alias="rand-augment")
    erase: Erase | None = None

    @property
    def given(self) -> Given:
        """The transform that is named."""
        found = self.crop or self.flip or self.rand_augment or self.erase
        assert found is not None
        return found

    @model_serializer
    def _named_alone(self) -> dict[str, Given]:
        names = {name: field.alias or name for name, field in type(self).model_fields.items()}
        return {names[name]: value for name, value in vars(self).items() if value is not None}

    @model_validator(mode="before")
    @classmethod
    def _with_arguments(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"must be a name with its arguments, got {value!r}; the nearest that works is '{value}: {{}}'")
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> Transform:
        if (named := sum(value is not None for value in vars(self).values())) != 1:
            raise ValueError(f"must name one transform, got {named}; the least that works is 'flip: {{}}'")
        return self


def padding_error(transforms: list[Transform], side: int) -> str | None:
    """Return the error of the first ``padding`` that is not below the images' shorter ``side``, None if there is none."""
    for place, transform in enumerate(transforms):
        if transform.crop is not None and transform.crop.padding >= side:
            return (
                f"training.augment.{place}.crop.padding: must be under the {side} pixels of an image's side, "
                f"got {transform.crop.padding}; the nearest that works is {side - 1}"
            )
    return None
