"""Texts and pairs reach the model as its tokenizer writes them, whatever the model; one that cannot take them is named."""

import sys

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
from tests.pipelines.encoders import ENCODERS, bert, built_of, distilbert, model_of
from tests.pipelines.records import model_plan
from tests.pipelines.text_pairs import COLUMNS, hub, pairs, written

CPU = torch.device("cpu")


#: Those whose model has embeddings of segments, and whose tokenizer says them.
TOLD_APART = {"bert", "electra"}


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
