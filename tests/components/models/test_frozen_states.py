"""Training above kept states is the same training as that of the whole model, whatever method chooses."""

import numpy as np
import pytest
import torch

from components.models import frozen_states as frozen_module
from components.models.frozen_states import KeptStates, check, divided
from components.models.small import freeze_all_but_last
from components.selection.admit.multistage import Multistage
from components.selection.draw.infobatch import InfoBatch
from components.selection.draw.swiftlearn import SwiftLearn
from components.selection.keep.adaselection import AdaSelection
from components.selection.keep.selective_backprop import SelectiveBackprop
from components.selection.selector import Selector, Subset

CPU = torch.device("cpu")
SIZES = {"vocab_size": 30, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "num_labels": 3}
METHODS = {
    "full": Selector,
    "swiftlearn": lambda: SwiftLearn(0.5, refresh=2),
    "infobatch": lambda: InfoBatch(0.5, 0.75),
    "adaselection": lambda: AdaSelection(0.5),
    "selective-backprop": lambda: SelectiveBackprop(memory=20),
    "multistage": lambda: Multistage(n_0=0.5, k=2, w=1, alt=9.0),
}


def frozen_model(kind="Bert", layers=3, train_layers=1, **more):
    """Return a tiny untrained classifier of the transformers library, frozen but for its last layers."""
    import transformers

    torch.manual_seed(0)
    sizes = {**SIZES, "num_hidden_layers": layers, "max_position_embeddings": 20, **more}
    if kind == "DistilBert":
        sizes = {"vocab_size": 30, "dim": 32, "hidden_dim": 48, "n_heads": 2, "n_layers": layers, "num_labels": 3}
    if kind == "GPT2":
        sizes = {"vocab_size": 30, "n_embd": 32, "n_head": 2, "n_layer": layers, "bos_token_id": 1, "eos_token_id": 1}
    model = getattr(transformers, f"{kind}ForSequenceClassification")(getattr(transformers, f"{kind}Config")(**sizes))
    freeze_all_but_last(model, train_layers)
    return model


def kept_of(model, examples, rows):
    """Return what is trained above the frozen part of ``model``, and ``examples`` with their states kept."""
    part, above = divided(model)
    kept = KeptStates(examples, part, check(model, part, above, examples.fetch(rows, CPU).inputs))
    list(kept.compute(np.full(kept.shape, np.nan, np.float32), CPU))
    return above, kept


@pytest.mark.parametrize("train_layers", [0, 1, 3])
@pytest.mark.parametrize("kind", ["Bert", "DistilBert", "Roberta"])
def test_the_parts_say_what_the_whole_says_and_share_what_is_trained(kind, train_layers, make_texts, make_rows):
    model, examples, rows = frozen_model(kind, train_layers=train_layers), make_texts(), make_rows([3, 1, 17, 30, 8])
    whole, (above, kept) = examples.fetch(rows, CPU), kept_of(model, examples, rows)
    batch = kept.fetch(rows, CPU)
    assert torch.equal(batch.target, whole.target)
    assert batch.inputs["attention_mask"].equal(whole.inputs["attention_mask"])
    model.eval()
    above.eval()
    torch.testing.assert_close(above(**batch.inputs).logits, model(**whole.inputs).logits)
    free = [p for p in model.parameters() if p.requires_grad]
    assert [id(p) for p in above.parameters() if p.requires_grad] == [id(p) for p in free]
    assert sum(p.numel() for p in above.parameters()) == sum(p.numel() for p in free)


def test_states_lie_token_by_token_and_are_filled_up_with_zeros(make_texts, make_rows):
    model, examples = frozen_model(), make_texts()
    _, kept = kept_of(model, examples, make_rows([0, 1]))
    rows = make_rows([5, 20, 2])
    states = kept.fetch(rows, CPU).inputs["inputs_embeds"]
    assert kept.shape == (int(examples.lengths.sum()), 32)
    for row, index in zip(states, rows.index, strict=True):
        alone = examples.fetch(make_rows([int(index)]), CPU).inputs
        length = examples.lengths[index]
        # Three layers of which one is trained: what the library calls the third state is what the second block gives.
        expected = model.eval()(**alone, output_hidden_states=True).hidden_states[2][0]
        torch.testing.assert_close(row[:length], expected, atol=1e-5, rtol=1e-5)
        assert not row[length:].any()
    assert kept.bags is examples.bags


def test_states_are_the_same_bytes_whenever_they_are_computed(make_texts, make_rows):
    found = []
    for _ in range(2):
        _, kept = kept_of(frozen_model(), make_texts(70), make_rows([0, 1]))
        found.append(kept._states.tobytes())
        torch.rand(7)
    assert found[0] == found[1]
    assert not np.isnan(kept._states).any()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_the_same_on_kept_states(name, make_training, make_texts, make_rows):
    runs = []
    for keep in (False, True):
        model, examples = frozen_model(), make_texts(48)
        trained = model
        if keep:
            trained, examples = kept_of(model, examples, make_rows([0, 1, 2]))
        selector = METHODS[name]()
        training = make_training(selector, examples, trained, epochs=5)
        selector.begin(Subset.everything(48), training.plan)
        torch.manual_seed(1)
        losses, step = [], training.learner.step

        def watched(*given, step=step, losses=losses):
            evidence = step(*given)
            losses.append(evidence.loss.cpu())
            return evidence

        training.learner.step = watched
        list(training.until())
        runs.append((losses, model.cpu().state_dict(), training.ledger))
    (losses, weights, ledger), (kept_losses, kept_weights, kept_ledger) = runs
    torch.testing.assert_close(kept_losses, losses, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kept_weights, weights, atol=1e-5, rtol=1e-5)
    for column in ("drawn", "looked", "trained"):
        assert kept_ledger.column(column).tolist() == ledger.column(column).tolist()


def test_trying_the_parts_draws_nothing(make_texts, make_rows):
    model, examples = frozen_model(), make_texts()
    before = torch.get_rng_state()
    kept_of(model, examples, make_rows([0, 1]))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        ("GPT2", {}, "GPT2ForSequenceClassification has no single frozen module 'embeddings'"),
        ("Albert", {"embedding_size": 16}, "AlbertForSequenceClassification cannot be run in two parts: "),
        ("Electra", {"embedding_size": 32}, None),
        ("Electra", {"embedding_size": 16}, "ElectraForSequenceClassification cannot be run in two parts: "),
    ],
)
def test_a_model_that_is_not_of_two_parts_is_refused_by_name(kind, more, why, make_texts, make_rows):
    model = frozen_model(kind, **more)
    if why is None:
        kept_of(model, make_texts(), make_rows([0, 1]))
        return
    with pytest.raises(ValueError, match=why):
        kept_of(model, make_texts(), make_rows([0, 1]))


def test_a_model_whose_embeddings_are_trained_is_refused(make_bert):
    with pytest.raises(ValueError, match="BertForSequenceClassification has no single frozen module 'embeddings'"):
        divided(make_bert())


def test_parts_that_say_something_else_are_refused(make_texts, make_rows, monkeypatch):
    model, inputs = frozen_model(), make_texts().fetch(make_rows([0, 1]), CPU).inputs
    part, above = divided(model)
    assert check(model, part, above, inputs) == 32
    above.dropout.p = 0.5
    with pytest.raises(ValueError, match=r"BertForSequenceClassification .*: its logits differ by .*; allowed: 0\.0001"):
        check(model, part, above, inputs)
    part, above = divided(model)
    monkeypatch.setattr(frozen_module, "TOLERANCE", -1)
    with pytest.raises(ValueError, match="its logits differ by"):
        check(model, part, above, inputs)


def test_what_is_trained_below_what_is_frozen_is_refused(make_texts, make_rows):
    model, inputs = frozen_model(), make_texts().fetch(make_rows([0, 1]), CPU).inputs
    part, above = divided(model)
    model.bert.encoder.layer[0].output.dense.weight.requires_grad_(True)
    with pytest.raises(ValueError, match="a trained layer lies below a frozen one"):
        check(model, part, above, inputs)
