"""Every method that needs no classes selects among conversations too, and goes on from any moment."""

import pytest
import torch

from pipelines.training.checkpoints import unpack
from tests.components.selection.contract import assert_same, finished, moments_of
from tests.components.selection.test_contract_sequences import LEARNER, every_fitting_method
from tests.components.small_talk import conversations, gpt


@pytest.mark.slow
@every_fitting_method
def test_a_method_selects_among_conversations_and_goes_on_to_the_same_bytes(begin, name):
    def anew():
        training, records = begin(name, examples=conversations(), model=gpt(), learner=LEARNER)
        training.learner.norms = "norm" in training.selector.wants
        return training, records

    training, records = anew()
    moments, uninterrupted = moments_of(training, records)
    assert all(record.trained <= record.drawn <= 60 for record in records)
    assert sum(record.trained for record in records) > 0
    assert all(torch.isfinite(v).all() for k, v in uninterrupted[1].items() if k.startswith("model."))
    again, _ = anew()
    assert_same(finished(again, unpack(again, moments[len(moments) // 2])), uninterrupted)
