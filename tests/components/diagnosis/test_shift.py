import numpy as np
import pytest
from scipy import sparse

from components.diagnosis.shift import MOST, shift


def test_two_parts_of_one_set_are_not_told_apart_and_two_sets_are():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1200, 5))
    found = [shift(rows[order[:600]], rows[order[600:]]) for order in (rng.permutation(1200) for _ in range(12))]
    assert np.mean([same.auc for same in found]) == pytest.approx(0.5, abs=0.02)
    assert sum(same.sure for same in found) <= 3
    apart = shift(rows[:600], rows[600:] + 1)
    assert apart.auc > 0.9
    assert apart.sure


@pytest.mark.slow
def test_the_error_is_that_of_the_same_over_other_examples():
    rng = np.random.default_rng(0)
    found = [shift(rng.normal(size=(150, 1)), rng.normal(0.7, 1, size=(150, 1))) for _ in range(60)]
    assert np.mean([f.error for f in found]) == pytest.approx(np.std([f.auc for f in found]), rel=0.35)


def test_sparse_rows_are_taken_and_no_more_than_a_bound():
    rng = np.random.default_rng(0)
    rows = sparse.random(MOST + 50, 40, 0.2, format="csr", random_state=rng)
    found = shift(rows, rows[:100])
    assert found.rows == (MOST, 100)
