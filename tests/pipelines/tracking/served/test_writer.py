"""What a model writes for the test split, as evaluated, and as MLflow serves it."""

import mlflow
import numpy as np
import pandas as pd
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
from tests.pipelines.summaries import SEQ2SEQ, written


@pytest.fixture
def evaluated(prepared, tmp_path, torch_as_it_was, monkeypatch):
    """Evaluate a T5 that has been moved a little; return the model, its plan, the manifest and the test split."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    manifest, _, test = prepared(written(tmp_path), **SEQ2SEQ, max_target_length=9)
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    torch.manual_seed(3)
    model = models.build(plan, manifest).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) / 4)
    artifacts.write_folder(result("train", "full", "model"), lambda folder: models.save(model, folder, plan))
    evaluate("full")
    return model, plan, manifest, test


def by_hand(model, test):
    """Return what ``model`` writes, a text at a time, without a cache."""
    tokenizer, texts = pretrained.tokenizer_in(artifacts.TOKENIZER), []
    for source in test.table["source"].to_pylist():
        given, written_ = tokenizer(source, return_tensors="pt"), [0]
        while len(written_) < 10 and written_[-1] != 1:
            with torch.no_grad():
                found = model(**given, decoder_input_ids=torch.tensor([written_])).logits
            written_.append(int(found[0, -1].argmax()))
        texts.append(tokenizer.decode(written_, skip_special_tokens=True))
    return texts


def test_what_is_told_is_what_the_model_writes_and_what_sacrebleu_says(evaluated):
    model, _, manifest, test = evaluated
    told, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    found, references = read_json(result("evaluate", "full", "metrics.json")), test.table["reference"].to_pylist()
    texts = told["generated"].tolist()
    assert texts == by_hand(model, test)
    assert len(set(texts)) > 1
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(texts, [references]).score / 100)
    assert told["id"].tolist() == test.ids.tolist()
    assert (told["exact_match"] == [a == b for a, b in zip(texts, references, strict=True)]).all()
    tokenizer = pretrained.tokenizer_in(artifacts.TOKENIZER)
    assert told["tokens"].tolist() == [min(9, len(tokenizer(r)["input_ids"])) for r in references]
    assert found["perplexity"] == pytest.approx(np.exp(np.average(told["loss"], weights=told["tokens"])))
    assert found.keys() >= {"bleu", "exact_match", "base_chrf", "chance_chrf", "above_chance", "loss"}
    # The commonest target of training, of which each is there once or twice.
    assert 0 < found["chance_chrf"] < 1
    assert manifest.metric == "chrf"


@pytest.mark.slow
def test_what_mlflow_serves_writes_the_same_texts(evaluated, tmp_path, monkeypatch):
    _, plan, manifest, test = evaluated
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    flavors.save(result("train", "full", "model"), tmp_path / "served", plan, manifest)
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    told, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    assert served.predict(test.table["source"].to_pylist()) == told["generated"].tolist()
    table = pd.DataFrame({"source": test.table["source"].to_pylist()})
    assert served.predict(table) == told["generated"].tolist()
    assert served.metadata.signature.inputs.input_types() == [mlflow.types.DataType.string]
    assert served.metadata.signature.outputs.input_types() == [mlflow.types.DataType.string]
    assert served.metadata.metadata["input"] == flavors.INPUT["seq2seq"]
    assert not [p for p in (tmp_path / "served").rglob("*") if p.suffix in (".bin", ".pkl", ".pt", ".pth")]
