import numpy as np
import torch

from components.tasks.table import Records

CPU = torch.device("cpu")


def records(n=5, width=3):
    values = np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)
    return Records(values, np.arange(n, dtype=np.float32) / 2, 1)


def test_a_batch_is_its_rows(make_rows):
    examples = records()
    batch = examples.fetch(make_rows([3, 0], [1, 2]), CPU)
    assert (batch.inputs["input"].numpy() == examples.values[[3, 0]]).all()
    assert batch.inputs["input"].dtype == batch.target.dtype == torch.float32
    assert batch.target.tolist() == [1.5, 0]
    assert batch.weight.tolist() == [1, 2]
    assert (len(examples), examples.lengths, examples.outputs) == (5, None, 1)


def test_fetching_leaves_the_stored_rows_alone(make_rows):
    examples = records()
    before = examples.values.copy()
    examples.values.flags.writeable = False
    examples.fetch(make_rows([1, 2]), CPU).inputs["input"].zero_()
    assert (examples.values == before).all()


def test_a_bag_has_one_feature_a_column():
    examples = records()
    bag = examples.bags.of(np.array([4, 1]))
    assert np.diff(bag.ends).tolist() == [examples.values.shape[1]] * 2
