"""Transcripts held against what was said: word and character error rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from components.arrays import Array

#: Error rates of a whole split -> the columns of ``counted`` with the errors, and with the units that they are of.
TRANSCRIPT_METRICS = {"wer": ("word_errors", "words"), "cer": ("character_errors", "characters")}


def counted(transcribed: Sequence[str], references: Sequence[str]) -> dict[str, Array]:
    """Return columns ``(N,)`` on each text that was ``transcribed`` for one of ``references``, none of which is empty.

    ``word_errors`` are the substitutions, deletions and insertions of words that make the reference the text, as jiwer aligns
    them, and ``words`` those of the reference; ``character_errors`` and ``characters`` likewise, spaces among them.
    """
    pairs = list(zip(references, transcribed, strict=True))
    by_word, by_character = ([_errors(*pair, words=words) for pair in pairs] for words in (True, False))
    sizes = {"words": [len(said.split()) for said, _ in pairs], "characters": [len(said) for said, _ in pairs]}
    columns = {"word_errors": by_word, "words": sizes["words"], "character_errors": by_character} | sizes
    return {"transcribed": np.array(transcribed, str)} | {name: np.array(each, np.int64) for name, each in columns.items()}


def _errors(reference: str, transcribed: str, *, words: bool) -> int:
    import jiwer

    found = (jiwer.process_words if words else jiwer.process_characters)(reference, transcribed)
    return int(found.substitutions + found.deletions + found.insertions)


def metrics_of_transcripts(columns: Mapping[str, Array]) -> dict[str, float]:
    """Return word and character error rate: the errors of all texts over the words or characters of all references."""
    rates = TRANSCRIPT_METRICS.items()
    return {name: float(columns[errors].sum() / columns[units].sum()) for name, (errors, units) in rates if errors in columns}


def shares_of_transcripts(columns: Mapping[str, Array], metric: str) -> Array:
    """Return each example's part ``(N,)`` in an error rate of the split, to first order; their mean is the rate.

    The rate ``r`` is a ratio of two sums: it changes by ``(errors - r units) / mean of the units`` with an example's weight.
    """
    errors, units = (columns[name].astype(np.float64) for name in TRANSCRIPT_METRICS[metric])
    rate = errors.sum() / units.sum()
    return np.asarray(rate + (errors - rate * units) / units.mean())
