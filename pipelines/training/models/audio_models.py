"""Builders of transformers models of sounds: pretrained with a new head, or untrained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from components.models.normalised import Normalised
from pipelines.config.schema.model import Model, Transformer, Untrained
from pipelines.core.errors import unknown
from pipelines.data.manifest import Manifest
from pipelines.sources import pretrained
from pipelines.training.models import adapters
from pipelines.training.models.pretrained_models import loaded, new_in

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PretrainedConfig, PreTrainedModel

#: Names of a configuration for the sizes of its input: mel bands, and frames.
BANDS, FRAMES = "num_mel_bins", "max_length"


class Heard(Normalised):
    """A transformers model of sounds whose input is called ``input``.

    Log-mel bands ``(B, 1, bands, frames)`` become ``(B, frames, bands)``. Of waveforms ``(B, S)`` that end with zeros, these
    are padding for a ``masked`` model; it hears ``least`` samples at least.
    """

    def __init__(self, body: nn.Module, shape: list[int], *, masked: bool = False) -> None:
        super().__init__(body, shape[-1])
        self.masked = masked
        self.least = reach(body.config) if masked else 0

    def forward(self, input: Tensor) -> Tensor:
        """Return logits ``(B, classes)``."""
        if input.dim() == 4:
            input = input.squeeze(1).transpose(1, 2)
        more = {"attention_mask": self._mask(input)} if self.masked else {}
        return torch.as_tensor(self.body(input, **more).logits)

    def _mask(self, input: Tensor) -> Tensor:
        """Return 1 up to the last sample that is not zero, ``(B, S)`` int64."""
        behind = input.ne(0).long().flip(-1).cumsum(-1).flip(-1)
        start = torch.arange(input.shape[-1], device=input.device) < self.least
        return (behind.gt(0) | start).long()


def reach(config: PretrainedConfig) -> int:
    """Return the samples behind one output of the convolutions of a wav2vec-like model, 1 if there are none."""
    samples, step = 1, 1
    for kernel, stride in zip(getattr(config, "conv_kernel", ()), getattr(config, "conv_stride", ()), strict=True):
        samples, step = samples + (kernel - 1) * step, step * stride
    return samples


def audio_transformer(model: Transformer | Untrained, manifest: Manifest) -> nn.Module:
    """Return the planned transformers model of sounds, with a head for the prepared data.

    Raises:
        UserError: if it or its feature extractor cannot be loaded.
        ValueError: if it does not take the sounds.
    """
    assert manifest.shape is not None, "the manifest of sounds"
    if isinstance(model, Transformer):
        masked = bool(getattr(pretrained.feature_extractor(model.source), "return_attention_mask", False))
        body, found = loaded("AutoModelForAudioClassification", model, _head(manifest) | _depth(model), other_head=True)
    else:
        body, found = _untrained(model, manifest), None
        masked = getattr(body.config, "feat_extract_norm", None) == "layer"
    whole = Heard(body, manifest.shape, masked=masked and len(manifest.shape) == 1)
    _check(whole, manifest)
    if isinstance(model, Transformer) and model.train_layers is not None:
        _freeze(whole, model.train_layers)
    if isinstance(model, Transformer) and model.lora is not None and found is not None:
        adapters.add(body, model.lora, new_in(body, found, head=True))
    return whole


def _head(manifest: Manifest) -> dict[str, object]:
    """Return the settings of the configuration that the task determines.

    Masked spans and left-out layers are drawn from NumPy's global stream, or differ between processes: a stopped training could
    not go on to the same bytes.
    """
    names = dict(enumerate(manifest.classes or manifest.numbers)) or {0: "number"}
    own: dict[str, object] = {"id2label": names, "label2id": {name: i for i, name in names.items()}}
    regression = {"problem_type": "regression"} if manifest.target in ("number", "numbers") else {}
    return own | regression | {"apply_spec_augment": False, "layerdrop": 0.0}


def _depth(model: Transformer) -> dict[str, object]:
    return {"num_hidden_layers": model.num_hidden_layers} if model.num_hidden_layers else {}


def _untrained(model: Untrained, manifest: Manifest) -> PreTrainedModel:
    """Return a model of the configuration ``type``, with the bands and frames of the data if it names them."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES as KNOWN

    pretrained.silence()
    if model.type not in KNOWN:
        raise ValueError(unknown(f"type: {model.type!r}", "transformers model of sounds", model.type, KNOWN))
    config = transformers.AutoConfig.for_model(model.type)
    known = config.to_dict()
    for key in model.options:
        if key not in known:
            raise ValueError(unknown(f"options.{key}", f"setting of {model.type!r}", key, known))
    config = transformers.AutoConfig.for_model(model.type, **_sizes(known, manifest) | model.options | _head(manifest))
    return cast("PreTrainedModel", transformers.AutoModelForAudioClassification.from_config(config, dtype=torch.float32))


def _sizes(known: Mapping[str, object], manifest: Manifest) -> dict[str, int]:
    assert manifest.shape is not None, "the manifest of sounds"
    if len(manifest.shape) != 3 or not {BANDS, FRAMES} <= known.keys():
        return {}
    return dict(zip((BANDS, FRAMES), manifest.shape[1:], strict=True))


def _check(model: Heard, manifest: Manifest) -> None:
    """Check that ``model`` gives the outputs for two sounds of noise, and leave it in training mode.

    Raises:
        ValueError: if it does not take features of that shape.
    """
    shape = manifest.shape or []
    noise = torch.linspace(-1, 1, 2 * int(torch.tensor(shape).prod())).reshape(2, *shape)
    sizes = " x ".join(map(str, shape))
    try:
        with torch.no_grad():
            found = model.eval()(noise)
    except Exception as error:  # models raise anything for features that they do not take
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"does not take features of {sizes}: {reason}; set audio.features or audio.max_seconds") from None
    model.train()
    if found.shape != (2, manifest.outputs):
        raise ValueError(f"must give {manifest.outputs} values for features of {sizes}, got {list(found.shape[1:])}")


def _freeze(model: Heard, layers: int) -> None:
    """Freeze all but the head and the last ``layers`` blocks of the encoder.

    Raises:
        ValueError: if the model has no list of that many blocks.
    """
    body = cast("PreTrainedModel", model.body)
    named = (m for n, m in body.named_modules() if isinstance(m, nn.ModuleList) and n.endswith(("encoder.layer", ".layers")))
    blocks = next(named, nn.ModuleList())
    if layers > (found := len(blocks)):
        raise ValueError(f"train_layers must be in [0, {found}], got {layers}; the nearest that works is {found}")
    kept = {id(p) for block in list(blocks)[found - layers :] for p in block.parameters()}
    model.freeze(p for p in body.base_model.parameters() if id(p) not in kept)


def save(model: Heard, folder: Path, plan: Model) -> None:
    """Write ``model`` into ``folder`` as transformers reads it, a pretrained one with its feature extractor."""
    lora = plan.lora if isinstance(plan, Transformer) else None
    if isinstance(plan, Transformer):
        pretrained.feature_extractor(plan.source).save_pretrained(folder)
    cast("PreTrainedModel", model.body).save_pretrained(folder, state_dict=adapters.merged(model.body) if lora else None)
