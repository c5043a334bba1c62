"""Runs for tests, whose tables are given instead of read."""

import numpy as np

from pipelines.report.run_results import Run


def run(name="m", kind="swiftlearn", **tables):
    """Return a run whose tables are given instead of read."""
    made = Run(name)
    made.__dict__.update({"kind": kind} | tables)
    return made


def scored(kept=(3, 1), by="change"):
    scores = {"id": np.array([5, 1, 3, 2]), "loss": np.zeros(4, np.float32), "change": np.array([0.5, 8, 9, 1], np.float32)}
    score = np.array([scores[by][list(scores["id"]).index(i)] for i in kept], np.float32)
    ledger = {"id": np.array([1, 2, 3, 5]), "trained": np.array([6, 0, 6, 2]), "loss": np.array([0.1, np.nan, 2, 0.5])}
    return run(scores=scores, subset={"id": np.array(kept), "score": score}, ledger=ledger)
