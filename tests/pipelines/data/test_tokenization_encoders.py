"""Texts and pairs reach the model as its tokenizer writes them, whatever the model; one that cannot take them is named."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.core.artifacts import plan_of, result
from pipelines.core.errors import UserError
from pipelines.core.tables import read_table
from pipelines.data import tokenization
from pipelines.sources import pretrained
from pipelines.training import models
from tests.conftest import ROOT
from tests.pipelines import records
from tests.pipelines.data.test_tokenization import COLUMNS, WORDS, hub, pairs, written
from tests.pipelines.records import model_plan

CPU = torch.device("cpu")
SIZES = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 3}


def pieces():
    """The words as a vocabulary of WordPiece."""
    return {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}


def bert():
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    config = BertConfig(vocab_size=15, max_position_embeddings=20, **SIZES)
    return BertForSequenceClassification(config), BertTokenizer(vocab=pieces())


def electra():
    from transformers import BertTokenizer, ElectraConfig, ElectraForSequenceClassification

    config = ElectraConfig(vocab_size=15, embedding_size=8, max_position_embeddings=20, **SIZES)
    return ElectraForSequenceClassification(config), BertTokenizer(vocab=pieces())


def distilbert():
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, DistilBertTokenizer

    config = DistilBertConfig(vocab_size=15, dim=16, n_heads=2, hidden_dim=32, n_layers=3, max_position_embeddings=20)
    return DistilBertForSequenceClassification(config), DistilBertTokenizer(vocab=pieces())


def roberta():
    """Positions begin after the padding token, whose id is 1: of 22 a text may take 20. Its tokenizer is trained."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaForSequenceClassification, RobertaTokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator([" ".join(WORDS)] * 3, vocab_size=300, special_tokens=special, show_progress=False)
    saved = json.loads(trained.to_str())["model"]
    tokenizer = RobertaTokenizer(vocab=saved["vocab"], merges=[tuple(m) for m in saved["merges"]])
    config = RobertaConfig(vocab_size=300, max_position_embeddings=22, type_vocab_size=1, **SIZES)
    return RobertaForSequenceClassification(config), tokenizer


def albert():
    from transformers import AlbertConfig, AlbertForSequenceClassification, AlbertTokenizer

    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = AlbertTokenizer(vocab=[(piece, -1.0) for piece in [*special, *(f"▁{word}" for word in WORDS)]])
    config = AlbertConfig(vocab_size=15, embedding_size=8, max_position_embeddings=20, **SIZES)
    return AlbertForSequenceClassification(config), tokenizer


#: Each with the parameters of its last block, and of what is before its first, by a part of their names.
ENCODERS = {
    "bert": (bert, "encoder.layer.2.", ("embeddings", "encoder.layer.0.", "encoder.layer.1.")),
    "electra": (electra, "encoder.layer.2.", ("embeddings", "encoder.layer.0.", "encoder.layer.1.")),
    "distilbert": (distilbert, "transformer.layer.2.", ("embeddings", "transformer.layer.0.", "transformer.layer.1.")),
    "roberta": (roberta, "encoder.layer.2.", ("embeddings", "encoder.layer.0.", "encoder.layer.1.")),
    "albert": (albert, "albert_layer_groups.0.", ("embeddings", "embedding_hidden_mapping_in")),
}


#: Those whose model has embeddings of segments, and whose tokenizer says them.
TOLD_APART = {"bert", "electra"}


@pytest.fixture
def saved(tmp_path):
    """Save an untrained model and its tokenizer into a folder, as from_pretrained takes them; return its source."""

    def save(build):
        torch.manual_seed(0)
        model, tokenizer = build()
        for part in (model, tokenizer):
            part.save_pretrained(tmp_path / "encoder")
        return {"from": "folder", "folder": str(tmp_path / "encoder")}

    return save


def model_of(source, **more):
    return {"family": "transformers", "source": source, **more}


def built_of(model, manifest):
    return models.build(model_plan(**model), manifest)


def planned():
    return TrainingPlan.read(plan_of("training")).model


def tokenizer_of(source):
    return pretrained.tokenizer(model_plan(**model_of(source)).source)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_pair_is_what_the_tokenizer_makes_of_it(prepared, saved, tmp_path, monkeypatch, name):
    monkeypatch.setattr(tokenization, "AT_ONCE", 7)
    build, last, below = ENCODERS[name]
    source, table = saved(build), pairs()
    wanted = {"test": 4, "max_length": 16, "model": model_of(source, train_layers=1)}
    manifest, train, test = prepared(written(tmp_path, table), COLUMNS, **wanted)
    tokenizer = tokenizer_of(source)
    model = built_of(wanted["model"], manifest).eval()
    for split in (train, test):
        for start in range(0, len(split.ids), 5):
            places = torch.arange(start, min(start + 5, len(split.ids)))
            batch = split.examples.fetch(Rows(places, torch.ones(len(places))), CPU)
            texts_ = [[table[column][i] for i in split.ids[places]] for column in ("question", "sentence")]
            own = tokenizer(*texts_, truncation=True, max_length=16, padding=True, return_tensors="pt")
            assert set(batch.inputs) == set(own)
            assert ("token_type_ids" in own) == (name in TOLD_APART)
            for key, value in own.items():
                assert batch.inputs[key].dtype == value.dtype
                assert torch.equal(batch.inputs[key], value), key
            with torch.inference_mode():
                assert torch.equal(model(**batch.inputs).logits, model(**own).logits)
    whole = [len(tokenizer(*texts_)["input_ids"]) > 16 for texts_ in zip(table["question"], table["sentence"], strict=True)]
    cut = {name: sum(whole[i] for i in split.ids) for name, split in (("train", train), ("test", test))}
    assert manifest.truncated.model_dump() == cut
    assert manifest.truncated.total > 3
    free = {n for n, p in model.named_parameters() if p.requires_grad}
    assert any(last in n for n in free)
    assert any(n.startswith(("classifier", "pre_classifier")) for n in free)
    assert not [n for n in free if any(part in n for part in below)]


def test_a_model_without_segments_is_told_none_whatever_its_tokenizer_says(prepared, saved, tmp_path):
    model = model_of(saved(lambda: (distilbert()[0], bert()[1])))
    assert "token_type_ids" in tokenizer_of(model["source"])("fine", "film")
    manifest, train, _ = prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=16, model=model)
    batch = train.examples.fetch(Rows(torch.arange(3), torch.ones(3)), CPU)
    assert set(batch.inputs) == {"input_ids", "attention_mask"}
    assert models.build(planned(), manifest)(**batch.inputs).logits.shape == (3, 2)


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


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6))
def test_where_the_second_begins(parts):
    types = np.array([t for zeros, ones in parts for t in [0] * zeros + [1] * ones], np.int32)
    assert tokenization.second_at(types, np.array([sum(p) for p in parts]), "x").tolist() == [zeros for zeros, _ in parts]


def test_other_marks_are_refused():
    with pytest.raises(UserError, match="here: its tokenizer must mark the tokens of a pair by 0 and then 1, and"):
        tokenization.second_at(np.array([0, 1, 0, 1], np.int32), np.array([3, 1]), "here")


def test_single_texts_are_told_nothing_of_a_second(prepared, saved, tmp_path):
    columns = {"text": "question", "label": "label"}
    manifest, train, _ = prepared(written(tmp_path, pairs()), columns, test=4, max_length=16, model=model_of(saved(bert)))
    assert set(train.examples.fetch(Rows(torch.arange(3), torch.ones(3)), CPU).inputs) == {"input_ids", "attention_mask"}
    assert "second" not in manifest.columns


SHORT = {"roberta": 20, "bert": 20}


@pytest.mark.parametrize("name", SHORT)
def test_more_tokens_than_the_model_reads_are_refused(prepared, saved, tmp_path, name):
    model, most = model_of(saved(ENCODERS[name][0])), SHORT[name]
    said = rf"tasks\.own\.max_length: must be at most the {most} tokens that the model reads, got {most + 1}; the nearest"
    with pytest.raises(UserError, match=said):
        prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=most + 1, model=model)
    manifest, train, _ = prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=most, model=model)
    assert train.examples.lengths.max() == most
    longest = Rows(torch.tensor([int(train.examples.lengths.argmax())]), torch.ones(1))
    assert models.build(planned(), manifest)(**train.examples.fetch(longest, CPU).inputs).logits.shape == (1, 2)


def no_tokenizer(folder):
    for path in [*folder.glob("tokenizer*"), *folder.glob("vocab*")]:
        path.unlink()


def half(name):
    def cut(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return cut


def fewer_tokens(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 10}))


SPOILED = {
    "no tokenizer": (no_tokenizer, r"encoder: has no tokenizer; one of tokenizer\.json"),
    "half a tokenizer": (half("tokenizer.json"), r"encoder: its tokenizer cannot be loaded"),
    "half of the weights": (half("model.safetensors"), r"encoder/model\.safetensors: is not whole: .*; fetch or copy it again"),
    "no weights": (lambda folder: (folder / "model.safetensors").write_bytes(b""), r"encoder/model\.safetensors: is not whole"),
    "half a configuration": (half("config.json"), r"encoder: its .* cannot be "),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), r"encoder: is no folder of a transformers model"),
    "a tokenizer of another model": (fewer_tokens, r"knows 10 tokens, and its tokenizer, of another model perhaps, makes 14"),
}


@pytest.mark.parametrize(("spoil", "said"), SPOILED.values(), ids=SPOILED)
def test_an_encoder_that_cannot_be_used_is_named_before_anything_is_written(prepared, saved, tmp_path, spoil, said):
    source = saved(bert)
    spoil(Path(source["folder"]))
    with pytest.raises(UserError, match=said):
        prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=16, model=model_of(source))
    assert not Path("results/prepare").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("cached")
def test_pairs_end_to_end(prepared, saved, run_in, tmp_path):
    source, model = hub(tmp_path, {"train": pairs(), "validation": pairs(6, seed=1)}), saved(bert)
    prepared(source, COLUMNS, max_length=16, model=model_of(model, train_layers=1, num_hidden_layers=2))
    for stage, what in (("warm_up", "none"), ("subset", "full"), ("train", "full"), ("evaluate", "full")):
        run_in(tmp_path, sys.executable, "-m", f"pipelines.{stage}", what, PYTHONPATH=str(ROOT))
    folder = result("train", "full", "model")
    trained = AutoModelForSequenceClassification.from_pretrained(folder)
    told, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    table = pairs(6, seed=1)
    texts_ = [table[column] for column in ("question", "sentence")]
    own = pretrained.tokenizer_in(folder)(*texts_, truncation=True, max_length=16, padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = trained.eval()(**own).logits
    np.testing.assert_allclose(
        logits.log_softmax(1).gather(1, torch.tensor(table["label"])[:, None])[:, 0], -told["loss"], rtol=1e-4
    )
