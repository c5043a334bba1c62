import numpy as np
import pytest
import torch
from torch import nn

from components.engine import proxy_ranking
from components.engine.proxy_ranking import rank
from components.epoch_records import EpochRecord
from components.selection.draw.short import Short
from components.tasks.batch import Rows


@pytest.fixture
def trained(make_training):
    """A proxy at the end of its epochs."""

    def build(**options):
        training = make_training(Short(3), **options)
        records = [m for m in training.until() if isinstance(m, EpochRecord)]
        assert len(records) == 3
        return training

    return build


def fetched(training):
    """Return the inputs of all examples, in order."""
    n = len(training.examples)
    return training.examples.fetch(Rows(torch.arange(n), torch.ones(n)), torch.device("cpu")).inputs


def test_scores_and_features_are_those_of_the_trained_model_on_each_example(trained):
    training = trained(look_batch=7)
    columns = rank(training)
    model = training.learner.model.cpu().eval()
    with torch.no_grad():
        hidden = model[:-1](fetched(training)["input"])
        p = model[-1](hidden).double().softmax(1).numpy()
    np.testing.assert_allclose(columns["features"], hidden.numpy(), atol=1e-5)
    np.testing.assert_allclose(columns["least_confidence"], 1 - p.max(1), atol=1e-5)
    np.testing.assert_allclose(columns["entropy"], -(p * np.log(p)).sum(1), atol=1e-5)


def test_visits_are_those_of_training_and_the_look_after_it(trained):
    training = trained(dropout=0.0)
    before = {name: training.ledger.column(name).copy() for name in ("forgotten", "correct")}
    columns = rank(training)
    correct = training.ledger.column("correct")
    forgotten = before["forgotten"] + (before["correct"] & ~correct)
    never = (forgotten == 0) & ~correct
    np.testing.assert_array_equal(columns["forgetting"], np.where(never, np.inf, forgotten))
    assert (training.ledger.column("seen") == 4).all()


def test_the_look_leaves_the_model_as_it_was_without_a_hook(trained):
    training = trained()
    before = [p.clone() for p in training.learner.model.parameters()]
    rank(training)
    assert all((a == b).all() for a, b in zip(before, training.learner.model.parameters(), strict=True))
    assert not any(m._forward_pre_hooks for m in training.learner.model.modules())


def test_many_features_are_projected_and_keep_their_distances(trained, monkeypatch):
    wide = nn.Sequential(nn.Flatten(), nn.Linear(16, 800), nn.ReLU(), nn.Linear(800, 4))
    training = trained(model=wide)
    whole = rank(training)["features"]
    monkeypatch.setattr(proxy_ranking, "FEATURES_KEPT", 60 * 400)
    part = rank(training)["features"]
    assert (whole.shape, part.shape) == ((60, 800), (60, 400))
    far = [np.linalg.norm(f[:30] - f[30:], axis=1) for f in (whole, part)]
    np.testing.assert_allclose(far[1] / far[0], 1, atol=0.25)


def test_texts_are_ranked_by_place_and_not_by_length(trained, make_texts, make_bert):
    training = trained(examples=make_texts(), model=make_bert())
    columns = rank(training)
    inputs, model = fetched(training), training.learner.model.cpu().eval()
    with torch.no_grad():
        p = model(**inputs).logits.softmax(1).numpy()
    np.testing.assert_allclose(columns["least_confidence"], 1 - p.max(1), atol=1e-5)
    assert columns["features"].shape == (40, 32)


class Tokens(nn.Module):
    """A model whose last linear layer is fed each pixel by itself."""

    def __init__(self):
        super().__init__()
        self.each = nn.Linear(1, 4)

    def forward(self, input):
        return self.each(input.flatten(1)[..., None]).mean(1)


def test_without_one_vector_an_example_there_are_no_features(trained):
    assert set(rank(trained(model=Tokens()))) == {"least_confidence", "entropy", "forgetting"}
    convolution = nn.Sequential(nn.Conv2d(1, 4, 4), nn.Flatten())
    assert "features" not in rank(trained(model=convolution))
