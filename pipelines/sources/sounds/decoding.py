"""Decoding of sounds: one channel, one sampling rate, at most so many samples."""

from __future__ import annotations

import io
import math
import os
from collections import Counter

import numpy as np

from components.arrays import Array
from pipelines.core.errors import UserError
from pipelines.sources.picture_decoding import Item

#: Samples that are decoded at once.
CHUNK = 1 << 20


def decoded(item: Item, rate: int, samples: int, changes: Counter[str]) -> Array:
    """Return the sound of ``item``, ``(S,)`` float32 in [-1, 1], at most ``samples`` of them; count changes in ``changes``.

    Channels are averaged before the polyphase filter of ``scipy.signal.resample_poly`` changes the sampling rate.

    Args:
        item: an audio file that libsndfile reads: wav, flac, ogg, mp3 and others.
        rate: wanted, in Hz.
        samples: the most to return; the rest is cut.
        changes: number of sounds by kind of change.

    Raises:
        UserError: if it cannot be decoded, is empty or has values that are no finite numbers.
    """
    from scipy.signal import resample_poly

    read, own = _read(item, samples / rate)
    if not len(read):
        raise UserError(f"sound {item.where}: is empty")
    if not np.isfinite(read).all():
        raise UserError(f"sound {item.where}: has values that are no finite numbers; save it as 16-bit wav")
    if read.shape[1] > 1:
        changes["sounds of several channels, mixed to one"] += 1
    mono = read.mean(axis=1, dtype=np.float32)
    if own != rate:
        changes[f"sounds of another sampling rate, resampled to {rate:,} Hz"] += 1
        shared = math.gcd(own, rate)
        mono = resample_poly(mono, rate // shared, own // shared)
    if len(read) > samples * own / rate:
        changes[f"sounds longer than max_seconds, {samples / rate:g} s, cut there"] += 1
    return np.asarray(mono[:samples], np.float32)


def _read(item: Item, seconds: float) -> tuple[Array, int]:
    """Return the samples ``(S, channels)`` of the first ``seconds`` and one more, and their rate in Hz."""
    import soundfile

    if item.path is not None and not os.path.isfile(item.path):
        raise UserError(f"sound {item.where}: no such file")
    try:
        with soundfile.SoundFile(item.path or io.BytesIO(item.content or b"")) as file:
            # A header may promise more than the file has, so the array grows by what is read.
            left, parts = math.floor(seconds * file.samplerate) + 1, []
            while left and len(part := file.read(min(left, CHUNK), dtype="float32", always_2d=True)):
                parts.append(part)
                left -= len(part)
            return np.concatenate(parts) if parts else np.empty((0, 1), np.float32), int(file.samplerate)
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:  # TypeError: raw samples without a header
        raise UserError(f"sound {item.where}: cannot be decoded: {error}") from None
