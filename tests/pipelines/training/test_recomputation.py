"""Activations that are computed again: the same step to the bit, dropout included, of less that is kept."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from pipelines import train
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.plan import plan
from pipelines.subset import subset
from pipelines.training import builders
from pipelines.training.recomputation import recompute
from pipelines.warm_up import warm_up
from tests.pipelines.killed_stages import outputs
from tests.pipelines.records import manifest
from tests.pipelines.training.test_builders import settings

SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 40}


def bert():
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(**SIZES, hidden_dropout_prob=0.3))


def adapted():
    from peft import LoraConfig, inject_adapter_in_model

    return inject_adapter_in_model(LoraConfig(r=2, target_modules=["query", "value"], lora_dropout=0.2), bert())


def gpt():
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=40, n_positions=12, n_embd=16, n_layer=3, n_head=2, use_cache=False))


def t5():
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 40}
    return T5ForConditionalGeneration(T5Config(**sizes, decoder_start_token_id=0, use_cache=False))


def stepped(model, again):
    """Return logits, gradients, the random state after a step of ``model``, and the bytes that its graph kept."""
    torch.manual_seed(1)
    inputs = {"input_ids": torch.randint(0, 40, (4, 12))}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.randint(0, 40, (4, 6))
    if again:
        recompute(model, "own")
    model.train()
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(2)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(**inputs).logits
    logits.square().mean().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return logits.detach(), gradients, torch.get_rng_state(), sum(kept.values())


@pytest.mark.parametrize("build", [bert, adapted, gpt, t5])
def test_a_step_is_the_same_to_the_bit_and_keeps_less(build):
    found = []
    for again in (False, True):
        torch.manual_seed(0)
        found.append(stepped(build(), again))
    (logits, gradients, after, whole), (others, recomputed, then, less) = found
    assert torch.equal(others, logits)
    assert recomputed.keys() == gradients.keys()
    assert all(torch.equal(recomputed[name], gradient) for name, gradient in gradients.items())
    assert torch.equal(then, after)
    assert less < 0.7 * whole


def test_it_is_asked_for_by_the_training_and_looks_are_as_before():
    torch.manual_seed(0)
    model, inputs = bert(), {"input_ids": torch.arange(12).view(2, 6)}
    before = model.eval()(**inputs).logits
    learner = builders.learner(settings(checkpoint_activations=True), manifest(task="own"), model.train(), 1.0)
    assert learner.model.is_activation_checkpointing
    assert torch.equal(model.eval()(**inputs).logits, before)
    assert not builders.learner(settings(), manifest(task="own"), bert(), 1.0).model.is_activation_checkpointing


def test_a_model_without_blocks_and_one_with_batch_norm_are_refused():
    with pytest.raises(UserError, match=r"own\.training\.checkpoint_activations: must be false for a model of class Linear, "):
        recompute(torch.nn.Linear(2, 2), "own")
    normed = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    with pytest.raises(UserError, match=r"checkpoint_activations: must be false .* \(its layer '1'\), .* twice, got true"):
        builders.learner(settings(checkpoint_activations=True), manifest(task="own"), normed, 1.0)


def test_activations_that_are_kept_leave_a_plan_as_it_was(write_params):
    key, path = "tasks.movie-reviews-lora.training.checkpoint_activations", Path("results/plan/training.json")
    plans = []
    for changes in ({}, {key: False}, {key: True}):
        write_params({"task": "movie-reviews-lora", **changes})
        plan()
        plans.append(json.loads(path.read_text()))
    assert plans[1] == plans[0]
    assert plans[2]["training"] == plans[0]["training"] | {"checkpoint_activations": True}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "big-loss"])
@pytest.mark.parametrize("lora", [None, {"rank": 2, "alpha": 4.0, "dropout": 0.1, "targets": ["query", "value"]}])
def test_a_run_ends_with_the_same_bytes(write_task, torch_as_it_was, monkeypatch, name, lora):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    weights = "model/adapter_model.safetensors" if lora else "model/model.safetensors"
    found, asked = [], []
    monkeypatch.setattr(builders, "recompute", lambda model, task: asked.append(task) or recompute(model, task))
    for again in (False, True):
        write_task(False, {"checkpoint_activations": again}, **({"lora": lora} if lora else {}))
        warm_up("none")
        subset(name)
        train.train(name)
        found.append(outputs(artifacts.HERE, "train", name, (weights,)))
        shutil.rmtree(artifacts.HERE / "results")
    assert found[0] == found[1]
    assert set(asked) == {"own"}
