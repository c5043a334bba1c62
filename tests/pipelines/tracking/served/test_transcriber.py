"""What a model hears in the test split, as evaluated, and as MLflow serves it."""

import json
import subprocess
import sys

import jiwer
import mlflow
import pytest
import soundfile
import torch

from components.evidence.transcripts import Transcripts
from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import read_json, result
from pipelines.core.tables import read_table
from pipelines.evaluate import evaluate
from pipelines.tracking import flavors
from pipelines.training import models
from tests.pipelines.speech import TRANSCRIBED, WAVE, hub_like, speech

KINDS = {
    "bands": lambda folder: {},
    "waveforms": lambda folder: WAVE,
    "its own tokenizer": lambda folder: {
        "model": {"family": "transformers", "source": hub_like(folder)},
        "audio": {"max_seconds": 1.5},
    },
    "one by one": lambda folder: {
        "model": {"family": "transformers", "source": hub_like(folder, norm="group")},
        "audio": {"max_seconds": 1.5},
    },
}


@pytest.fixture(params=KINDS)
def evaluated(request, prepared, tmp_path, torch_as_it_was, monkeypatch):
    """Evaluate a model that has been moved a little; return the model, its plan, the manifest and the test split."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    manifest, _, test = prepared(speech(tmp_path / "songs"), **TRANSCRIBED | KINDS[request.param](tmp_path / "model"), test=8)
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    torch.manual_seed(3)
    model = models.build(plan, manifest).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "_head" in name:
                parameter.add_(2 * torch.randn_like(parameter))
    artifacts.write_folder(
        result("train", "full", "model"), lambda folder: models.save(model, folder, plan, artifacts.TOKENIZER)
    )
    evaluate("full")
    return model, plan, manifest, test


def test_what_is_told_is_what_the_model_hears_and_what_jiwer_says(evaluated):
    model, _, manifest, test = evaluated
    told, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    found, references = read_json(result("evaluate", "full", "metrics.json")), test.table["reference"].to_pylist()
    texts = told["transcribed"].tolist()
    assert len(set(texts)) > 1
    assert told["id"].tolist() == test.ids.tolist()
    assert found["wer"] == pytest.approx(jiwer.wer(references, texts))
    assert found["cer"] == pytest.approx(jiwer.cer(references, texts))
    assert told["tokens"].tolist() == [len(r) for r in references]
    assert found.keys() >= {"base_wer", "chance_wer", "above_chance", "loss"}
    assert found["chance_wer"] == 1.0
    for i in range(len(texts)):
        batch = test.examples.fetch(Rows.unweighted(torch.tensor([i])), torch.device("cpu"))
        with torch.no_grad():
            loss = Transcripts(manifest.pad).see(model(**batch.inputs), batch.target, norm=False).loss
        assert told["loss"][i] == pytest.approx(float(loss), rel=1e-4)


@pytest.mark.slow
def test_what_mlflow_serves_hears_the_same(request, evaluated, tmp_path, monkeypatch):
    _, plan, manifest, test = evaluated
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    flavors.save(result("train", "full", "model"), tmp_path / "served", plan, manifest)
    told, _ = read_table(result("evaluate", "full", "predictions.parquet"))
    sounds = [soundfile.read(file, dtype="float32")[0].tolist() for file in test.table["file"].to_pylist()]
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    assert served.predict(sounds) == told["transcribed"].tolist()
    assert served.metadata.metadata["audio"]["sampling_rate"] == 8000
    assert served.metadata.metadata["input"] == flavors.INPUT["transcript"]
    assert "Array(double)" in str(served.metadata.signature.inputs)
    assert not [p for p in (tmp_path / "served").rglob("*") if p.suffix in (".bin", ".pkl", ".pt", ".pth")]
    if "bands" not in request.node.callspec.id:
        return
    # By the command, as a user would.
    given, said = tmp_path / "sounds.json", tmp_path / "said.json"
    given.write_text(json.dumps({"inputs": sounds[:2]}))
    command = [sys.executable, "-m", "mlflow", "models", "predict", "-m", str(tmp_path / "served"), "-i", str(given)]
    done = subprocess.run([*command, "-o", str(said), "--env-manager", "local"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(said.read_text())["predictions"] == told["transcribed"].tolist()[:2]
