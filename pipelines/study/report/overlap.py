"""Overlap of the subsets of a study's seeds, beside that by chance."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import numpy as np

from components.arrays import Array
from pipelines.core.artifacts import result
from pipelines.core.tables import read_table
from pipelines.report.page import NOTHING, Section, Table, number
from pipelines.trials.folder import StudyFolder
from pipelines.trials.search_space import settings_text


def jaccard(one: Array, other: Array) -> float:
    """Return the share that two sets of ids have in common of all that are in either."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)


def by_chance(sizes: tuple[int, int], examples: int) -> float:
    """Return the overlap of two subsets drawn blindly, by the mean of their hypergeometric common part.

    ``k l / N`` ids are in common on average; that the mean of a ratio is not the ratio of means is left out, which for N of a
    hundred or more is under a hundredth.
    """
    common = sizes[0] * sizes[1] / examples
    return common / (sum(sizes) - common)


def of_study(study: StudyFolder) -> list[Section]:
    """Return the table of the trials that take a subset; none where no trial does, or has it of fewer than two seeds."""
    rows = []
    for trial in study.grid.trials:
        seeds = [s for s in study.seeds if trial.role == "method" and study.is_done(s, trial.name)]
        found = [_subset_ids(study, seed, trial.name) for seed in seeds]
        parts = [kept for kept, examples in found if len(kept) < examples]
        if len(parts) > 1:
            pairs, examples = list(combinations(parts, 2)), found[0][1]
            overlap = fmean(jaccard(*pair) for pair in pairs)
            chance = fmean(by_chance((len(a), len(b)), examples) for a, b in pairs)
            kept = NOTHING if trial.fraction is None else f"{trial.fraction:g}"
            rows.append(
                [trial.method, kept, settings_text(trial.settings), str(len(parts)), number(overlap, 3), number(chance, 3)]
            )
    text = [
        "Of the subsets that training started from: the mean, over all pairs of seeds, of the share that two have in common of "
        "all ids in either (Jaccard), and what two blind draws of the same sizes would have, by the mean of the hypergeometric "
        "distribution. 1 is the same subset with every seed. Methods that choose while they train have no subset.",
    ]
    heads = ["method", "kept", "settings", "seeds", "overlap", "by chance"]
    return [Section("How much the subsets of the seeds have in common", text, Table(heads, rows))] if rows else []


def _subset_ids(study: StudyFolder, seed: int, name: str) -> tuple[Array, int]:
    """Return the ids of a trial's subset, and how many examples there were to choose from."""
    columns, facts = read_table(study.of(seed) / result("subset", name, "subset.parquet"))
    examples = facts["examples"]
    assert isinstance(examples, int), "subset writes how many there are"
    return columns["id"], examples
