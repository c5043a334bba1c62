"""What every method must do on two ranks and on a GPU: leave what one process on a CPU leaves."""

import os
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from components.engine.distributed import DistributedLearner
from tests.components.selection.contract import PARAMS, every_method, finished


def all_of(begin, name, **options):
    """Return everything that a run leaves, without dropout and with batches that do not fall into equal parts."""
    training, records = begin(name, dropout=0.0, batch_size=7, look_size=15, **options)
    numbers, tensors = finished(training, records)
    arrays = {k: v.numpy() for k, v in tensors.items() if not k.startswith("rng.")}
    arrays |= {f"scores.{k}": v for k, v in training.scores.items()} | vars(training.subset)
    return numbers, arrays


if "LEFT_BY_RANKS" in os.environ:

    def test_every_method_as_a_rank(begin, ranks):
        left = {n: all_of(begin, n, learner=partial(DistributedLearner, group=ranks)) for n in PARAMS.methods}
        Path(os.environ["LEFT_BY_RANKS"], f"methods.{ranks.rank}").write_bytes(pickle.dumps(left))


@pytest.fixture(scope="module")
def methods_of_ranks(left_by_ranks):
    return [pickle.loads((left_by_ranks / f"methods.{rank}").read_bytes()) for rank in range(2)]


@pytest.mark.slow
@every_method
def test_two_ranks_leave_what_one_process_leaves(begin, methods_of_ranks, name):
    for left in methods_of_ranks:
        assert_near(left[name], all_of(begin, name))


# The two are compared, so both must be there. What CUDA itself would refuse, evidence/test_ledger.py finds without it;
# docs/how-to/gpu.md says when these were last run on a GPU.
@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA sees no GPU to compare with the CPU")
@every_method
def test_a_gpu_leaves_what_a_cpu_leaves(begin, name):
    assert_near(*(all_of(begin, name, device=torch.device(kind)) for kind in ("cuda", "cpu")))


def assert_near(theirs, own):
    """Counts and choices are equal to the bit; a float within what sums in another order make of it over five epochs."""
    (their_numbers, their_arrays), (numbers, arrays) = theirs, own
    assert their_arrays.keys() == arrays.keys()
    assert their_numbers["position"] == numbers["position"]
    for k, v in arrays.items():
        assert their_arrays[k].dtype == v.dtype
        np.testing.assert_allclose(their_arrays[k], v, rtol=1e-3 * (v.dtype.kind == "f"), atol=1e-5 * (v.dtype.kind == "f"))
    for record, other in zip(their_numbers["records"], numbers["records"], strict=True):
        measured = ("loss", "course", "events")
        assert {k: v for k, v in record.items() if k not in measured} == {k: v for k, v in other.items() if k not in measured}
        assert (record["loss"] or 0) == pytest.approx(other["loss"] or 0, rel=1e-4)
        assert record["course"] == [pytest.approx(point, rel=1e-3, abs=1e-5) for point in other["course"]]
        assert [(e["place"], e["step"]) for e in record["events"]] == [(e["place"], e["step"]) for e in other["events"]]


@pytest.mark.slow
@every_method
def test_ranks_agree_to_the_bit(methods_of_ranks, name):
    (numbers, arrays), (their_numbers, their_arrays) = (left[name] for left in methods_of_ranks)
    assert their_numbers == numbers
    assert [k for k, v in arrays.items() if v.tobytes() != their_arrays[k].tobytes()] == []
