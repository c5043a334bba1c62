"""The overlap of subsets is that of sets, and chance's that of blind draws."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.core import artifacts, tables
from pipelines.study.report import seed_overlap
from pipelines.trials.study_folder import StudyFolder


def test_the_overlap_is_that_of_pythons_sets():
    one, other = {1, 2, 3}, {3, 4}
    assert seed_overlap.jaccard(np.array([3, 1, 2]), np.array([4, 3])) == len(one & other) / len(one | other)


def test_chance_is_what_blind_draws_have_on_average():
    rng, n, k = np.random.default_rng(0), 200, 60
    draws = [rng.permutation(n)[:k] for _ in range(60)]
    met = np.mean([seed_overlap.jaccard(a, b) for a, b in combinations(draws, 2)])
    assert seed_overlap.by_chance((k, k), n) == pytest.approx(met, abs=0.005)
    assert seed_overlap.by_chance((n, n), n) == 1


def test_a_row_is_a_cell_with_a_subset_and_two_seeds(tmp_path, monkeypatch):
    def trial(name, role="method"):
        return SimpleNamespace(name=name, role=role, method=name, fraction=0.5, settings=())

    trials = [trial("a"), trial("all"), trial("once"), trial("control", "control")]
    study = StudyFolder(tmp_path, SimpleNamespace(trials=trials), (0, 1, 2))
    monkeypatch.setattr(StudyFolder, "is_done", lambda self, seed, name: name != "once" or seed == 0)
    kept = {"a": [[0, 1], [1, 0], [0, 2]], "all": [[0, 1, 2, 3]] * 3, "once": [[0, 1]] * 3, "control": [[0, 1]] * 3}
    for name, seeds in kept.items():
        for seed, ids in enumerate(seeds):
            path = study.of(seed) / artifacts.result("subset", name, "subset.parquet")
            tables.write_table(path, {"id": np.array(ids)}, {"examples": 4})
    (section,) = seed_overlap.of_study(study)
    assert section.table.rows == [["a", "0.5", "", "3", f"{(1 + 1 / 3 + 1 / 3) / 3:.3f}", f"{1 / 3:.3f}"]]
    assert seed_overlap.of_study(StudyFolder(tmp_path, SimpleNamespace(trials=trials), (0,))) == []
