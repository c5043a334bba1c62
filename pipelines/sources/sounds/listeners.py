"""Models that hear tokens in sounds: configurations and extractors of untrained ones, and their frames."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array
from pipelines.config.schema.model import Untrained
from pipelines.core.errors import unknown
from pipelines.sources import pretrained

if TYPE_CHECKING:
    from transformers import PretrainedConfig, SequenceFeatureExtractor

#: Methods of transformers' models from a number of moments to that of frames.
FRAMES = ("_get_feat_extract_output_lengths", "_get_subsampling_output_length")
#: Names of a configuration for the number of bands, and for an encoder's own settings inside it.
BANDS, ENCODER = ("num_mel_bins", "feature_projection_input_dim"), "encoder_config"
#: Extractors of transformers by the key ``audio.features``.
EXTRACTORS = {"log-mel": "ParakeetFeatureExtractor", "waveform": "Wav2Vec2FeatureExtractor"}
#: Seconds of a window of log-mel bands, and between the starts of two.
WINDOW, HOP = 0.025, 0.010
#: Settings that leave no layer or span of a sound out by chance: these are drawn from NumPy's global stream, or differ between
#: processes, and a stopped training could not go on to the same bytes.
STILL: dict[str, object] = {"apply_spec_augment": False, "layerdrop": 0.0}


def untrained(model: Untrained, bands: int | None, **head: object) -> PretrainedConfig:
    """Return the configuration of an untrained model of sounds of so many ``bands``, None for waveforms.

    Options that are its encoder's are given to this; ``head`` are settings that the task determines.

    Raises:
        ValueError: for a type or option that transformers does not know.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES as KNOWN

    pretrained.silence()
    if model.type not in KNOWN:
        raise ValueError(unknown(f"type: {model.type!r}", "transformers model of transcripts", model.type, KNOWN))
    whole = AutoConfig.for_model(model.type).to_dict()
    inner = whole.get(ENCODER) or {}
    for key in model.options:
        if key not in whole | inner:
            raise ValueError(unknown(f"options.{key}", f"setting of {model.type!r}", key, {**whole, **inner}))
    sizes: dict[str, object] = {} if bands is None else dict.fromkeys(BANDS, bands)
    given = {key: value for key, value in (sizes | STILL | model.options).items() if key in whole | inner}
    nested = {ENCODER: {key: value for key, value in given.items() if key in inner}} if inner else {}
    own = {key: value for key, value in given.items() if key in whole and key not in inner}
    return AutoConfig.for_model(model.type, **own, **nested, **head)


def frames_of(config: PretrainedConfig) -> Callable[[Array], Array]:
    """Return the function from moments of sounds ``(N,)`` to the frames ``(N,)`` that a model of ``config`` hears tokens in.

    Raises:
        ValueError: for a model that transformers has no such function of.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING as KNOWN

    model = KNOWN.get(type(config), None)
    name = next((name for name in FRAMES if hasattr(model, name)), None)
    if model is None or name is None:
        raise ValueError(
            f"must be one that hears tokens in frames (AutoModelForCTC), such as wav2vec2, got {config.model_type!r}"
        )

    def frames(moments: Array) -> Array:
        import torch

        # Of the model itself it reads the configuration alone.
        found = getattr(model, name)(SimpleNamespace(config=config), torch.from_numpy(np.asarray(moments, np.int64)))
        return np.asarray(found.clamp(min=0).numpy(), np.int64)

    return frames


def extractor_of(name: str, rate: int, bands: int) -> SequenceFeatureExtractor:
    """Return the extractor of a model without its own: of waveforms, or of log-mel ``bands``, every 10 ms of 25 ms."""
    import transformers

    if name == EXTRACTORS["waveform"]:
        return transformers.Wav2Vec2FeatureExtractor(sampling_rate=rate, return_attention_mask=True)
    window, hop = round(WINDOW * rate), round(HOP * rate)
    sizes = {"win_length": window, "hop_length": hop, "n_fft": max(512, 1 << (window - 1).bit_length())}
    return transformers.ParakeetFeatureExtractor(feature_size=bands, sampling_rate=rate, **sizes)
