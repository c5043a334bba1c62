"""Greedy decoding against a path by hand, and of examples alone."""

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import one_hot

from components.engine.learner import Learner
from components.evaluation.transcription import collapsed, transcribe
from components.evidence.objectives import OBJECTIVES
from components.tasks.batch import Rows


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 3))
def test_repeats_are_said_once_and_blanks_not_at_all(path, blank):
    logits = one_hot(torch.tensor([path]), 4).float()
    assert collapsed(logits, blank) == [[token for token, _ in itertools.groupby(path) if token != blank]]


def test_a_sound_is_heard_alike_in_any_batch(make_transcribed, make_listener):
    examples, model = make_transcribed(30), make_listener()
    learner = Learner(model, torch.optim.SGD(model.parameters(), 0.1), lambda _: 1.0, OBJECTIVES["transcript"])
    found = transcribe(learner, examples, 7, 0)
    assert model.training
    model.eval()
    for i in (0, 11, 29):
        batch = examples.fetch(Rows.unweighted(torch.tensor([i])), torch.device("cpu"))
        assert collapsed(model(**batch.inputs), 0) == [found[i]]
    assert any(found)
    assert transcribe(learner, examples, 1, 0) == found
