"""Planned transforms reach the steps of a training, and none that does not fit its images."""

import numpy as np
import pytest
import torch

from components.selection.selector import Selector
from components.tasks.augmentation import Augmentation, Crop, Erase, Flip, RandAugment
from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.config.schema.augment import Transform
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.training import augmentation, job

EVERY = [{"crop": {"padding": 2}}, {"flip": {}}, {"rand-augment": {"operations": 1, "magnitude": 5}}, {"erase": {"p": 0.5}}]


@pytest.fixture
def begun(prepared, torch_as_it_was, monkeypatch):
    """Begin a training of digits with transforms."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setattr(job, "EnergyMeter", lambda country: None)
    prepared({"from": "scikit-learn", "name": "digits"}, {}, kind="image", test=0.2)

    def run(*transforms):
        path = artifacts.plan_of("training")
        planned = TrainingPlan.read(path)
        changed = planned.training.model_copy(
            update={"augment": [Transform.model_validate(t) for t in transforms], "epochs": 1}
        )
        planned.model_copy(update={"training": changed}).write(path)
        return job.Job("train", "full", Selector()).training

    return run


@pytest.mark.slow
def test_steps_see_what_is_planned_for_the_seed(begun):
    training, batches = begun(*EVERY), []
    step = training.learner.step
    training.learner.step = lambda batch, *given: batches.append(batch) or step(batch, *given)
    list(training.until())
    assert sum(map(len, batches)) == len(training.examples)
    same = Augmentation([Crop(2), Flip(0.5), RandAugment(1, 5), Erase(0.5)], training.plan.seed)
    expected = training.examples.augmented(same, 0)
    for batch in batches[:5]:
        assert torch.equal(batch.inputs["input"], expected.fetch(batch.rows, torch.device("cpu")).inputs["input"])


def test_a_padding_as_large_as_the_prepared_images_is_refused(begun):
    text = r"^params.yaml: tasks.own.training.augment.0.crop.padding: must be under the 8 pixels .*, got 8; .* works is 7$"
    with pytest.raises(UserError, match=text):
        begun({"crop": {"padding": 8}})


def test_without_transforms_steps_see_the_examples_themselves(begun):
    training = begun()
    assert augmentation.in_steps([], training.examples, 0, None) is None
    rows = Rows.unweighted(torch.from_numpy(np.arange(3)))
    assert training._in_steps is training.examples
    assert "_changed" not in vars(training.examples)
    assert len(training.examples.fetch(rows, torch.device("cpu"))) == 3
