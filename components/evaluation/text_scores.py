"""Texts held against their references: chrF, BLEU and exact match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from components.arrays import Array

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

#: Longest n-grams of characters, and the weight of recall in the F-score (Popovic, chrF, WMT 2015; sacrebleu's defaults).
CHARACTERS, BETA = 6, 2
#: Metrics of a whole split, computed from the sums of the columns of their names that ``compared`` returns.
TEXT_METRICS = ("chrf", "bleu", "exact_match")


def compared(generated: Sequence[str], references: Sequence[str]) -> dict[str, Array]:
    """Return columns ``(N, ...)`` on each text that was ``generated`` for one of ``references``.

    ``exact_match`` is whether both are equal up to white space, ``chrf`` ``(N, 18)`` has the n-grams of characters in the
    text, its reference and both, by length, and ``bleu`` ``(N, 10)`` the n-grams of words in both and in the text, by length,
    and the lengths of text and reference.
    """
    pairs = list(zip(generated, references, strict=True))
    return {
        "generated": np.array(generated, str),
        "exact_match": np.array([_plain(a) == _plain(b) for a, b in pairs], bool),
        "chrf": np.array([_characters(a, b) for a, b in pairs], np.int64).reshape(-1, 3 * CHARACTERS),
        "bleu": np.array([_words(a, b) for a, b in pairs], np.int64).reshape(-1, 10),
    }


def _plain(text: str) -> str:
    return " ".join(text.split())


def _characters(generated: str, reference: str) -> list[int]:
    """Return the counts of n-grams of characters, as sacrebleu's chrF counts them."""
    from sacrebleu.metrics.helpers import extract_all_char_ngrams

    counts: list[int] = []
    both: Any = (extract_all_char_ngrams(text, CHARACTERS, False) for text in (generated, reference))
    for own, wanted in zip(*both, strict=True):
        # A reference too short for any n-gram of a length says nothing about the text's.
        written = sum(own.values()) if wanted else 0
        counts += [written, sum(wanted.values()), (Counter(own) & Counter(wanted)).total()]
    return counts


@cache
def _bleu() -> BLEU:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=True)


def _words(generated: str, reference: str) -> list[int]:
    found: Any = _bleu().sentence_score(generated, [reference])
    return [*found.counts, *found.totals, found.sys_len, found.ref_len]


def score(metric: str, sums: Array) -> Array:
    """Return a metric of whole splits, in [0, 1], from the sums of its column over each split's examples.

    Args:
        metric: one of ``TEXT_METRICS``.
        sums: ``(S, ...)``; of ``exact_match``, hits and examples ``(S, 2)``.
    """
    if metric == "exact_match":
        return np.asarray(sums[:, 0] / sums[:, 1])
    return _chrf(sums) if metric == "chrf" else np.array([_corpus_bleu(row) for row in sums.tolist()])


def _chrf(sums: Array) -> Array:
    """Return chrF: the F-score of the n-grams' mean precision and recall, over lengths that text and reference have."""
    written, wanted, same = sums.reshape(-1, CHARACTERS, 3).transpose(2, 0, 1).astype(np.float64)
    there = (written > 0) & (wanted > 0)
    lengths = np.maximum(there.sum(1), 1)
    precision, recall = ((np.divide(same, n, out=np.zeros_like(n), where=there)).sum(1) / lengths for n in (written, wanted))
    below = BETA**2 * precision + recall
    found: Array = np.divide((1 + BETA**2) * precision * recall, below, out=np.zeros_like(below), where=below > 0)
    return found


def _corpus_bleu(sums: list[int]) -> float:
    from sacrebleu.metrics.bleu import BLEU

    found: Any = BLEU.compute_bleu(sums[:4], sums[4:8], sums[8], sums[9], smooth_method="exp")
    return float(found.score) / 100


def summands(columns: Mapping[str, Array], metric: str) -> Array:
    """Return what each example adds ``(N, ...)`` to the sums of ``score``."""
    column = columns[metric]
    return np.stack([column, np.ones_like(column)], 1).astype(np.int64) if metric == "exact_match" else column


def metrics_of_texts(columns: Mapping[str, Array]) -> dict[str, float]:
    """Return chrF, BLEU and exact match, if there are texts, and the perplexity of the references' tokens."""
    there = [metric for metric in TEXT_METRICS if metric in columns]
    found = {metric: float(score(metric, summands(columns, metric).sum(0)[None])[0]) for metric in there}
    loss = np.average(columns["loss"].astype(np.float64), weights=columns["tokens"])
    return found | {"perplexity": float(np.exp(loss))}


def shares_of_texts(columns: Mapping[str, Array], metric: str) -> Array:
    """Return each example's part ``(N,)`` in a metric of the whole split: N times what it adds to that of the others."""
    each = summands(columns, metric)
    whole = each.sum(0)
    added: Array = len(each) * (score(metric, whole[None]) - score(metric, whole - each))
    return added
