"""What is fetched once need not be fetched again."""

import numpy as np
import pytest
import torch

from components.tasks.examples import picked
from components.tasks.language import Blocks
from components.tasks.table import Records

KINDS = ("images", "records", "blocks", "pairs")


@pytest.fixture(params=KINDS)
def examples(request, make_images, make_pairs):
    rng = np.random.default_rng(0)
    if request.param == "images":
        return make_images()
    if request.param == "pairs":
        return make_pairs()
    if request.param == "records":
        return Records(rng.random((60, 5), np.float32), rng.random(60, np.float32), 1)
    return Blocks(rng.integers(0, 30, (60, 7)).astype(np.int32))


def test_what_is_picked_of_a_batch_is_what_is_fetched(examples, make_rows):
    rows = make_rows([9, 3, 50, 7], [1, 2, 1, 4])
    answer = np.float32([0, 1, 2, 1])
    kept = rows.through(answer)
    batch, fetched = examples.fetch(rows, torch.device("cpu")), examples.fetch(kept, torch.device("cpu"))
    got = picked(batch, kept, answer > 0)
    assert got.rows is kept
    assert torch.equal(got.target, fetched.target)
    assert torch.equal(got.weight, fetched.weight)
    assert all(torch.equal(got.inputs[name], value) for name, value in fetched.inputs.items())
    assert any(v is batch.target for v in batch.inputs.values()) == any(v is got.target for v in got.inputs.values())
