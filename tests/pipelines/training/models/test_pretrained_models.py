"""Pretrained models get the head of the task, whole and in single precision."""

import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.training import models
from tests.pipelines import records
from tests.pipelines.books import LANGUAGE, folder_of
from tests.pipelines.encoders import ENCODERS, bert, built_of, fewer_tokens, model_of


def test_a_gpt_of_the_prepared_data_comes_back_from_its_folder(prepared, tmp_path):
    manifest, train, _ = prepared(folder_of(tmp_path), {}, **LANGUAGE)
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    torch.manual_seed(0)
    built = models.build(plan, manifest).eval()
    assert built.config.n_positions == 8
    artifacts.write_folder(tmp_path / "model", lambda folder: models.save(built, folder, plan))
    assert (tmp_path / "model" / "tokenizer.json").exists()
    other = models.build(plan, manifest).eval()
    models.load_weights(other, tmp_path / "model")
    batch = train.examples.fetch(Rows(torch.arange(2), torch.ones(2)), torch.device("cpu"))
    assert (built(**batch.inputs).logits == other(**batch.inputs).logits).all()
    # And as a pretrained model of its own: its tokenizer cuts the blocks, and it is trained on.
    causal = {"family": "transformers", "source": {"from": "folder", "folder": str(tmp_path / "model")}, "train_layers": 1}
    again, train, _ = prepared(folder_of(tmp_path, name="again"), {}, **{**LANGUAGE, "model": causal})
    assert again.files.keys() == {"train", "test"}
    assert again.vocabulary == manifest.vocabulary
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    third = models.build(plan, again).eval()
    batch = train.examples.fetch(Rows(torch.arange(2), torch.ones(2)), torch.device("cpu"))
    assert (built(**batch.inputs).logits == third(**batch.inputs).logits).all()
    with pytest.raises(UserError, match=r"has a context of 8 tokens, and block is 16; the nearest block that works is 8"):
        models.build(plan, again.model_copy(update={"block": 16}))


@pytest.mark.parametrize("name", ENCODERS)
def test_a_classifier_of_other_classes_gets_a_head_of_its_own_and_its_first_layers(saved, name):
    source, last = saved(ENCODERS[name][0]), "1" if name != "albert" else "0"
    given = AutoModelForSequenceClassification.from_pretrained(source["folder"])
    manifest = records.manifest(outputs=5)
    for count in (0, 1):
        built = built_of(model_of(source, num_hidden_layers=2, train_layers=count), manifest)
        assert (built.config.num_hidden_layers, built.config.num_labels) == (2, 5)
        whole = given.state_dict()
        for key, value in built.state_dict().items():
            assert key.startswith("classifier") or torch.equal(value, whole[key])
        blocks = re.findall(r"(?:\.layer|_groups)\.(\d)", " ".join(n for n, p in built.named_parameters() if p.requires_grad))
        assert set(blocks) == ({last} if count else set())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("build", [bert, None], ids=["encoder", "language model"])
def test_weights_that_were_saved_in_half_precision_are_trained_in_single(saved, kind, build):
    def halved():
        from transformers import GPT2Config, GPT2LMHeadModel

        sizes = {"n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2}
        model, tokenizer = build() if build else (GPT2LMHeadModel(GPT2Config(vocab_size=15, **sizes)), bert()[1])
        return model.to(kind), tokenizer

    source = saved(halved)
    manifest = records.manifest(**{} if build else {"target": "tokens", "block": 8})
    built = built_of(model_of(source), manifest)
    assert {p.dtype for p in built.parameters()} == {torch.float32}
    assert {b.dtype for b in built.buffers() if b.is_floating_point()} <= {torch.float32}
    first = next(built.parameters()).detach()
    assert torch.equal(first.to(kind).float(), first)  # as it was saved, and no more


def test_weights_of_another_size_than_the_configuration_says_are_refused(saved):
    source = saved(bert)
    fewer_tokens(Path(source["folder"]))
    with pytest.raises(UserError, match=r"word_embeddings\.weight is of size \[15, 16\], and its config\.json says \[10, 16\]"):
        built_of(model_of(source), records.manifest())
