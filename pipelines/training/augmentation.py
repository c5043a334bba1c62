"""Planned augmentation of images, as the transforms that training steps apply."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pipelines.config.schema import augment
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest

if TYPE_CHECKING:
    from components.tasks.augmentation import Transform
    from components.tasks.examples import Examples


def in_steps(
    planned: list[augment.Transform], examples: Examples, seed: int, manifest: Manifest
) -> Callable[[int], Examples] | None:
    """Return a function from an epoch to ``examples`` as its steps see them; None without ``planned`` transforms.

    Raises:
        UserError: if the images of ``manifest`` are too small.
    """
    if not planned:
        return None
    from components.tasks.augmentation import Augmentation
    from components.tasks.image import Images

    assert manifest.shape is not None
    assert isinstance(examples, Images)
    if message := augment.padding_error(planned, min(manifest.shape[1:])):
        raise UserError(f"params.yaml: tasks.{manifest.task}.{message}")
    return partial(examples.augmented, Augmentation([_built(transform.given) for transform in planned], seed))


def _built(given: augment.Given) -> Transform:
    """Return the transform of a section, whose arguments are those of the class of the same name."""
    from components.tasks import augmentation

    built: Transform = getattr(augmentation, type(given).__name__)(**given.model_dump())
    return built
