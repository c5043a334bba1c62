"""Builders of transformers models that transcribe sounds, by connectionist temporal classification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from components.models.normalised import Normalised
from components.models.sounds import silenced
from pipelines.config.schema.model import Model, Transformer, Untrained
from pipelines.data.manifest import Manifest
from pipelines.sources import pretrained
from pipelines.sources.sounds import listeners
from pipelines.training.models.pretrained_models import loaded

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, SequenceFeatureExtractor

#: Parts of transformers' models above the encoder.
HEADS = ("lm_head.", "ctc_head.")
#: Frames that a model is tried with, and how much padding may change their logits.
TRIED, NEARLY = 12, 1e-3


class Transcriber(Normalised):
    """A transformers model that hears tokens in sounds ``input`` of a ``length`` each; padding changes nothing.

    Convolutions over frames see zeros behind a sound's last one, as they do behind that of a sound alone. A model whose first
    layer is normed over all moments (``feat_extract_norm: group``) has no mask for these, and hears sounds one by one.
    """

    def __init__(self, body: nn.Module, blank: int, extractor: SequenceFeatureExtractor | None = None) -> None:
        super().__init__(body, 0)
        self.blank, self.extractor = blank, extractor
        self.alone = getattr(body.config, "feat_extract_norm", None) == "group"
        self.frames = next(getattr(body, name) for name in listeners.FRAMES if hasattr(body, name))
        self._there: Tensor | None = None
        for name, module in body.named_modules():
            if isinstance(module, nn.Conv1d) and module.kernel_size[0] > 1 and "feature_extractor" not in name.split("."):
                module.register_forward_pre_hook(self._without_padding)

    def _without_padding(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Return the input ``(B, channels, frames)`` of a convolution with zeros behind each last frame."""
        there = self._there
        if there is None or there.shape[-1] != inputs[0].shape[-1]:
            return None
        return (inputs[0] * there[:, None].to(inputs[0].dtype), *inputs[1:])

    @override
    def forward(self, input: Tensor, length: Tensor) -> Tensor:  # type: ignore[override]
        """Return logits ``(B, frames, tokens)``, sure of the blank behind a sound's last frame."""
        frames = self.frames(length).to(torch.int64)
        heard = self._one_by_one(input, length) if self.alone else self._together(input, length, frames)
        return silenced(heard.float(), frames, self.blank)

    def _together(self, input: Tensor, length: Tensor, frames: Tensor) -> Tensor:
        mask = torch.arange(input.shape[1], device=input.device) < length[:, None]
        self._there = torch.arange(int(self.frames(torch.tensor(input.shape[1]))), device=input.device) < frames[:, None]
        try:
            return torch.as_tensor(self.body(input, attention_mask=mask.long()).logits)
        finally:
            self._there = None

    def _one_by_one(self, input: Tensor, length: Tensor) -> Tensor:
        each = [self.body(row[None, :size]).logits[0] for row, size in zip(input, length.tolist(), strict=True)]
        return nn.utils.rnn.pad_sequence(each, batch_first=True)


def speech_transformer(model: Transformer | Untrained, manifest: Manifest) -> Transcriber:
    """Return the planned transformers model, with a head for the prepared transcripts.

    Raises:
        UserError: if it cannot be loaded.
        ValueError: if it does not take the sounds, or padding changes what it hears.
    """
    assert manifest.shape is not None, "the manifest of sounds"
    assert manifest.pad is not None, "the manifest of transcripts"
    head = {"vocab_size": manifest.vocabulary, "pad_token_id": manifest.pad}
    body: Any
    if isinstance(model, Untrained):
        from transformers import AutoModelForCTC

        bands = manifest.shape[1] if len(manifest.shape) > 1 else None
        body = AutoModelForCTC.from_config(listeners.untrained(model, bands, **head), dtype=torch.float32)
    else:
        depth: dict[str, object] = {"num_hidden_layers": model.num_hidden_layers} if model.num_hidden_layers else {}
        body, _ = loaded("AutoModelForCTC", model, depth | head | listeners.STILL, other_head=True)
        _still(body)
    _refuse_norms(body.config, body)
    whole = Transcriber(body, manifest.pad, _extractor(model, manifest))
    _check(whole, manifest)
    if isinstance(model, Transformer) and model.train_layers is not None:
        _freeze(whole, model.train_layers)
    return whole


def _still(body: PreTrainedModel) -> None:
    """Leave no layer out by chance, also where an encoder has settings of its own."""
    for module in body.modules():
        if isinstance(getattr(module, "layerdrop", None), float):
            module.layerdrop = 0.0


def _refuse_norms(config: PretrainedConfig, body: PreTrainedModel) -> None:
    """Raise ValueError for a model that hears sounds one by one and has statistics of batches."""
    batch = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in body.modules())  # noqa: SLF001
    if batch and getattr(config, "feat_extract_norm", None) == "group":
        raise ValueError(
            "options.feat_extract_norm: 'group' norms over padding, and a batch norm needs sounds together; one that works is "
            "'layer'"
        )


def _check(model: Transcriber, manifest: Manifest) -> None:
    """Check what ``model`` hears in two sounds of noise, together and alone, and leave it in training mode.

    Raises:
        ValueError: if it does not take such sounds, or hears other tokens or frames.
    """
    shape = manifest.shape or []
    sizes = " x ".join(map(str, shape))
    long = _moments(model, shape[0])
    length = torch.tensor([long, 2 * long // 3])
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(2, long, *shape[1:])).astype(np.float32))
    noise[1, length[1] :] = 0
    try:
        with torch.no_grad():
            model.eval()
            both, alone = model(noise, length), model(noise[1:, : length[1]], length[1:])[0]
    except Exception as error:  # models raise anything for features that they do not take
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"does not take features of {sizes}: {reason}; set audio.features or audio.mels") from None
    model.train()
    wanted = (2, int(model.frames(length[:1])), manifest.vocabulary)
    if both.shape != wanted:
        raise ValueError(f"must hear {wanted[1]} frames of {wanted[2]} tokens in {long} moments, got {list(both.shape[1:])}")
    if not torch.allclose(both[1, : len(alone)], alone, atol=NEARLY, rtol=NEARLY):
        raise ValueError(
            f"hears other tokens in a sound that is padded ({type(model.body).__name__}); one that works: wav2vec2"
        )


def _moments(model: Transcriber, most: int) -> int:
    """Return as many moments of a sound as ``TRIED`` frames have, at most ``most``."""
    moments = 2
    while moments < most and int(model.frames(torch.tensor([moments]))) < TRIED:
        moments *= 2
    return min(moments, most)


def _freeze(model: Transcriber, layers: int) -> None:
    """Freeze all but the head and the last ``layers`` blocks of the encoder.

    Raises:
        ValueError: if the model has no list of that many blocks.
    """
    lists = (m for n, m in model.body.named_modules() if isinstance(m, nn.ModuleList) and n.endswith(".layers"))
    # Lists of unlike layers are those of convolutions in front of the encoder.
    blocks = next((found for found in lists if len({type(block) for block in found}) == 1), nn.ModuleList())
    if layers > (found := len(blocks)):
        raise ValueError(f"train_layers must be in [0, {found}], got {layers}; the nearest that works is {found}")
    kept = {id(p) for block in list(blocks)[found - layers :] for p in block.parameters()}
    kept |= {id(p) for n, p in model.body.named_parameters() if n.startswith(HEADS)}
    model.freeze(p for p in model.body.parameters() if id(p) not in kept)


def _extractor(plan: Model, manifest: Manifest) -> SequenceFeatureExtractor:
    """Return the feature extractor of the planned model and the prepared sounds."""
    if isinstance(plan, Transformer):
        return pretrained.feature_extractor(plan.source)
    assert manifest.audio is not None, "the manifest of sounds"
    assert manifest.shape is not None, "the manifest of sounds"
    return listeners.extractor_of(manifest.audio.features, manifest.audio.sampling_rate, manifest.shape[-1])


def save(model: Transcriber, folder: Path, plan: Model, tokenizer: Path) -> None:
    """Write ``model`` into ``folder`` as transformers reads it, with its tokenizer and feature extractor.

    ``tokenizer`` is the folder of the one made of the training split, if there is one.
    """
    assert model.extractor is not None, "a model as it is built"
    model.extractor.save_pretrained(folder)
    tokenizer_of(plan, tokenizer).save_pretrained(folder)
    cast("PreTrainedModel", model.body).save_pretrained(folder)


def tokenizer_of(plan: Model, trained: Path) -> Any:  # noqa: ANN401 - a tokenizer of transformers
    """Return the tokenizer of the training split's characters in the folder ``trained``, or the planned model's own."""
    if trained.exists() or not isinstance(plan, Transformer):
        return pretrained.tokenizer_in(trained)
    return pretrained.tokenizer(plan.source)
