"""Models of a plan: built, saved and loaded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipelines.config.schema.model import T5, Gpt, Model, Small, Timm, Transformer, Untrained, Vision
from pipelines.core import artifacts
from pipelines.core.errors import UserError, unknown
from pipelines.data.manifest import Manifest
from pipelines.training.models import adapters, pretrained_models, sequence_models

if TYPE_CHECKING:
    from torch import nn

#: File name of a saved model's weights.
WEIGHTS = "model.safetensors"


def build(model: Model, manifest: Manifest, key: str | None = None) -> nn.Module:
    """Return the planned model with a head for the prepared data.

    ``key`` is its key in params.yaml if not the task's.

    Raises:
        UserError: if a name or folder does not exist, or the model does not accept a setting.
    """
    try:
        return _built(model, manifest)
    except (ValueError, AssertionError, RuntimeError, TypeError) as error:  # torchvision checks its arguments by assertions
        raise UserError(f"params.yaml: {key or 'tasks.' + manifest.task + '.model'}: {error}") from None


def _built(model: Model, manifest: Manifest) -> nn.Module:
    if manifest.target == "transcript":
        from pipelines.training.models.speech_models import speech_transformer

        return speech_transformer(model, manifest)  # type: ignore[arg-type]
    if isinstance(model, Untrained) or (isinstance(model, Transformer) and manifest.kind == "audio"):
        from pipelines.training.models.audio_models import audio_transformer

        return audio_transformer(model, manifest)
    if isinstance(model, Transformer) and manifest.kind == "image":
        from pipelines.training.models.image_models import image_transformer

        return image_transformer(model, manifest, *_of_square(manifest))
    if isinstance(model, Timm):
        from pipelines.training.models.timm_models import timm_model

        return timm_model(model, manifest, *_of_square(manifest))
    if isinstance(model, Transformer) and manifest.kind == "seq2seq":
        return sequence_models.seq2seq(model, manifest)
    if isinstance(model, Transformer):
        return pretrained_models.transformer(model, manifest)
    if isinstance(model, T5):
        return sequence_models.t5(model, manifest)
    if isinstance(model, Gpt):
        return pretrained_models.gpt(model, manifest)
    return _vision(model, manifest) if isinstance(model, Vision) else _small(model, manifest)


def _small(model: Small, manifest: Manifest) -> nn.Module:
    from components.models import small, sounds

    known = {"image": small.SMALL, "table": small.TABLES, "text": small.TEXTS, "audio": sounds.SOUNDS}[manifest.kind]
    sizes, function = _sizes(manifest), known[model.name]
    _check_options(model, function, list(inspect.signature(function).parameters)[: len(sizes) + 1])
    return function(*sizes, manifest.outputs, **model.options)


def _sizes(manifest: Manifest) -> list[int]:
    """Return the data sizes that a small model is built for."""
    if manifest.kind == "image":
        return _of_square(manifest)
    if manifest.kind == "audio":
        return _of_bands(manifest)
    known = manifest.shape if manifest.kind == "table" else [manifest.vocabulary]
    return [size for size in known or [] if size is not None]


def _of_bands(manifest: Manifest) -> list[int]:
    """Return bands and frames of log-mel features."""
    assert manifest.shape is not None, "the manifest of sounds"
    if len(manifest.shape) != 3:
        raise ValueError("takes log-mel bands, got waveforms; set audio.features to 'log-mel'")
    return manifest.shape[1:]


def _of_square(manifest: Manifest) -> list[int]:
    """Return channels and side of the images."""
    assert manifest.shape is not None, "the manifest of images"
    channels, height, width = manifest.shape
    if height != width:
        raise ValueError(f"takes square images, got {height} x {width}; set image_size")
    return [channels, height]


def _check_options(model: Small | Vision, function: Callable[..., object], given: Sequence[str]) -> None:
    """Raise ValueError for an option that ``function`` does not take beside ``given``, or a missing one."""
    known = {name: p for name, p in inspect.signature(function).parameters.items() if name not in given}
    for key in model.options:
        if key not in known:
            raise ValueError(unknown(f"options.{key}", f"option of {model.name!r}", key, known))
    if lacking := [name for name, p in known.items() if p.default is p.empty and name not in model.options]:
        raise ValueError(f"options: {model.name!r} also needs {', '.join(lacking)}")


def _vision(model: Vision, manifest: Manifest) -> nn.Module:
    from torchvision import models as zoo

    from components.models.vision import SIZED, sized, vision

    name, known = model.name, zoo.list_models(module=zoo)
    if name in SIZED:
        _check_options(model, sized(name), ("num_classes", "image_size"))
    elif name not in known:
        raise ValueError(unknown(repr(name), "torchvision model", name, [*known, *SIZED]))
    channels, size = _of_square(manifest)
    return vision(name, channels, size, manifest.outputs, model.options)


def save(model: nn.Module, folder: Path, plan: Model, tokenizer: Path = artifacts.TOKENIZER) -> None:
    """Write ``model`` into ``folder`` as safetensors; a model of transformers or timm as its library reads it.

    A transformers model gets its tokenizer or image processor beside it.

    Of a model with adapters that are not to be merged only they and the head are written, as by peft. ``tokenizer`` is the
    folder of the tokenizer that was kept with the data, if there is one.
    """
    from components.models.normalised import Normalised

    if hasattr(model, "blank"):
        from pipelines.training.models import speech_models

        speech_models.save(model, folder, plan, tokenizer)  # type: ignore[arg-type]
        return
    lora = plan.lora if isinstance(plan, Transformer | Timm) else None
    body = model.body if isinstance(model, Normalised) else model
    if isinstance(plan, Transformer | Timm) and lora is not None and not lora.merged:
        assert plan.source is not None, "the schema wants one beside adapters"
        adapters.save(body, folder, plan.source)
        return
    if isinstance(plan, Untrained) or (isinstance(plan, Transformer) and hasattr(model, "masked")):
        from pipelines.training.models import audio_models

        audio_models.save(model, folder, plan)  # type: ignore[arg-type]
        return
    if isinstance(plan, Transformer) and isinstance(model, Normalised):
        from pipelines.training.models import image_models

        image_models.save(model, folder, plan)
        return
    if isinstance(plan, Transformer | Gpt | T5):
        model.save_pretrained(folder, state_dict=adapters.merged(model) if lora else None)  # type: ignore[operator]
        sequence_models.tokenizer_of(plan, tokenizer).save_pretrained(folder)
        return
    from safetensors.torch import save_file, save_model

    if lora:
        save_file({name: tensor.contiguous() for name, tensor in adapters.merged(body).items()}, folder / WEIGHTS)
    else:
        save_model(body, str(folder / WEIGHTS))


def without_adapters(plan: Model) -> Model:
    """Return the plan of the model that one with adapters is merged to."""
    return plan.model_copy(update={"lora": None}) if isinstance(plan, Transformer | Timm) else plan


def weights_in(folder: Path) -> Path:
    """Return the file of weights that ``save`` wrote into ``folder``."""
    found = folder / adapters.WEIGHTS
    return found if found.exists() else folder / WEIGHTS


def load_weights(model: nn.Module, folder: Path) -> None:
    """Load the weights written by ``save`` into ``model``.

    Raises:
        UserError: if the file is incomplete or belongs to another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, load_model

    from components.models.normalised import Normalised

    body = model.body if isinstance(model, Normalised) else model
    if isinstance(model, Normalised) and hasattr(body, "save_pretrained"):
        from pipelines.training.models import image_models

        image_models.load_weights(model, folder)
        return
    path = weights_in(folder)
    try:
        if path.name == adapters.WEIGHTS:
            adapters.load(body, load_file(path))
        elif adapters.has(body):
            adapters.load_merged(body, load_file(path))
        else:
            load_model(body, str(path))
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise UserError(f"{path}: cannot be loaded: {error}") from None


@contextmanager
def whole(folder: Path, plan: Model, manifest: Manifest, tokenizer: Path = artifacts.TOKENIZER) -> Iterator[Path]:
    """Yield a folder with the whole model saved in ``folder``: itself, or a temporary one with the adapters merged.

    ``tokenizer`` is as for ``save``.
    """
    if not isinstance(plan, Transformer | Timm) or weights_in(folder).name != adapters.WEIGHTS:
        yield folder
        return
    assert plan.lora is not None, "the plan that the adapters were trained by"
    model = build(plan, manifest)
    load_weights(model, folder)
    with TemporaryDirectory(prefix="winnow-") as place:
        merged = plan.model_copy(update={"lora": plan.lora.model_copy(update={"merged": True})})
        save(model, Path(place), merged, tokenizer)
        yield Path(place)
