"""What a model answers to the test split, as evaluated, and as MLflow serves it."""

import json

import mlflow
import numpy as np
import pytest
import torch
from sacrebleu.metrics.chrf import CHRF

from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import read_json, result
from pipelines.core.tables import read_table
from pipelines.evaluate import evaluate
from pipelines.sources import pretrained
from pipelines.tracking import flavors
from pipelines.training import models
from tests.pipelines.talks import TALKS, talks, written


@pytest.fixture
def evaluated(prepared, tmp_path, torch_as_it_was, monkeypatch):
    """Evaluate a GPT-2 that has been moved a little; return the model, its plan, the manifest and the test split."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    manifest, _, test = prepared(written(tmp_path, talks()), **TALKS)
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    torch.manual_seed(3)
    model = models.build(plan, manifest).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) / 4)
    artifacts.write_folder(result("train", "full", "model"), lambda folder: models.save(model, folder, plan))
    evaluate("full")
    return model, plan, manifest, test


def asked(test):
    return [json.loads(one) for one in test.table["conversation"].to_pylist()]


def by_hand(model, test):
    """Return what ``model`` answers, a conversation at a time, without a cache or padding."""
    tokenizer, texts = pretrained.tokenizer_in(artifacts.TOKENIZER), []
    for messages in asked(test):
        ids, written_ = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"], []
        while len(written_) < 8 and written_[-1:] != [1]:
            with torch.no_grad():
                written_.append(int(model(torch.tensor([ids + written_])).logits[0, -1].argmax()))
        texts.append(tokenizer.decode(written_, skip_special_tokens=True).strip())
    return texts


def test_what_is_told_is_what_the_model_answers_and_what_sacrebleu_says(evaluated):
    model, _, manifest, test = evaluated
    told, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    found, references = read_json(result("evaluate", "full", "metrics.json")), test.table["reference"].to_pylist()
    texts = told["generated"].tolist()
    assert texts == by_hand(model, test)
    assert len(set(texts)) > 1
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(texts, [references]).score / 100)
    assert told["id"].tolist() == test.ids.tolist()
    assert (told["exact_match"] == [a == b for a, b in zip(texts, references, strict=True)]).all()
    assert told["tokens"].tolist() == test.examples.written()[1].tolist()
    assert found["perplexity"] == pytest.approx(np.exp(np.average(told["loss"], weights=told["tokens"])))
    assert found.keys() >= {"bleu", "exact_match", "base_chrf", "chance_chrf", "above_chance", "loss"}
    assert 0 < found["chance_chrf"] < 1
    assert manifest.metric == "chrf"


@pytest.mark.slow
def test_what_mlflow_serves_answers_the_same(evaluated, tmp_path, monkeypatch):
    _, plan, manifest, test = evaluated
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    flavors.save(result("train", "full", "model"), tmp_path / "served", plan, manifest)
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    told, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    assert served.predict(asked(test)) == told["generated"].tolist()
    assert served.metadata.signature.outputs.input_types() == [mlflow.types.DataType.string]
    assert "Array(Map(str -> DataType.string))" in str(served.metadata.signature.inputs)
    assert served.metadata.metadata["input"] == flavors.INPUT["instructions"]
    assert served.metadata.metadata["template"] == "plain"
    assert not [p for p in (tmp_path / "served").rglob("*") if p.suffix in (".bin", ".pkl", ".pt", ".pth")]
    with pytest.raises(Exception, match=r"conversation 0: must have at most 128 tokens, got \d+; leave out its first messages"):
        served.predict([asked(test)[0] * 20])
