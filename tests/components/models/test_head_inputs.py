"""What is below an image model's head is computed once, and both ways say the same."""

import numpy as np
import pytest
import torch
from torch import nn

from components.models.head_inputs import KeptInputs, check, divided
from components.models.normalised import Normalised
from components.tasks.batch import Rows

CPU = torch.device("cpu")


def network(*between, head=None):
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), *between, head or nn.Linear(4 * 36, 2))
    model = Normalised(layers, 8)
    model.freeze(layers[:2].parameters())
    return model


def test_the_head_says_of_its_inputs_what_the_model_says_of_the_images(make_images):
    model, examples = network().train(), make_images(n=70, size=8)
    below, head = divided(model)
    rows = Rows.unweighted(torch.arange(70))
    images = examples.fetch(rows, CPU).inputs["input"]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert check(model, below, head, images[:2]) == 4 * 36
    kept = KeptInputs(examples, below, 4 * 36)
    room = np.full(kept.shape, np.nan, np.float32)
    assert list(kept.compute(room, CPU)) == [64, 70]
    batch = kept.fetch(Rows(torch.tensor([65, 3]), torch.tensor([1.0, 0.5])), CPU)
    assert batch.target.tolist() == examples.target[[65, 3]].tolist()
    assert batch.weight.tolist() == [1, 0.5]
    with torch.no_grad():
        torch.testing.assert_close(head(**batch.inputs), model.train()(images[[65, 3]]))
    assert kept.means() is room
    assert kept.bags is examples.bags
    assert len(kept) == 70
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    head(**batch.inputs).sum().backward()
    assert model.body[-1].weight.grad is not None


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (network(nn.Dropout()), "Sequential cannot be run in two parts: its logits differ by"),
        (network(nn.Unflatten(1, (4, 36)), head=nn.Linear(36, 2)), r"its head takes \[2, 4, 36\], not a vector an image"),
    ],
    ids=["dropout before the head", "a head for several vectors"],
)
def test_a_model_that_cannot_be_run_in_two_parts_is_refused(model, said):
    with pytest.raises(ValueError, match=said):
        check(model, *divided(model), torch.randn(2, 1, 8, 8))


def test_a_model_of_which_more_is_trained_is_refused():
    with pytest.raises(ValueError, match="Sequential trains more than a single linear layer above what is frozen"):
        divided(Normalised(network().body.requires_grad_(True), 8))
