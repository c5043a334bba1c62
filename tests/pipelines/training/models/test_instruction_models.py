"""Models of instructions: a causal one from its folder, by adapters if nothing else is said, or whole; encoders are refused."""

import pytest
import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.training import models
from pipelines.training.models import adapters
from tests.pipelines.encoders import bert
from tests.pipelines.talks import TALKS, talks, written


def logits(model, split):
    batch = split.examples.fetch(Rows.unweighted(torch.arange(3)), torch.device("cpu"))
    with torch.no_grad():
        return model.eval()(**batch.inputs).logits


def planned():
    return TrainingPlan.read(artifacts.plan_of("training")).model


def of_folder(folder, **more):
    model = {"family": "transformers", "source": {"from": "folder", "folder": str(folder)}, **more}
    return {key: value for key, value in TALKS.items() if key != "vocabulary"} | {"model": model}


@pytest.fixture
def gpt_folder(prepared, tmp_path):
    """An untrained GPT-2 and its tokenizer in a folder, with the split that it was made for."""
    manifest, train, _ = prepared(written(tmp_path, talks()), **TALKS)
    torch.manual_seed(0)
    built = models.build(planned(), manifest)
    artifacts.write_folder(tmp_path / "gpt", lambda folder: models.save(built, folder, planned()))
    return built, manifest, train, tmp_path / "gpt"


def test_a_gpt_of_the_prepared_data_comes_back_from_its_folder(gpt_folder, prepared, tmp_path):
    built, manifest, train, folder = gpt_folder
    config = built.config
    assert (config.n_embd, config.n_layer, config.n_head, config.n_positions) == (16, 1, 2, 136)
    assert (config.vocab_size, config.pad_token_id, config.eos_token_id) == (manifest.vocabulary, 0, 1)
    other = models.build(planned(), manifest)
    models.load_weights(other, folder)
    assert (logits(built, train) == logits(other, train)).all()
    # And as a pretrained model of its own, trained whole, whose tokenizer has a chat template now.
    again, same, _ = prepared(written(tmp_path, talks()), **of_folder(folder, lora=None))
    assert again.template == "own"
    assert (same.examples.tokens == train.examples.tokens).all()
    third = models.build(planned(), again)
    assert all(p.requires_grad for p in third.parameters())
    assert (logits(third, same) == logits(built, train)).all()


def test_adapters_alone_are_trained_saved_and_merged_with_the_template(gpt_folder, prepared, tmp_path):
    _, _, _, folder = gpt_folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = None
    (folder / "chat_template.jinja").unlink()
    tokenizer.save_pretrained(folder)
    manifest, train, _ = prepared(written(tmp_path, talks()), **of_folder(folder))
    assert manifest.template == "plain"
    plan = planned()
    model = models.build(plan, manifest)
    free = {name for name, p in model.named_parameters() if p.requires_grad}
    assert free
    assert all(".c_attn.lora_" in name for name in free)
    with torch.no_grad():
        for name in free:
            model.get_parameter(name).add_(0.1)
    artifacts.write_folder(tmp_path / "adapted", lambda place: models.save(model, place, plan))
    assert models.weights_in(tmp_path / "adapted").name == adapters.WEIGHTS
    other = models.build(plan, manifest)
    models.load_weights(other, tmp_path / "adapted")
    assert (logits(other, train) == logits(model, train)).all()
    with models.whole(tmp_path / "adapted", plan, manifest) as place:
        merged = GPT2LMHeadModel.from_pretrained(place)
        assert "Assistant:" in AutoTokenizer.from_pretrained(place).chat_template
    torch.testing.assert_close(logits(merged, train), logits(model, train))


def test_a_misspelt_target_is_named_with_the_nearest(gpt_folder, prepared, tmp_path):
    *_, folder = gpt_folder
    manifest, *_ = prepared(written(tmp_path, talks()), **of_folder(folder, lora={"targets": ["c_atn"]}))
    with pytest.raises(UserError, match=r"model: lora\.targets: 'c_atn': no such module, did you mean 'c_attn'"):
        models.build(planned(), manifest)


def test_a_model_that_sees_what_comes_after_is_refused(saved, prepared, tmp_path):
    source = saved(bert)
    tokenizer = AutoTokenizer.from_pretrained(source["folder"])
    tokenizer.eos_token = tokenizer.sep_token
    tokenizer.save_pretrained(source["folder"])
    rows = [("a film", "fine")] * 10
    task = of_folder(source["folder"]) | {"columns": {"prompt": "question", "response": "answer"}, "test": 2}
    manifest, *_ = prepared(written(tmp_path, rows), **task | {"max_length": 12})
    with pytest.raises(UserError, match=r"own\.model: must read from left to right, such as GPT-2 or Llama, .* 'bert' does"):
        models.build(planned(), manifest)
