"""Sounds as examples: sampling rate, length, features and transcripts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipelines.config.schema.sections import Section


class Audio(Section):
    """How sounds are read: mixed to mono, resampled, and cut or padded with silence to ``max_seconds``.

    ``features`` are the logarithms of the power in ``mels`` bands, every 10 ms, or the ``waveform`` at mean 0 and deviation 1.
    A pretrained model of transformers has a feature extractor of its own, so that ``max_seconds`` alone is left to set.
    """

    sampling_rate: Annotated[int, Field(ge=4000, le=192000)] = 16000
    max_seconds: Annotated[float, Field(ge=0.1, le=600)] = 4.0
    features: Literal["log-mel", "waveform"] = "log-mel"
    mels: Annotated[int, Field(ge=8, le=256)] = 40


class Transcript(Section):
    """How a sound's transcript is normalised, and what it is spelt in.

    Always: Unicode's composed form (NFC), and white space as single spaces, none at the ends. ``case`` is kept or changed. With
    ``punctuation: drop``, all characters of Unicode's categories P and S become spaces, but not an apostrophe between letters.
    The ``vocabulary`` has the characters of the training split, or the tokens of a pretrained model's own tokenizer: this one
    by default, if there is one.
    """

    case: Literal["keep", "lower", "upper"] = "keep"
    punctuation: Literal["keep", "drop"] = "keep"
    vocabulary: Literal["characters", "model"] | None = None
