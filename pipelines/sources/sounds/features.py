"""Features of sounds: log-mel bands, waveforms, or what a model's own extractor gives."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from components.arrays import Array
from pipelines.config.schema.audio import Audio
from pipelines.config.schema.source import ModelSource
from pipelines.core.errors import UserError
from pipelines.sources import pretrained
from pipelines.sources.sounds.listeners import HOP, WINDOW

if TYPE_CHECKING:
    from transformers import SequenceFeatureExtractor

#: Least power of a band, of full-scale samples: below it there is only the noise of 16 bits.
FLOOR = 1e-6
#: Least samples of a Fourier transform, so that low bands are wider than its bins.
LEAST = 512


class Features(Protocol):
    """Features of sounds of one length.

    Attributes:
        name: for the manifest.
        rate: sampling rate of the sounds, in Hz.
        samples: S, those of a sound; shorter ones are padded with silence.
        own_scale: whether features have a scale that is part of them; else they are standardised by the training split.
    """

    name: str
    rate: int
    samples: int
    own_scale: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sound's features."""

    def __call__(self, sound: Array) -> Array:
        """Return the features of ``sound`` ``(at most S,)``, float32 of ``shape``."""


class LogMel:
    """Natural logarithms of the power in mel bands of overlapping Hann windows, ``(1, bands, frames)``.

    Bands and spectrogram are those of ``transformers.audio_utils``, with the mel scale of HTK.
    """

    name, own_scale = "log-mel", False

    def __init__(self, audio: Audio) -> None:
        """Fit the bands to ``audio``.

        Raises:
            ValueError: for more bands than the spectrogram can tell apart.
        """
        self.rate, self.samples = audio.sampling_rate, round(audio.max_seconds * audio.sampling_rate)
        self._window, self._hop = round(WINDOW * self.rate), round(HOP * self.rate)
        self._fft = max(LEAST, 1 << (self._window - 1).bit_length())
        self.shape = (1, audio.mels, 1 + self.samples // self._hop)
        empty = [n for n in range(audio.mels, 7, -1) if not self._bank(n).any(axis=0).all()]
        if empty:
            raise ValueError(
                f"mels: must be at most {min(empty) - 1} at {self.rate:,} Hz, or a band is narrower than the spectrogram's "
                f"bins, got {audio.mels}; the nearest that works is {min(empty) - 1}"
            )

    def _bank(self, bands: int) -> Array:
        import warnings

        from transformers.audio_utils import mel_filter_bank

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of empty bands, which are refused here
            bank: Array = mel_filter_bank(self._fft // 2 + 1, bands, 0.0, self.rate / 2, self.rate)
        return bank

    @cached_property
    def _parts(self) -> tuple[Array, Array]:
        from transformers.audio_utils import window_function

        return window_function(self._window, "hann"), self._bank(self.shape[1])

    def __call__(self, sound: Array) -> Array:
        """Return the bands of ``sound``."""
        from transformers.audio_utils import spectrogram

        window, bank = self._parts
        padded = np.pad(sound, (0, self.samples - len(sound)))
        sizes = {"frame_length": self._window, "hop_length": self._hop, "fft_length": self._fft}
        found = spectrogram(padded, window, **sizes, power=2.0, mel_filters=bank, mel_floor=FLOOR, log_mel="log")
        return np.asarray(found, np.float32)[None]


class Extracted:
    """Features by an extractor of transformers, float32: waveforms ``(S,)``, or what else it makes of them."""

    own_scale = True

    def __init__(self, extractor: SequenceFeatureExtractor, seconds: float) -> None:
        """Cut and pad sounds to ``seconds``."""
        self.name, self.rate = type(extractor).__name__, int(extractor.sampling_rate)
        self.samples, self._extractor = round(seconds * self.rate), extractor
        # Extractors of waveforms pad if they are asked to; those of spectrograms pad to their model's own length.
        waves = self.name == "Wav2Vec2FeatureExtractor"
        self._padding = {"padding": "max_length", "max_length": self.samples, "truncation": True} if waves else {}

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of the features of a sound of full length."""
        return self(np.zeros(self.samples, np.float32)).shape

    def __call__(self, sound: Array) -> Array:
        """Return the features of ``sound``."""
        # An extractor of spectrograms takes one window at least.
        given = sound if self._padding else np.pad(sound, (0, max(0, round(2 * WINDOW * self.rate) - len(sound))))
        found = self._extractor(given, sampling_rate=self.rate, return_tensors="np", **self._padding)
        return np.asarray(found[self._extractor.model_input_names[0]][0], np.float32)


def features_of(audio: Audio | None, model: ModelSource | None, where: str) -> Features:
    """Return the features by the task's key ``audio``, or by the extractor of its ``model`` of transformers.

    Raises:
        UserError: for features that cannot be had; the message starts with ``where``, the task's key.
    """
    audio = audio or Audio()
    if model is not None:
        return Extracted(pretrained.feature_extractor(model), audio.max_seconds)
    if audio.features == "waveform":
        return waveform(audio)
    try:
        return LogMel(audio)
    except ValueError as error:
        raise UserError(f"{where}.audio.{error}") from None


def waveform(audio: Audio) -> Extracted:
    """Return the features of a model of waveforms without an extractor of its own."""
    from transformers import Wav2Vec2FeatureExtractor

    # With a mask it is the sound that is standardised, and zeros follow; without one also the silence behind it is.
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=audio.sampling_rate, return_attention_mask=True)
    return Extracted(extractor, audio.max_seconds)
