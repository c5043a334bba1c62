"""The last batches, by which whole ones are judged, against plain lists."""

import bisect

import numpy as np
import pytest

from components.selection.keep.adaselection import LESSON, AdaSelection
from components.selection.keep.keeper import CORRECTION
from components.selection.keep.recent_batches import WINDOW, Window


@pytest.fixture
def batches(make_evidence):
    """Return evidence of ``count`` batches of unlike sizes."""

    def make(count):
        rng = np.random.default_rng(0)
        for size in rng.integers(1, 9, count):
            yield make_evidence(range(size), rng.normal(size=(size, 3)) * 2, rng.integers(0, 3, size))

    return make


@pytest.mark.parametrize("every", [1, 5, 300])
def test_it_holds_the_means_of_the_last_batches(batches, every):
    window, losses, norms = Window(), [], []
    for i, evidence in enumerate(batches(3 * WINDOW), 1):
        losses.append(float(evidence.loss.mean()))
        norms.append(float(evidence.gradient_norm.mean()))
        assert window.push(evidence, norm=True) == pytest.approx(losses[-1])
        if i % every == 0:
            np.testing.assert_allclose(window.means, [losses[-WINDOW:], norms[-WINDOW:]], rtol=1e-5)
    means = window.means
    np.testing.assert_allclose(means, [losses[-WINDOW:], norms[-WINDOW:]], rtol=1e-5)
    assert (Window(means).means == means).all()


def test_norms_nobody_wants_are_not_worked_out(batches):
    window = Window()
    for evidence in batches(3):
        window.push(evidence, norm=False)
    assert window.means[1].tolist() == [0, 0, 0]


def test_between_lessons_a_batch_has_the_place_of_its_loss(batches):
    """With one rule in the pool and the reward spent, a lesson ranks the last batches by loss."""
    method, fraction = AdaSelection(0.3, pool=["big-loss"], explore=False, look="whole-batch"), 0.3
    method.steps = 10**12
    losses, known, kept, lessons = [], [], 0, 0
    for i, evidence in enumerate(batches(4 * WINDOW), 1):
        loss = float(evidence.loss.mean())
        losses.append(loss)
        if i < LESSON or i % LESSON == 0:
            known, lessons = sorted(losses[-WINDOW:]), lessons + 1
        above = place_among(known, loss)
        share = fraction + CORRECTION * (fraction * i - kept)
        worth = share > 0 and above >= 1 - share
        method.learn(evidence, None)
        assert method.keep(evidence, None).tolist() == [worth] * len(evidence)
        kept += worth
    assert method.steps == 10**12 + lessons


def place_among(known, loss):
    """Return the share of ``known`` below ``loss``, in between a straight line."""
    if len(known) == 1:
        return 1.0
    right = bisect.bisect_left(known, loss - 1e-6)
    if right == 0:
        return 0.0
    if right == len(known):
        return 1.0
    low, high = known[right - 1], known[right]
    return (right - 1 + min(1.0, (loss - low) / (high - low))) / (len(known) - 1)
