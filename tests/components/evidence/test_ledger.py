import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from components.evidence.evidence import Evidence
from components.evidence.ledger import Ledger, LogitMemory, logit_dimensions
from components.evidence.objectives import OBJECTIVES

N, CLASSES = 6, 3
SIGHTS = st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, N - 1), min_size=1)), max_size=8)


@pytest.mark.parametrize(
    ("examples", "classes", "kept", "dimensions"),
    [
        (100, 10, 1000, 10),
        (100, 11, 1000, 11),
        (100, 30, 2500, 25),
        (1000, 50, 2000, 16),
        (1000, 12, 2000, 12),
        (60_000, 10, 2**26, 10),
    ],
)
def test_the_memory_is_bounded(examples, classes, kept, dimensions):
    assert logit_dimensions(examples, classes, kept) == dimensions


def test_whole_logits_are_compared_as_they_are():
    memory = LogitMemory(torch.zeros(4, 3), 3)
    memory.exchange(torch.tensor([1, 3]), torch.tensor([[1.0, 2, 3], [0, 0, 3]]))
    change = memory.exchange(torch.tensor([3, 1]), torch.tensor([[0.0, 0, 0], [1, 2, 4]]))
    torch.testing.assert_close(change, torch.tensor([9 / 3, 1 / 3]))
    assert memory.storage.tolist() == [[0, 0, 0], [1, 2, 4], [0, 0, 0], [0, 0, 0]]


def test_projected_logits_keep_squared_distances_in_expectation():
    classes, dimensions, seeds = 12, 4, 600
    before, now = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 1, classes)).astype(np.float32))
    expected = float((now - before).square().sum()) / classes
    changes = []
    for seed in range(seeds):
        memory = LogitMemory(torch.zeros(1, dimensions), classes, seed)
        memory.exchange(torch.tensor([0]), before)
        changes.append(float(memory.exchange(torch.tensor([0]), now)))
    assert abs(np.mean(changes) - expected) < 3 * np.std(changes) / np.sqrt(seeds)
    assert len(set(changes)) > seeds // 2


def test_the_projection_repeats_with_its_seed():
    one, same, other = (LogitMemory(torch.zeros(1, 4), 12, seed) for seed in (3, 3, 4))
    for memory in (one, same, other):
        memory.exchange(torch.tensor([0]), torch.arange(12.0)[None])
    assert one.storage.tolist() == same.storage.tolist() != other.storage.tolist()


def reference(sights, looks_only):
    """Return what the ledger should hold, one dict an example, by the slow and obvious way."""
    rows = [
        {
            "drawn": 0,
            "looked": 0,
            "trained": 0,
            "seen": 0,
            "forgotten": 0,
            "correct": False,
            "predicted": 0,
            "seen_by_look": False,
        }
        | dict.fromkeys(("loss", "change", "el2n", "margin", "margin_mean", "gradient_norm", "confidence", "scatter"), np.nan)
        | {"variability": np.nan, "norms": [], "margins": [], "trusted": [], "last": None}
        for _ in range(N)
    ]
    for looked, index, logits, target in sights:
        for i, z, t in zip(index, logits.astype(np.float64), target, strict=True):
            row, p = rows[i], np.exp(z) / np.exp(z).sum()
            row["norms"].append(np.sqrt(((p - np.eye(CLASSES)[t]) ** 2).sum()))
            right = int(z.argmax()) == t
            if looked or not looks_only:
                row["change"] = np.nan if row["last"] is None else ((z - row["last"]) ** 2).mean()
                row["last"] = z
            row["forgotten"] += row["correct"] and not right
            row.update(correct=right, predicted=int(z.argmax()), seen=row["seen"] + 1, seen_by_look=looked, loss=-np.log(p[t]))
            row["margins"].append(np.delete(p, t).max() - p[t])
            row.update(el2n=np.mean(row["norms"]), gradient_norm=row["norms"][-1])
            row.update(margin=row["margins"][-1], margin_mean=np.mean(row["margins"]))
            row["looked" if looked else "trained"] += 1
            if not looked:
                row["trusted"].append(p[t])
                row.update(confidence=np.mean(row["trusted"]), variability=np.std(row["trusted"]))
                row["scatter"] = len(row["trusted"]) * row["variability"] ** 2
    return rows


@pytest.mark.parametrize("looks_only", [False, True])
@given(SIGHTS, st.integers(0, 10**6))
def test_the_columns_are_those_of_the_slow_reference(make_ledger, make_evidence, looks_only, plan, seed):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, CLASSES, N)
    sights = []
    for looked, index in plan:
        places = rng.permutation(sorted(index))
        sights.append((looked, places, rng.normal(size=(len(places), CLASSES)).astype(np.float32) * 2, target[places]))
    ledger = make_ledger(N, CLASSES, looks_only)
    for looked, index, logits, target in sights:
        ledger.write(make_evidence(index, logits, target, looked))
    for name in [*ledger.columns, "trained", "variability"]:
        expected = [row[name] for row in reference(sights, looks_only)]
        np.testing.assert_allclose(ledger.column(name), expected, rtol=2e-4, atol=1e-6, err_msg=name)


def test_where_there_are_no_classes_there_is_no_confidence(make_ledger):
    ledger = make_ledger(3, 1)
    for _ in range(2):
        seen = Evidence(torch.tensor([0]), torch.zeros(1), torch.ones(1), torch.zeros(1, 1), False, OBJECTIVES["number"])
        ledger.write(seen)
    assert ledger.column("trained").tolist() == [2, 0, 0]
    assert np.isnan([ledger.column("confidence"), ledger.column("variability")]).all()


def test_counting_adds_one_each(make_ledger):
    ledger = make_ledger(4)
    ledger.count("drawn", torch.tensor([3, 0]))
    ledger.count("drawn", torch.tensor([3]))
    assert ledger.column("drawn").tolist() == [1, 0, 0, 2]


def test_a_ledger_goes_on_from_its_tensors(make_ledger, make_evidence):
    first, again = make_ledger(3, 2), make_ledger(3, 2)
    first.write(make_evidence([0, 2], [[1, 0], [0, 1]], [0, 0]))
    again.restore({k: v.clone() for k, v in first.tensors().items()})
    for ledger in (first, again):
        ledger.write(make_evidence([0, 1], [[0, 0.5], [2, 1]], [0, 1], looked=True))
    for name in first.columns:
        np.testing.assert_array_equal(first.column(name), again.column(name))
    assert first.column("change")[0] == pytest.approx((1 + 0.25) / 2)


def test_on_a_gpu_places_come_from_the_host():
    """Fake tensors say where they are and refuse to be mixed, as those of a GPU do, and need none."""
    with FakeTensorMode():
        ledger = Ledger(9, LogitMemory(torch.zeros(9, 3, device="cuda"), 3))
        index, target = torch.arange(4), torch.zeros(4, dtype=torch.int64, device="cuda")
        ledger.write(Evidence(index, target, torch.zeros(4, device="cuda"), torch.zeros(4, 3, device="cuda"), looked=False))
        ledger.count("drawn", index)
        assert {column.device.type for column in ledger.columns.values()} == {"cuda"}
