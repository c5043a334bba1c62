"""What is written for each source is what the likeliest token after the other makes, whatever batch it is in."""

import pytest
import torch

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.evaluation.generation import generate, respond, response_settings
from components.evidence.objectives import OBJECTIVES
from tests.components.small_talk import conversations, gpt, llama


def by_hand(model, batch, most):
    """Return what ``model`` writes for the only example of ``batch``, without a cache."""
    written = [0]
    while len(written) <= most and written[-1] != 1:
        given = {"input_ids": batch.inputs["input_ids"], "attention_mask": batch.inputs["attention_mask"]}
        with torch.no_grad():
            written.append(int(model(**given, decoder_input_ids=torch.tensor([written])).logits[0, -1].argmax()))
    return written


@pytest.mark.parametrize("size", [1, 7])
def test_it_is_greedy_and_leaves_the_model_as_it_was(make_pairs, make_t5, make_rows, size):
    examples, model = make_pairs(12), make_t5()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) / 2)
    model.generation_config.num_beams = 3  # as a pretrained model may ask for
    learner = Learner(model.train(), build_optimizer(model, "adamw", 0.01), lambda epoch: 1.0, OBJECTIVES["sequence"])
    found = generate(learner, examples, size)
    assert model.training
    model.eval()
    for i, ids in enumerate(found):
        wanted = by_hand(model, examples.fetch(make_rows([i]), torch.device("cpu")), examples.outputs)
        assert ids[: len(wanted)] == wanted
        assert not any(ids[len(wanted) :])  # padded to the longest of its batch
    assert len({tuple(ids) for ids in found}) > 1


@pytest.mark.parametrize("build", [gpt, llama])
@pytest.mark.parametrize("size", [1, 5])
def test_a_response_is_greedy_whatever_prompts_it_is_padded_beside(build, size):
    examples, model = conversations(12), build()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) / 2)
    model.generation_config.repetition_penalty = 3.0  # as a pretrained model may ask for
    learner = Learner(model.train(), build_optimizer(model, "adamw", 0.01), lambda epoch: 1.0, OBJECTIVES["sequence"])
    prompts = [examples.tokens[a : a + 2 + i % 3].tolist() for i, a in enumerate(examples.offsets[:-1])]
    found = respond(learner, prompts, size, 0, response_settings(6, [1], 0))
    assert model.training
    model.eval()
    for prompt, ids in zip(prompts, found, strict=True):
        written = []
        while len(written) < 6 and written[-1:] != [1]:
            with torch.no_grad():
                written.append(int(model(torch.tensor([prompt + written])).logits[0, -1].argmax()))
        assert ids[: len(written)] == written
        assert not any(ids[len(written) :])
    assert len({tuple(ids) for ids in found}) > 1
