"""Metrics and predictions of a saved model, beside scikit-learn's and the model's own."""

import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, r2_score

from components.tasks.batch import Rows
from pipelines.core.artifacts import digest_of, read_json, result
from pipelines.core.tables import read_table
from pipelines.data.split_files import read_split
from pipelines.evaluate import evaluate
from pipelines.training.models import WEIGHTS


def test_what_is_told_of_a_model_is_what_it_says(text_results, torch_as_it_was, monkeypatch):
    model, _, manifest = text_results
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    evaluate("full")
    told, origin = read_table(result("evaluate", "full", "predictions.parquet"))
    found = read_json(result("evaluate", "full", "metrics.json"))
    split, learnt = read_split("test", manifest), read_split("train", manifest).examples.target
    batch = split.examples.fetch(Rows(torch.arange(4), torch.ones(4)), torch.device("cpu"))
    with torch.inference_mode():
        output = model(**batch.inputs).logits.numpy()
    assert told["id"].tolist() == split.ids.tolist()
    assert origin["checkpoint"] == digest_of(result("train", "full", "model") / WEIGHTS)
    if manifest.target == "number":
        scale = manifest.label_scale
        np.testing.assert_allclose(told["predicted"], output[:, 0] * scale.deviation + scale.mean, rtol=1e-5)
        score = r2_score(told["target"], told["predicted"])
        chance = r2_score(told["target"], np.full(4, scale.mean))
    else:
        assert told["predicted"].tolist() == output.argmax(1).tolist()
        score = accuracy_score(split.examples.target, told["predicted"])
        chance = (split.examples.target == np.bincount(learnt).argmax()).mean()
    assert found[manifest.metric] == pytest.approx(score)
    assert found[f"chance_{manifest.metric}"] == pytest.approx(chance)
    assert found["above_chance"] <= score - chance + 1e-9


def test_the_score_before_training_is_that_of_full_alone(text_results, torch_as_it_was, monkeypatch):
    _, _, manifest = text_results
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    shutil.copytree(result("train", "full", "model"), result("train", "uniform", "model"))
    told = []
    for name in ("full", "uniform"):
        evaluate(name)
        told.append(read_json(result("evaluate", name, "metrics.json")))
    assert told[0].keys() - told[1].keys() == {f"base_{manifest.metric}"}
    assert {key: told[0][key] for key in told[1]} == told[1]
