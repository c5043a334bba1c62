"""Sounds are given out scaled, and told apart by where they are loud."""

import numpy as np
import pytest
import torch

from components.diagnosis.fingerprints import agree, digests, shingles, vectors
from components.tasks.batch import Rows
from components.tasks.sequences import IGNORED
from components.tasks.sound import Sounds, Transcribed


def sounds(shape, n=12):
    values = np.random.default_rng(0).normal(3.0, 2.0, (n, *shape)).astype(np.float32)
    values[5] = values[2]
    return Sounds(values, np.arange(n) % 3, 3, 3.0, 2.0)


SHAPES = pytest.mark.parametrize("shape", [(1, 16, 21), (40, 16), (1600,)], ids=str)


@SHAPES
def test_a_batch_has_the_rows_scaled(shape):
    examples = sounds(shape)
    before = examples.values.copy()
    batch = examples.fetch(Rows.unweighted(torch.tensor([3, 0, 3])), torch.device("cpu"))
    np.testing.assert_allclose(batch.inputs["input"].numpy(), (examples.values[[3, 0, 3]] - 3.0) / 2.0, rtol=1e-5, atol=1e-6)
    assert batch.target.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(examples.values, before)
    assert batch.inputs["input"].dtype == torch.float32


@SHAPES
def test_what_they_are_in_short(shape):
    examples = sounds(shape)
    found = examples.reduced(np.array([1, 4]))
    assert found.shape == (2, 16)
    if shape == (1600,):
        np.testing.assert_allclose(found[0, 3], np.abs(examples.values[1, 300:400]).mean(), rtol=1e-5)
    else:
        whole = examples.values[1].reshape(shape[-2:])
        np.testing.assert_allclose(found[0, 0], whole[: -(-shape[-2] // 4), : -(-shape[-1] // 4)].mean(), rtol=1e-4)
    assert len(examples.bags.of(np.arange(12))) == 12


@SHAPES
def test_equal_sounds_are_copies_and_others_are_not_near(shape):
    examples = sounds(shape)
    same = digests(examples)
    assert same[2] == same[5]
    assert len(set(same)) == 11
    parts = shingles([examples], np.arange(12))
    assert parts[2].tolist() == parts[5].tolist()
    assert not set(parts[0]) & set(parts[1])
    assert agree([examples], 2, 5)
    lengths = np.linalg.norm(vectors([examples]), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_a_batch_of_transcribed_sounds_is_as_long_as_its_longest_and_says_what_is_said():
    values = np.zeros((3, 6, 2), np.float32)
    lengths = np.array([2, 6, 4])
    for i, length in enumerate(lengths):
        values[i, :length] = i + 1
    examples = Transcribed(values, lengths, lengths // 2, np.array([5, 7, 8, 9, 5], np.int32), np.array([0, 1, 4, 5]))
    batch = examples.fetch(Rows.unweighted(torch.tensor([2, 0])), torch.device("cpu"))
    np.testing.assert_array_equal(batch.inputs["input"].numpy(), values[[2, 0], :4])
    assert batch.inputs["length"].tolist() == [4, 2]
    assert batch.target.tolist() == [[5, IGNORED, IGNORED], [5, IGNORED, IGNORED]]
    assert examples.written(np.array([1])).tolist() == [[7, 8, 9]]
    assert examples.reduced(np.arange(3), 2).shape == (3, 4)
