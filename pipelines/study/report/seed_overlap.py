"""Overlap of the subsets of a study's seeds, beside that by chance."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import numpy as np

from components.arrays import Array
from pipelines.core.artifacts import result
from pipelines.core.tables import read_table
from pipelines.report.page import NOTHING, Section, Table, number
from pipelines.trials.search_space import settings_text
from pipelines.trials.study_folder import StudyFolder


def jaccard(one: Array, other: Array) -> float:
    """Return the Jaccard index of two sets of ids."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)


def by_chance(sizes: tuple[int, int], examples: int) -> float:
    """Return the expected overlap of two blindly drawn subsets, by the hypergeometric mean.

    ``k l / N`` ids are in common on average. Using the ratio of means as mean of the ratio is off by less than 0.01 for N of
    a hundred or more.
    """
    common = sizes[0] * sizes[1] / examples
    return common / (sum(sizes) - common)


def of_study(study: StudyFolder) -> list[Section]:
    """Return the table of the trials that have subsets of two or more seeds, if any."""
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
        "For the subsets that training started from: the mean Jaccard index (common ids over all ids in either) over all pairs "
        "of seeds, and its expected value for two blind draws of the same sizes, by the mean of the hypergeometric "
        "distribution. 1 is the same subset with every seed. Methods that choose while they train have no subset.",
    ]
    heads = ["method", "kept", "settings", "seeds", "overlap", "by chance"]
    return [Section("How much the subsets of the seeds have in common", text, Table(heads, rows))] if rows else []


def _subset_ids(study: StudyFolder, seed: int, name: str) -> tuple[Array, int]:
    """Return the ids of a trial's subset, and the number of examples to choose from."""
    columns, facts = read_table(study.of(seed) / result("subset", name, "subset.parquet"))
    examples = facts["examples"]
    assert isinstance(examples, int), "subset writes how many there are"
    return columns["id"], examples
