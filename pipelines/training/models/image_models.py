"""Builders of transformers models of images, pretrained, with a new head."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from components.models.normalised import Normalised, Scale, check_images
from components.models.small import blocks_of, freeze_all_but_last
from pipelines.config.schema.model import Transformer
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest
from pipelines.sources import pretrained
from pipelines.training.models import adapters
from pipelines.training.models.pretrained_models import loaded, new_in

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn
    from transformers import PreTrainedModel


def image_transformer(model: Transformer, manifest: Manifest, channels: int, size: int) -> nn.Module:
    """Return the planned transformers model of images, with a head for the prepared data.

    Raises:
        UserError: if it or its image processor cannot be loaded.
        ValueError: if it does not take the images.
    """
    processor = pretrained.image_processor(model.source)
    built, found = loaded("AutoModelForImageClassification", model, _head(model, manifest), other_head=True)
    _check(built, model, set(found["missing_keys"]))
    own = _channels(built, channels)
    scale = Scale(processor.mean, processor.deviation).of_channels(own)
    whole = Normalised(built, size, given(manifest), scale, **_resized_positions(built, size))
    check_images(whole, channels, size, manifest.outputs)
    if model.train_layers is not None:
        _freeze(whole, model.train_layers)
    if model.lora is not None:
        adapters.add(built, model.lora, new_in(built, found, head=True))
    return whole


def given(manifest: Manifest) -> Scale:
    """Return the mean and deviation that ``Images`` normalises by."""
    assert manifest.mean is not None
    assert manifest.deviation is not None
    return Scale([manifest.mean], [max(manifest.deviation, 1e-6)])


def _head(model: Transformer, manifest: Manifest) -> dict[str, object]:
    """Return the settings of the model's configuration that the task determines."""
    names = dict(enumerate(manifest.classes or manifest.labels or manifest.numbers)) or {0: "number"}
    head: dict[str, object] = {"id2label": names, "label2id": {name: i for i, name in names.items()}}
    if manifest.target in ("number", "numbers"):
        head["problem_type"] = "regression"
    if manifest.target == "classes":
        head["problem_type"] = "multi_label_classification"
    if model.num_hidden_layers:
        head["num_hidden_layers"] = model.num_hidden_layers
    return head


def _check(built: PreTrainedModel, model: Transformer, missing: set[str]) -> None:
    """Raise an error for a body without weights, or one that has not the planned number of blocks."""
    if lacking := sorted(name for name in missing if name.startswith(f"{built.base_model_prefix}.")):
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        origin, _ = pretrained.location(model.source)
        raise UserError(f"{origin}: its weights are another model's than its config.json says: they lack {lacking[0]}{more}")
    found = len(blocks_of(built)[1])
    if model.num_hidden_layers and model.num_hidden_layers != found:
        raise ValueError(
            f"num_hidden_layers: must be the {found} blocks of this model or left out, got {model.num_hidden_layers}"
        )


def _channels(built: PreTrainedModel, channels: int) -> int:
    """Return the channels that the model takes; grey images are repeated.

    Raises:
        ValueError: if it takes grey images alone, and these are in colour.
    """
    own = int(getattr(built.config, "num_channels", channels))
    if channels not in (1, own):
        raise ValueError(f"takes images of {own} channels, got {channels}")
    return own


def _resized_positions(built: PreTrainedModel, size: int) -> dict[str, bool]:
    """Return the argument that fits the positions to images of ``size``, if the model needs it."""
    own = getattr(built.config, "image_size", size)
    takes = "interpolate_pos_encoding" in inspect.signature(built.forward).parameters
    return {"interpolate_pos_encoding": True} if takes and own not in (size, [size, size]) else {}


def _freeze(model: Normalised, layers: int) -> None:
    """Freeze all but the last ``layers`` blocks and what is above them; at 0 all but the head."""
    body: PreTrainedModel = model.body
    if not layers:
        model.freeze(body.base_model.parameters())
        return
    freeze_all_but_last(body, layers)
    model.freeze(p for p in body.parameters() if not p.requires_grad)


def save(model: Normalised, folder: Path, plan: Transformer) -> None:
    """Write ``model`` into ``folder`` as transformers reads it, with an image processor for its size."""
    origin, options = pretrained.location(plan.source)
    processor = pretrained.load_processor(origin, options)
    processor.size = {"height": model.size, "width": model.size}
    processor.save_pretrained(folder)
    model.body.save_pretrained(folder, state_dict=adapters.merged(model.body) if plan.lora else None)  # type: ignore[operator]


def load_weights(model: Normalised, folder: Path) -> None:
    """Load the weights written by ``save``, which renames those of some models, or adapters.

    Raises:
        UserError: if they cannot be read.
    """
    from safetensors.torch import load_file

    pretrained.silence()
    body = model.body
    try:
        if (alone := folder / adapters.WEIGHTS).exists():
            adapters.load(body, load_file(alone))
            return
        saved = type(body).from_pretrained(folder, use_safetensors=True).state_dict()  # type: ignore[attr-defined]
        if adapters.has(body):
            adapters.load_merged(body, saved)
        else:
            body.load_state_dict(saved)
    except Exception as error:  # a truncated file raises its reader's own error
        raise UserError(f"{folder}: cannot be loaded: {str(error).partition(chr(10))[0]}") from None
