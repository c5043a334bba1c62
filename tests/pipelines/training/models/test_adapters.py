"""Adapters are trained with the head alone, saved as peft saves them, and merged to the same model."""

import warnings

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, GPT2Config, GPT2LMHeadModel

from pipelines.config.loader import explained
from pipelines.core.errors import UserError
from pipelines.training import models
from pipelines.training.models import adapters
from tests.pipelines import records
from tests.pipelines.encoders import ENCODERS, bert, built_of, model_of
from tests.pipelines.records import model_plan

INPUTS = {"input_ids": torch.arange(12).view(2, 6) % 11 + 2, "attention_mask": torch.ones(2, 6, dtype=torch.int64)}
#: What peft's default is for each encoder's architecture; None where it has none.
DEFAULT = {"bert": "query", "electra": "query", "roberta": "query", "distilbert": None, "albert": None}


def causal():
    sizes = {"n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2, "use_cache": False}
    return GPT2LMHeadModel(GPT2Config(vocab_size=15, **sizes)), bert()[1]


def moved(model):
    """Give every trained parameter other values, as training does; return the model, ready to look."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) / 4)
    return model.eval()


def logits(model):
    with torch.no_grad():
        return model(**INPUTS).logits


def trained(model):
    return {name for name, p in model.named_parameters() if p.requires_grad}


@pytest.fixture
def lora_of(saved):
    """Build a saved encoder with adapters; return the model, its plan and the manifest."""

    def build(make=bert, manifest=None, lora=None, **more):
        source = saved(make)
        manifest = manifest or records.manifest(outputs=3)
        keys = model_of(source, lora={"rank": 2, "targets": ["query", "value"]} if lora is None else lora, **more)
        return built_of(keys, manifest), model_plan(**keys), manifest

    return build


def test_the_adapters_and_the_head_are_all_that_is_trained(lora_of):
    model, *_ = lora_of()
    of = {n.replace(".default", "").replace("bert.encoder.layer.", "") for n in trained(model)}
    places = [f"{i}.attention.self.{n}.lora_{m}.weight" for i in range(3) for n in ("query", "value") for m in "AB"]
    assert of == {*places, "classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("name", ENCODERS)
def test_without_targets_they_are_where_peft_puts_them(lora_of, name):
    if DEFAULT[name] is None:
        with pytest.raises(
            UserError, match=rf"model: lora\.targets: peft has no default for '{name}'; name one or more of .*, "
        ):
            lora_of(ENCODERS[name][0], lora={"rank": 2})
        return
    model, *_ = lora_of(ENCODERS[name][0], lora={"rank": 2})
    parts = {n.split(".lora_")[0].rpartition(".")[2] for n in trained(model) if ".lora_" in n}
    assert parts == {"query", "value"}


def test_at_first_they_add_nothing_and_then_alpha_by_rank_times_their_product(lora_of):
    model, *_ = lora_of(lora={"rank": 2, "alpha": 6.0, "targets": ["layer.1.attention.self.key"]})
    layer = model.bert.encoder.layer[1].attention.self.key
    given = torch.randn(4, 16)
    assert torch.equal(layer(given), layer.base_layer(given))
    moved(model)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    torch.testing.assert_close(layer(given), layer.base_layer(given) + 3 * given @ a.T @ b.T)


def test_what_the_source_lacks_is_trained_and_saved_with_the_head(saved, tmp_path):
    def headless():
        model, tokenizer = bert()
        model.bert.pooler = None
        return model.bert, tokenizer

    source = saved(headless)
    plan = model_of(source, lora={"rank": 2, "targets": ["query"]})
    model = built_of(plan, records.manifest())
    assert {n for n in trained(model) if ".lora_" not in n} == {
        "classifier.weight", "classifier.bias", "bert.pooler.dense.weight", "bert.pooler.dense.bias",
    }  # fmt: skip
    models.save(moved(model), tmp_path, model_plan(**plan))
    torch.manual_seed(9)
    again = built_of(plan, records.manifest()).eval()
    models.load_weights(again, tmp_path)
    assert torch.equal(logits(again), logits(model))


@pytest.mark.parametrize("make", [bert, causal], ids=["encoder", "language model"])
def test_saved_alone_they_make_the_same_model_of_the_base_here_and_in_peft(lora_of, tmp_path, make):
    from peft import PeftModel

    language = make is causal
    manifest = records.manifest(target="tokens", block=8) if language else None
    lora = {"rank": 2, "targets": ["c_attn", "c_fc"]} if language else None
    model, plan, manifest = lora_of(make, manifest, lora)
    moved(model)
    folder = tmp_path / "adapters"
    folder.mkdir()
    models.save(model, folder, plan)
    assert {p.name for p in folder.iterdir()} == {adapters.WEIGHTS, adapters.CONFIG}
    assert sum(t.numel() for t in load_file(folder / adapters.WEIGHTS).values()) == sum(
        p.numel() for p in model.parameters() if p.requires_grad
    )
    torch.manual_seed(9)
    again = models.build(plan, manifest).eval()
    assert not torch.equal(logits(again), logits(model))
    models.load_weights(again, folder)
    assert torch.equal(logits(again), logits(model))
    base = models.build(plan.model_copy(update={"lora": None}), manifest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = PeftModel.from_pretrained(base, folder).eval()
    torch.testing.assert_close(logits(theirs), logits(model), rtol=0, atol=0)


@pytest.mark.parametrize("make", [bert, causal], ids=["encoder", "language model"])
def test_merged_they_are_a_plain_model_with_the_same_logits(lora_of, tmp_path, make):
    language = make is causal
    manifest = records.manifest(target="tokens", block=8) if language else None
    lora = {"rank": 2, "alpha": 7.0, "targets": ["c_attn", "c_fc"] if language else ["key", "dense"], "merged": True}
    model, plan, manifest = lora_of(make, manifest, lora)
    moved(model)
    expected = logits(model)
    folder = tmp_path / "merged"
    models.save(model, folder, plan)
    assert torch.equal(logits(model), expected)  # it was not changed itself
    kind = GPT2LMHeadModel if language else AutoModelForSequenceClassification
    plain = kind.from_pretrained(folder).eval()
    assert not any("lora" in n for n, _ in plain.named_parameters())
    torch.testing.assert_close(logits(plain), expected, rtol=1e-5, atol=1e-5)
    again = moved(models.build(plan, manifest))
    models.load_weights(again, folder)
    torch.testing.assert_close(logits(again), logits(plain), rtol=1e-5, atol=1e-6)


def test_a_whole_model_is_made_of_adapters_and_passed_on_as_it_is_without(lora_of, tmp_path):
    model, plan, manifest = lora_of()
    folder = tmp_path / "adapters"
    folder.mkdir()
    models.save(moved(model), folder, plan)
    with models.whole(folder, plan, manifest) as place:
        plain = AutoModelForSequenceClassification.from_pretrained(place).eval()
        assert (place / "tokenizer.json").exists()
        with models.whole(place, plan, manifest) as same:
            assert same == place
    torch.testing.assert_close(logits(plain), logits(model), rtol=1e-5, atol=1e-5)
    assert not place.exists()


def test_only_trained_layers_get_adapters(lora_of):
    model, *_ = lora_of(train_layers=1)
    assert {n.split(".layer.")[1][0] for n in trained(model) if ".lora_" in n} == {"2"}
    with pytest.raises(UserError, match=r"lora\.targets: 'query' is in no trained layer; a higher train_layers has more"):
        lora_of(train_layers=0)


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({"targets": ["querry"]}, r"model: lora\.targets: 'querry': no such module, did you mean 'query'\? \(known: dense, "),
        ({"targets": ["layer.7.attention.self.query"]}, r"no such module, did you mean 'bert\.encoder\.layer\.\d\.att"),
        ({"targets": ["classifier"]}, r"lora\.targets: 'classifier': no such module \(known: dense, key, query, value\)"),
        ({"targets": ["query"], "rank": 17}, r"lora\.rank: must be in \[1, 16\], the smaller side of 'bert\.encoder\.layer\.0\."
         r"attention\.self\.query' \(16 x 16\), got 17; the nearest that works is 16"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_model_is_refused_when_it_is_built(lora_of, lora, message):
    with pytest.raises(UserError, match=message):
        lora_of(lora=lora)


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({"rank": 0}, "lora.rank: must be greater than 0, got 0; the nearest that works is 1"),
        ({"alpha": 0.0}, "lora.alpha: must be greater than 0, got 0.0"),
        ({"dropout": 1.0}, "lora.dropout: must be less than 1, got 1.0"),
        ({"targets": []}, "lora.targets: List should have at least 1 item"),
        ({"target": ["query"]}, "lora: 'target': no such key, did you mean 'targets'?"),
    ],
)
def test_bad_settings_are_refused_by_key(lora, message):
    from pydantic import ValidationError

    with pytest.raises(ValidationError) as raised:
        model_plan(**model_of({"from": "folder", "folder": "here"}, lora=lora))
    assert message in explained("params.yaml", raised.value.errors())


def test_weights_of_other_adapters_are_refused_by_file_and_name(lora_of, tmp_path):
    model, plan, manifest = lora_of()
    models.save(model, tmp_path, plan)
    other = plan.model_copy(update={"lora": plan.lora.model_copy(update={"rank": 3})})
    with pytest.raises(UserError, match=r"adapter_model\.safetensors: cannot be loaded: .*lora_A\.weight is of size \[2, 16\]"):
        models.load_weights(models.build(other, manifest), tmp_path)
    other = plan.model_copy(update={"lora": plan.lora.model_copy(update={"targets": ["key"]})})
    with pytest.raises(UserError, match=r"cannot be loaded: .*self\.key\.lora_A\.weight is missing"):
        models.load_weights(models.build(other, manifest), tmp_path)
    plain = plan.model_copy(update={"lora": None})
    with pytest.raises(UserError, match=r"cannot be loaded"):
        models.load_weights(models.build(plain, manifest), tmp_path)


def test_batch_norms_keep_the_statistics_of_the_base():
    from pipelines.config.schema.model import Lora

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(4, 2))
    adapters.add(model, Lora(rank=1, targets=["0"]), ["3.weight", "3.bias"])
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.train()(torch.randn(3, 1, 3, 3)).sum().backward()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert trained(model) == {"0.lora_A.default.weight", "0.lora_B.default.weight", "3.weight", "3.bias"}
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())
