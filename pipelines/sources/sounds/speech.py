"""Sounds with transcripts: features of each one's own length, and whether tokens fit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from typing_extensions import override

from components.arrays import Array
from pipelines.config.schema.audio import Audio
from pipelines.config.schema.source import ModelSource
from pipelines.core.errors import UserError
from pipelines.sources import pretrained
from pipelines.sources.picture_decoding import Item
from pipelines.sources.pixel_writer import blocks, offset_of
from pipelines.sources.sounds.decoding import decoded
from pipelines.sources.sounds.listeners import EXTRACTORS, extractor_of
from pipelines.sources.sounds.writer import Sounds

if TYPE_CHECKING:
    from transformers import SequenceFeatureExtractor

#: Columns of a sound's moments, and of the frames that tokens are heard in.
LENGTH, FRAMES = "length", "frames"
#: Most seconds of a sound that are decoded to say how long it is.
LONGEST = 600


class Alone:
    """Features by an extractor of transformers of a sound alone, as long as it is: ``(time, bands)`` or ``(time,)`` float32.

    Attributes:
        name: of the extractor's class.
        rate: sampling rate of the sounds, in Hz.
        samples: most of a sound.
        own_scale: True, since each sound is scaled by itself.
        shape: of the features of a sound of so many samples.
    """

    own_scale = True

    def __init__(self, extractor: SequenceFeatureExtractor, seconds: float) -> None:
        """Extract features of sounds of at most ``seconds``."""
        self.name, self.rate, self._extractor = type(extractor).__name__, int(extractor.sampling_rate), extractor
        self.samples = math.floor(seconds * self.rate)
        self.shape = self(np.zeros(self.samples, np.float32)).shape

    def __call__(self, sound: Array) -> Array:
        """Return the features of ``sound``, without what the extractor pads."""
        more = {"return_tensors": "np", "return_attention_mask": True, "padding": True}
        # A list, since some extractors take an array for a batch.
        found = self._extractor([sound], sampling_rate=self.rate, **more)
        values = np.asarray(found[self._extractor.model_input_names[0]][0], np.float32)
        mask = found.get("attention_mask")
        return values if mask is None else values[: int(np.asarray(mask[0]).sum())]


def features_alone(audio: Audio | None, model: ModelSource | None, where: str) -> Alone:
    """Return the features by the key ``audio`` of the task ``where``, or by the extractor of its pretrained ``model``.

    Raises:
        UserError: for features that cannot be had.
    """
    audio = audio or Audio()
    if model is not None:
        return Alone(pretrained.feature_extractor(model), audio.max_seconds)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # of bands narrower than the spectrum's bins
        try:
            extractor = extractor_of(EXTRACTORS[audio.features], audio.sampling_rate, audio.mels)
        except UserWarning:
            raise UserError(
                f"{where}.audio.mels: must be fewer at {audio.sampling_rate:,} Hz, or a band is narrower than the spectrum's "
                f"bins, got {audio.mels}; one that works is {most_bands(audio)}"
            ) from None
    return Alone(extractor, audio.max_seconds)


def most_bands(audio: Audio) -> int:
    """Return the largest number of log-mel bands, up to that of ``audio``, of which none is empty."""
    import warnings

    for bands in range(audio.mels, 8, -1):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            extractor_of(EXTRACTORS["log-mel"], audio.sampling_rate, bands)
        if not told:
            return bands
    return 8


class Spoken(Sounds):
    """N audio files with transcripts: their features are stored with their lengths, zeros behind them.

    Attributes:
        moments_to_frames: by the task's model.
        needed: ``(N,)`` frames that each transcript needs; encoding sets both before anything is written.
    """

    moments_to_frames: Callable[[Array], Array]
    needed: Array

    def __init__(self, count: int, item: Callable[[int], Item], features: Alone, where: str) -> None:
        """Write the ``features`` of ``item(id)`` for ``count`` ids; ``where`` is the task's key in errors."""
        super().__init__(count, item, features)
        self._alone, self._where = features, where

    @override
    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the features of ``ids`` at ``offset`` of an existing file, and their lengths and frames into its columns.

        Raises:
            UserError: naming the first that cannot be used, or whose transcript does not fit.
        """
        changes: Counter[str] = Counter()
        lengths = np.zeros(len(ids), np.int32)
        with path.open("r+b") as file:
            file.seek(offset)
            for part in blocks(len(ids), self.shape):
                rows = np.zeros((part.stop - part.start, *self.shape), np.float32)
                for row, i in zip(range(part.start, part.stop), ids[part], strict=True):
                    found = self._features(self._item(int(i)), changes)
                    rows[row - part.start, : len(found)] = found
                    lengths[row] = len(found)
                file.write(rows.data)
        frames = self.moments_to_frames(lengths).astype(np.int32)
        self._check(ids, frames)
        for column, values in ((LENGTH, lengths), (FRAMES, frames)):
            with path.open("r+b") as file:
                file.seek(offset_of(path, column))
                file.write(values.data)
        return changes

    @override
    def _features(self, item: Item, changes: Counter[str]) -> Array:
        most, own = self._alone.samples, Counter[str]()
        sound = decoded(item, self._alone.rate, most, own)
        if any("longer than max_seconds" in what for what in own):
            raise self._too_long(item)
        changes += own
        with np.errstate(all="ignore"):
            found = self._alone(sound)[: self.shape[0]]
        if not len(found) or not np.isfinite(found).all():
            raise UserError(f"sound {item.where}: is too short for features, {len(sound) / self._alone.rate:.3g} s")
        return found

    def _too_long(self, item: Item) -> UserError:
        rate = self._alone.rate
        seconds = len(decoded(item, rate, LONGEST * rate, Counter())) / rate
        nearest = math.ceil(10 * seconds) / 10
        return UserError(
            f"sound {item.where}: is {seconds:.4g} s long and would be cut, though its transcript says what follows; leave the "
            f"row out, or raise {self._where}.audio.max_seconds, {self._alone.samples / rate:g}; the nearest that works is "
            f"{nearest:g}"
        )

    def _check(self, ids: Array, frames: Array) -> None:
        """Raise UserError, naming the id, for a transcript that needs more frames than its sound has."""
        if (bad := np.flatnonzero(self.needed[ids] > frames)).size:
            i = int(ids[bad[0]])
            raise UserError(
                f"sound {self._item(i).where}: its transcript needs {self.needed[i]} frames, one a token and one between two "
                f"that are the same, and the model has {frames[bad[0]]} for it, as for {bad.size} in all; correct or leave out "
                f"the rows, or take {self._where}.model with more frames a second"
            )


def spoken(pixels: object) -> Spoken:
    """Return the sounds of raw data, which are there for every task of transcripts."""
    return cast("Spoken", getattr(pixels, "base", pixels))
