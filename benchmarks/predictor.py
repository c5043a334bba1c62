"""Multistage's predictor against scikit-learn's: microseconds per example to decide and to learn."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np

from benchmarks.common import ONE_THREAD, cpu_seconds, save, summary

BATCH, TOKENS, VOCABULARY, BATCHES = 32, 64, 30_522, 300
TARGETS = {"decide_microseconds": 2.0, "learn_microseconds": 10.0, "times_faster": 10.0}


def _texts(rng: np.random.Generator) -> np.ndarray:
    """Return tokens ``(batches * B, T)`` with Zipf-distributed frequencies, without padding."""
    chance = 1 / np.arange(1, VOCABULARY + 1)
    return rng.choice(VOCABULARY, (BATCH * BATCHES, TOKENS), p=chance / chance.sum()).astype(np.int32)


def _each(work: Callable[[int], object]) -> float:
    """Return the CPU microseconds per example of ``work``, called once per batch."""
    return 1e6 * cpu_seconds(lambda: [work(b) for b in range(BATCHES)]) / (BATCH * BATCHES)


def once(seed: int) -> dict[str, float]:
    """Return the times of both on the same batches.

    Features are computed before, as the stage ``prepare`` does.
    """
    from scipy.sparse import csr_matrix
    from sklearn.naive_bayes import BernoulliNB

    from components.selection.admit.naive_bayes import NaiveBayes
    from components.tasks.cheap_features import Bags

    rng = np.random.default_rng(seed)
    tokens, label = _texts(rng), rng.random(BATCH * BATCHES) < 0.3
    start = time.process_time()
    bags = Bags.of_tokens(tokens.ravel(), np.arange(len(tokens) + 1) * TOKENS)
    making = time.process_time() - start
    place = [np.arange(b * BATCH, (b + 1) * BATCH) for b in range(BATCHES)]
    whole = bags.of(np.arange(len(tokens)))
    rows = csr_matrix((np.ones(len(whole.features)), whole.features, whole.ends), (len(tokens), bags.count))
    parts = [rows[p] for p in place]
    mine, theirs = NaiveBayes.new(bags.count), BernoulliNB()
    figures = {
        "learn_microseconds": _each(lambda b: mine.learn(bags.of(place[b]), label[place[b]])),
        "decide_microseconds": _each(lambda b: mine.log_odds(bags.of(place[b])) > 0),
        "scikit_learn_microseconds": _each(lambda b: theirs.partial_fit(parts[b], label[place[b]], classes=[False, True])),
        "scikit_decide_microseconds": _each(lambda b: theirs.predict(parts[b])),
        "features_microseconds": 1e6 * making / len(tokens),
    }
    ours = figures["learn_microseconds"] + figures["decide_microseconds"]
    figures["times_faster"] = (figures["scikit_learn_microseconds"] + figures["scikit_decide_microseconds"]) / ours
    return figures


def main() -> None:
    """Measure, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    rounds = [once(seed) for seed in range(asked.rounds)]
    sizes = {"batch": BATCH, "tokens": TOKENS, "vocabulary": VOCABULARY, "batches": BATCHES}
    save("predictor", {"sizes": sizes, "targets": TARGETS, **{k: summary([r[k] for r in rounds]) for k in rounds[0]}})


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
