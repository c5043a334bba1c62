"""The planned model: built, written and read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import artifacts
from pipelines.core.errors import UserError, unknown
from pipelines.sources import pretrained

if TYPE_CHECKING:
    from torch import nn

#: What every saved model's weights are called.
WEIGHTS = "model.safetensors"


def build(model: dict[str, Any], manifest: dict[str, Any], key: str | None = None) -> nn.Module:
    """Return the planned model with a head for what the prepared data ask for; ``key`` names it where it is not the task's.

    Raises:
        UserError: for a name or folder that is not there, or a setting that the model cannot take.
    """
    try:
        return FAMILIES[model["family"]](model, manifest)
    except (ValueError, AssertionError, RuntimeError, TypeError) as error:  # torchvision asserts what fits its models
        raise UserError(f"params.yaml: {key or 'tasks.' + manifest['task'] + '.model'}: {error}") from None


def _small(model: dict[str, Any], manifest: dict[str, Any]) -> nn.Module:
    from components.models import small

    known, sizes_of = {
        "image": (small.SMALL, _of_square),
        "table": (small.TABLES, lambda manifest: manifest["shape"]),
        "text": (small.TEXTS, lambda manifest: [manifest["vocabulary"]]),
    }[manifest["kind"]]
    sizes, function = sizes_of(manifest), known[model["name"]]
    _check_options(model, function, list(inspect.signature(function).parameters)[: len(sizes) + 1])
    return function(*sizes, manifest["outputs"], **model["options"])


def _of_square(manifest: dict[str, Any]) -> list[int]:
    """Return channels and side of the images."""
    channels, height, width = manifest["shape"]
    if height != width:
        raise ValueError(f"takes square images, got {height} x {width}; set image_size")
    return [channels, height]


def _check_options(model: dict[str, Any], function: Callable[..., object], given: Sequence[str]) -> None:
    """Refuse an option that ``function`` does not take beside the arguments ``given``, and the lack of one that it needs."""
    known = {name: p for name, p in inspect.signature(function).parameters.items() if name not in given}
    for key in model["options"]:
        if key not in known:
            raise ValueError(unknown(f"options.{key}", f"option of {model['name']!r}", key, known))
    if lacking := [name for name, p in known.items() if p.default is p.empty and name not in model["options"]]:
        raise ValueError(f"options: {model['name']!r} also needs {', '.join(lacking)}")


def _vision(model: dict[str, Any], manifest: dict[str, Any]) -> nn.Module:
    from torchvision import models as zoo

    from components.models.vision import SIZED, sized, vision

    name, known = model["name"], zoo.list_models(module=zoo)
    if name in SIZED:
        _check_options(model, sized(name), ("num_classes", "image_size"))
    elif name not in known:
        raise ValueError(unknown(repr(name), "torchvision model", name, [*known, *SIZED]))
    channels, size = _of_square(manifest)
    return vision(name, channels, size, manifest["outputs"], model["options"])


#: How a model of each family is built, from its plan and the manifest.
FAMILIES: dict[str, Callable[[dict[str, Any], dict[str, Any]], nn.Module]] = {
    "transformers": pretrained.transformer,
    "gpt": pretrained.gpt,
    "torchvision": _vision,
    "small": _small,
}


def save(model: nn.Module, folder: Path, plan: dict[str, Any]) -> None:
    """Write ``model`` into ``folder`` as safetensors; one of the transformers library in its own format, tokenizer included."""
    if plan["family"] in ("transformers", "gpt"):
        model.save_pretrained(folder)  # type: ignore[operator]
        source = plan.get("source")
        own = pretrained.tokenizer_in(artifacts.TOKENIZER) if source is None else pretrained.tokenizer(source)
        own.save_pretrained(folder)
        return
    from safetensors.torch import save_model

    save_model(model, str(folder / WEIGHTS))


def load_weights(model: nn.Module, folder: Path) -> None:
    """Fill ``model`` with the weights that ``save`` wrote.

    Raises:
        UserError: where the file is not whole, or is of another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    path = folder / WEIGHTS
    try:
        load_model(model, str(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be loaded: {error}") from None
