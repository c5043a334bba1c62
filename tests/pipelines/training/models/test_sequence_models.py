"""Sequence-to-sequence models: a T5 of any size, untrained or from its folder, whole or by adapters."""

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.training import models
from pipelines.training.models import adapters
from pipelines.training.models.sequence_models import tokenizer_of
from tests.pipelines.summaries import SEQ2SEQ, written


def logits(model, split):
    batch = split.examples.fetch(Rows.unweighted(torch.arange(3)), torch.device("cpu"))
    with torch.no_grad():
        return model.eval()(**batch.inputs).logits


def planned():
    return TrainingPlan.read(artifacts.plan_of("training")).model


@pytest.fixture
def t5_folder(prepared, tmp_path):
    """An untrained T5 and its tokenizer in a folder, with the split that it was made for."""
    manifest, train, _ = prepared(written(tmp_path), **SEQ2SEQ)
    torch.manual_seed(0)
    built = models.build(planned(), manifest)
    artifacts.write_folder(tmp_path / "t5", lambda folder: models.save(built, folder, planned()))
    return built, manifest, train, tmp_path / "t5"


def of_folder(folder, **more):
    model = {"family": "transformers", "source": {"from": "folder", "folder": str(folder)}, **more}
    return {**SEQ2SEQ, "vocabulary": None, "model": model}


def without(task, key):
    return {name: value for name, value in task.items() if name != key}


def test_a_t5_of_the_prepared_data_comes_back_from_its_folder(t5_folder, prepared, tmp_path):
    built, manifest, train, folder = t5_folder
    config = built.config
    assert (config.d_model, config.d_kv, config.d_ff, config.num_layers, config.num_decoder_layers) == (16, 8, 64, 1, 1)
    assert (config.vocab_size, config.decoder_start_token_id, config.eos_token_id) == (manifest.vocabulary, 0, 1)
    other = models.build(planned(), manifest)
    models.load_weights(other, folder)
    assert (logits(built, train) == logits(other, train)).all()
    # And as a pretrained model of its own, which cuts the texts with its own tokenizer.
    again, same, _ = prepared(written(tmp_path), **without(of_folder(folder), "vocabulary"))
    assert again.files.keys() == {"train", "test"}
    assert (again.vocabulary, again.start, again.end) == (manifest.vocabulary, 0, 1)
    assert (same.examples.tokens == train.examples.tokens).all()
    third = models.build(planned(), again)
    assert (logits(third, same) == logits(built, train)).all()
    texts = ["the cat, the owl", "of a bee"]
    ours, theirs = (tokenizer_of(planned(), artifacts.TOKENIZER), tokenizer_of(planned(), folder))
    assert ours(texts)["input_ids"] == theirs(texts)["input_ids"]


def test_adapters_alone_are_trained_saved_and_merged(t5_folder, prepared, tmp_path):
    _, _, _, folder = t5_folder
    lora = {"rank": 2, "alpha": 4.0}
    manifest, train, _ = prepared(written(tmp_path), **without(of_folder(folder, lora=lora), "vocabulary"))
    plan = planned()
    model = models.build(plan, manifest)
    free = {name for name, p in model.named_parameters() if p.requires_grad}
    assert free
    assert all(".lora_" in name and name.split(".")[-4] in ("q", "v") for name in free)
    with torch.no_grad():
        for name in free:
            model.get_parameter(name).add_(0.1)
    artifacts.write_folder(tmp_path / "adapted", lambda place: models.save(model, place, plan))
    assert models.weights_in(tmp_path / "adapted").name == adapters.WEIGHTS
    other = models.build(plan, manifest)
    models.load_weights(other, tmp_path / "adapted")
    assert (logits(other, train) == logits(model, train)).all()
    with models.whole(tmp_path / "adapted", plan, manifest) as place:
        merged = T5ForConditionalGeneration.from_pretrained(place)
    torch.testing.assert_close(logits(merged, train), logits(model, train))


def test_a_decoder_alone_or_an_end_that_is_not_marked_is_refused(t5_folder, prepared, tmp_path):
    *_, folder = t5_folder
    tokenizer = tokenizer_of(planned(), folder)
    tokenizer.backend_tokenizer.post_processor = None
    from tokenizers.processors import TemplateProcessing

    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    tokenizer.save_pretrained(tmp_path / "endless")
    T5Config(vocab_size=300, decoder_start_token_id=0).save_pretrained(tmp_path / "endless")
    with pytest.raises(UserError, match=r"own\.model: its tokenizer must end each text with its eos_token"):
        prepared(written(tmp_path), **without(of_folder(tmp_path / "endless"), "vocabulary"))
