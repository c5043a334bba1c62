"""Models of sounds are trained, resumed, evaluated and served alike."""

import os
import shutil
import subprocess

import mlflow
import numpy as np
import pytest
import torch

from components.tasks.batch import Rows
from components.tasks.sound import Sounds
from pipelines import evaluate, subset, train, warm_up
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.tracking import flavors
from pipelines.training import job as training_job
from pipelines.training import models
from tests.conftest import ROOT
from tests.pipelines.sound_encoders import BANDS, WAVES, ast, conformer, saved_at
from tests.pipelines.tones import AUDIO, tones
from tests.pipelines.training.conftest import SETTINGS, train_with_stops
from tests.pipelines.training.test_frozen_features import Meter

#: What a training leaves but its cost record, which holds timings.
TRAINED = ("ledger.parquet", "history.json")


def pretrained(build, **more):
    return lambda folder: {
        "model": {"family": "transformers", "source": saved_at(folder, build)[2], **more},
        "audio": {"max_seconds": 0.2},
    }


def untrained(name, options, **audio):
    return lambda folder: {"model": {"family": "untrained", "type": name, "options": options}, "audio": AUDIO | audio}


MODELS = {
    "mel-cnn": lambda folder: {"model": {"family": "small", "name": "mel-cnn", "options": {"widths": [4, 8]}}, "audio": AUDIO},
    "an AST by its configuration": untrained("audio-spectrogram-transformer", BANDS),
    "a conformer by its configuration": untrained("wav2vec2-conformer", WAVES, features="waveform"),
    "an AST": pretrained(ast),
    "a conformer": pretrained(conformer),
    "an AST by adapters": pretrained(ast, lora={"rank": 2, "targets": ["q_proj", "v_proj"]}),
    "a conformer by adapters": pretrained(conformer, lora={"rank": 2, "targets": ["linear_q"]}),
}
each_model = pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)


@pytest.fixture
def write_task(write_params, tmp_path, torch_as_it_was, monkeypatch):
    """Plan and prepare a task of a few tones."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setattr(training_job, "EnergyMeter", Meter)

    def write(build, method="full", **training):
        own = {"kind": "audio", "source": tones(tmp_path / "tones", 40), "test": 10, "licence": "none", "citation": "none"}
        own |= build(tmp_path / "encoder") | {"training": SETTINGS | {"batch_size": 8} | training}
        write_params({"task": "own", "compare": {"full": "none", method: "none"}, "tasks": {"own": own}})
        plan()
        prepare()
        warm_up.warm_up("none")
        subset.subset(method)

    return write


def trained():
    """Return the bytes of the weights that were trained, and of the records of their training."""
    files = [models.weights_in(result("train", "full", "model")), *(result("train", "full", file) for file in TRAINED)]
    return {file.name: file.read_bytes() for file in files}


def test_tones_are_told_apart(write_task):
    write_task(MODELS["mel-cnn"], epochs=4, optimizer={"name": "adamw", "learning_rate": 0.02})
    train.train("full")
    evaluate.evaluate("full")
    assert read_json(result("evaluate", "full", "metrics.json"))["accuracy"] == 1.0


@pytest.mark.slow
@each_model
def test_what_is_served_says_what_was_evaluated(write_task, tmp_path, monkeypatch, build):
    write_task(build)
    train.train("full")
    evaluate.evaluate("full")
    manifest, planned = Manifest.prepared(), TrainingPlan.read(artifacts.plan_of("training")).model
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with models.whole(result("train", "full", "model"), planned, manifest) as trained:
        flavors.save(trained, tmp_path / "served", planned, manifest)
    assert not [p for p in (tmp_path / "served").rglob("*") if p.suffix in (".bin", ".pkl", ".pickle", ".pt", ".pth")]
    split = read_split("test", manifest)
    given = split.examples.fetch(Rows.unweighted(torch.arange(10)), torch.device("cpu")).inputs["input"].numpy()
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    assert served.metadata.signature.inputs.to_dict()[0]["tensor-spec"] == {"dtype": "float32", "shape": (-1, *manifest.shape)}
    facts = served.metadata.metadata
    assert facts["audio"]["sampling_rate"] == 8000
    assert facts["shape"] == manifest.shape
    logits = served.predict(given)
    table, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    assert logits.argmax(1).tolist() == table["predicted"].tolist()
    losses = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(table["target"]), reduction="none")
    np.testing.assert_allclose(table["loss"], losses, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@each_model
def test_a_stopped_run_goes_on_to_the_same_bytes(write_task, monkeypatch, build):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", "0")
    write_task(build)
    train.train("full")
    expected = trained()
    shutil.rmtree(result("train", "full", "model"))
    train_with_stops(monkeypatch, Sounds, (2, 7))
    assert trained() == expected


@pytest.mark.slow
@pytest.mark.parametrize("method", ["autoassist", "adaselection", "importance", "input-gradient-norm"])
def test_a_method_of_each_door_runs_on_waveforms(write_task, method):
    write_task(MODELS["a conformer by its configuration"], method)
    train.train(method)
    evaluate.evaluate(method)
    assert np.isfinite(read_json(result("evaluate", method, "metrics.json"))["loss"])


def table_of_prompts(path):
    """Write the table by the second command of the documentation's page."""
    page = (ROOT / "docs/how-to/audio.md").read_text(encoding="utf-8")
    command = page.partition("```sh\n")[2].partition("```")[0].partition("\n\n")[2]
    path.parent.mkdir()
    subprocess.run(["bash", "-c", command], cwd=path.parents[1], check=True, env=os.environ)


@pytest.mark.slow
def test_languages_of_prompts_are_told_apart_and_no_prompt_is_in_both_splits(write_params, tmp_path, torch_as_it_was):
    table_of_prompts(tmp_path / "data/spoken-language.tsv")
    write_params({"task": "spoken-language", "compare": {"full": "none"}, "tasks.spoken-language.training.epochs": 3})
    plan()
    prepare()
    manifest = Manifest.prepared()
    assert manifest.classes == ["en", "es", "fr", "it", "ru"]
    assert manifest.counts.model_dump() == {"train": 2063, "test": 692}
    prompts = [
        {f.partition("asterisk/sounds/")[2].partition("/")[2] for f in read_split(name, manifest).table["file"].to_pylist()}
        for name in ("train", "test")
    ]
    assert not prompts[0] & prompts[1]
    warm_up.warm_up("none")
    subset.subset("full")
    train.train("full")
    evaluate.evaluate("full")
    found = read_json(result("evaluate", "full", "metrics.json"))
    assert found["accuracy"] > 0.9 > 0.3 > found["chance_accuracy"]
