import copy
import pickle

import pytest
import torch
from torch import nn

from components.models.small import SMALL, TABLES, TEXTS, freeze_all_but_last


def trains(model, channels, size, classes=5):
    """Return whether ``model``, called by keyword, gives logits whose gradient reaches its first parameter."""
    model.train()
    logits = model(input=torch.randn(4, channels, size, size))
    assert logits.shape == (4, classes)
    logits.sum().backward()
    return bool(next(model.parameters()).grad.abs().sum() > 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 28, 32])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_small_models_take_small_images(name, size, channels):
    torch.manual_seed(0)
    if name == "lenet" and size == 8:
        with pytest.raises(ValueError, match="16 x 16 or more, got 8 x 8"):
            SMALL[name](channels, size, 5)
        return
    assert trains(SMALL[name](channels, size, 5), channels, size)


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("name", sorted(TABLES))
def test_models_of_tables_take_rows(name, outputs):
    torch.manual_seed(0)
    assert TABLES[name](7, outputs)(input=torch.randn(3, 7)).shape == (3, outputs)


def test_the_mlp_of_tables_has_the_layers_it_is_asked_for():
    assert [tuple(p.shape) for p in TABLES["table-mlp"](62, 1).parameters()][::2] == [(128, 62), (64, 128), (1, 64)]
    model = TABLES["table-mlp"](5, 2, hidden=[8], dropout=0.5)
    assert [type(layer).__name__ for layer in model] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert [type(layer).__name__ for layer in TABLES["table-mlp"](5, 2, hidden=[])] == ["Linear"]


def test_the_mlp_of_images_has_the_width_it_is_asked_for():
    assert [tuple(p.shape) for p in SMALL["mlp"](1, 8, 10, hidden=32).parameters()][::2] == [(32, 64), (10, 32)]
    assert SMALL["mlp"](1, 8, 10)[1].out_features == 256


def test_a_bag_is_a_linear_layer_of_the_mean_vector_whatever_pads():
    torch.manual_seed(0)
    model = TEXTS["bag"](30, 3, width=8)
    ids, mask = torch.tensor([[4, 5, 5, 7], [9, 2, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    vectors = model.vectors.weight
    means = torch.stack([(vectors[4] + 2 * vectors[5] + vectors[7]) / 4, (vectors[9] + vectors[2]) / 2])
    logits = model(input_ids=ids, attention_mask=mask)
    torch.testing.assert_close(logits, model.head(means))
    logits.sum().backward()
    assert vectors.grad[0].abs().sum() == 0
    assert vectors.grad[5].abs().sum() > 0


def test_lenet_is_the_size_it_says():
    assert sum(p.numel() for p in SMALL["lenet"](1, 28, 10).parameters()) == 61_706
    assert SMALL["lenet"](1, 16, 5)(input=torch.randn(2, 1, 16, 16)).shape == (2, 5)


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_all_but_the_last_blocks_are_frozen(make_bert, layers):
    model = make_bert(layers=3)
    freeze_all_but_last(model, layers)
    free = {n for n, p in model.named_parameters() if p.requires_grad}
    blocks = {n.split(".")[3] for n in free if ".encoder.layer." in n}
    assert blocks == {str(i) for i in range(3 - layers, 3)}
    assert {n.split(".")[0] for n in free if ".encoder." not in n} == {"bert", "classifier"}
    assert not any("embeddings" in n for n in free)
    assert any("pooler" in n for n in free)


def test_blocks_are_found_in_another_architecture_and_in_a_model_of_one():
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    for layers in (1, 2):
        config = DistilBertConfig(vocab_size=30, dim=16, hidden_dim=32, n_heads=2, n_layers=layers, max_position_embeddings=8)
        model = DistilBertForSequenceClassification(config)
        freeze_all_but_last(model, 1)
        free = {n for n, p in model.named_parameters() if p.requires_grad}
        assert {n.split(".")[3] for n in free if n.startswith("distilbert.transformer.layer")} == {str(layers - 1)}
        assert not any("embeddings" in n for n in free)
        assert any(n.startswith("pre_classifier") for n in free)


def test_what_is_frozen_stays_in_evaluation_mode_and_the_rest_follows(make_bert):
    model = make_bert(layers=3)
    freeze_all_but_last(model, 1)
    for made in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        frozen = [made.bert.embeddings, made.bert.encoder.layer[0], made.bert.encoder.layer[1]]
        free = [made.bert.encoder.layer[2], made.bert.pooler, made.dropout, made.classifier]
        assert made.train() is made
        assert not any(part.training for module in frozen for part in module.modules())
        assert all(part.training for module in free for part in module.modules())
        assert not any(part.training for part in made.eval().modules())


def test_what_is_frozen_is_a_function_of_its_input(make_bert):
    model = make_bert(layers=3)
    freeze_all_but_last(model, 1)
    seen = []
    for block in model.bert.encoder.layer[1:]:
        block.register_forward_hook(lambda _, __, output: seen.append(output[0] if isinstance(output, tuple) else output))
    ids = torch.arange(1, 9)[None]
    for _ in range(2):
        model.train()(input_ids=ids)
    below, above, below_again, above_again = seen
    assert torch.equal(below, below_again)
    assert not torch.equal(above, above_again)


def test_more_blocks_than_there_are_or_none_at_all(make_bert):
    with pytest.raises(ValueError, match=r"train_layers must be in \[0, 2\], got 3; the nearest that works is 2"):
        freeze_all_but_last(make_bert(), 3)
    with pytest.raises(ValueError, match=r"train_layers must be in \[0, 0\], got 1"):
        freeze_all_but_last(nn.Linear(2, 2), 1)
