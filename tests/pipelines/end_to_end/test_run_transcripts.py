"""Models of transcripts are trained, resumed and judged alike, by bands and by waveforms; and on Debian's prompts."""

import os
import shutil
import subprocess

import mlflow
import numpy as np
import pytest
import soundfile

from components.tasks.sound import Transcribed
from pipelines import evaluate, subset, train, warm_up
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.costs.energy_meter import EnergyMeter
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.tracking import comparison as tracking
from pipelines.training import job as training_job
from tests.conftest import ROOT
from tests.pipelines.speech import TRANSCRIBED, WAVE, hub_like, speech
from tests.pipelines.training.conftest import SETTINGS, train_with_stops
from tests.pipelines.training.test_frozen_features import Meter

#: What a training leaves but its cost record, which holds timings.
TRAINED = ("model/model.safetensors", "ledger.parquet", "history.json")
MODELS = {
    "bands": lambda folder: {},
    "waveforms": lambda folder: WAVE,
    "pretrained, one by one": lambda folder: {
        "model": {"family": "transformers", "source": hub_like(folder, norm="group"), "train_layers": 1},
        "audio": {"max_seconds": 1.5},
    },
}


@pytest.fixture
def write_task(write_params, tmp_path, torch_as_it_was, monkeypatch):
    """Plan and prepare a task of a few songs."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setattr(training_job, "EnergyMeter", Meter)

    def write(build, method="full", **training):
        own = TRANSCRIBED | {"source": speech(tmp_path / "songs"), "test": 6, "licence": "none", "citation": "none"}
        more = {key: training.pop(key) for key in ("validation", "metric") if key in training}
        own |= build(tmp_path / "model") | more | {"training": SETTINGS | {"batch_size": 5} | training}
        write_params({"task": "own", "compare": {"full": "none", method: "none"}, "tasks": {"own": own}})
        plan()
        prepare()
        warm_up.warm_up("none")
        subset.subset(method)

    return write


@pytest.mark.slow
def test_songs_are_spelt(write_task):
    write_task(MODELS["bands"], epochs=60, optimizer={"name": "adamw", "learning_rate": 0.01})
    train.train("full")
    evaluate.evaluate("full")
    found = read_json(result("evaluate", "full", "metrics.json"))
    assert found["cer"] < 0.5 < found["chance_wer"] == 1.0
    assert found["loss"] < 1


@pytest.mark.slow
@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_a_stopped_run_goes_on_to_the_same_bytes(write_task, monkeypatch, build):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", "0")
    write_task(build)
    train.train("full")
    expected = [result("train", "full", file).read_bytes() for file in TRAINED]
    shutil.rmtree(result("train", "full", "model"))
    train_with_stops(monkeypatch, Transcribed, (2, 7))
    assert [result("train", "full", file).read_bytes() for file in TRAINED] == expected


@pytest.mark.slow
@pytest.mark.parametrize("method", ["autoassist", "adaselection", "uniform-fixed", "input-gradient-norm", "infobatch"])
def test_a_method_of_each_door_runs(write_task, method):
    write_task(MODELS["bands"], method)
    train.train(method)
    evaluate.evaluate(method)
    found = read_json(result("evaluate", method, "metrics.json"))
    assert np.isfinite([found["loss"], found["wer"], found["cer"]]).all()
    ledger, _ = tables.read_table(result("train", method, "ledger.parquet"))
    assert np.isfinite(ledger["loss"][ledger["trained"] > 0]).all()


@pytest.mark.slow
def test_the_epoch_of_the_fewest_wrong_characters_is_kept(write_task, monkeypatch):
    monkeypatch.setattr(training_job, "EnergyMeter", EnergyMeter)  # which knows what is set apart
    keep = {"evaluate_every": 1, "keep": "best"}
    write_task(
        MODELS["bands"], validation=0.3, metric="cer", epochs=5, optimizer={"name": "adamw", "learning_rate": 0.02}, **keep
    )
    train.train("full")
    evaluate.evaluate("full")
    assert (Manifest.prepared().metric, Manifest.prepared().higher) == ("cer", False)
    judged = [record["validation"]["cer"] for record in read_json(result("train", "full", "history.json"))]
    assert len(judged) == 5
    assert read_json(result("evaluate", "full", "metrics.json")).keys() >= {"base_cer", "chance_cer", "above_chance"}


def table_of_prompts(path):
    """Write the table by the second command of the documentation's page."""
    page = (ROOT / "docs/how-to/transcripts.md").read_text(encoding="utf-8")
    command = page.partition("```sh\n")[2].partition("```")[0].partition("\n\n")[2]
    path.parent.mkdir()
    subprocess.run(["bash", "-c", command], cwd=path.parents[1], check=True, env=os.environ)


@pytest.mark.slow
def test_prompts_have_what_is_said_in_them_and_what_is_said_twice_is_in_one_split(write_params, tmp_path, torch_as_it_was):
    table_of_prompts(tmp_path / "data/prompts.tsv")
    epochs = {"tasks.prompts.training.epochs": 3, "tasks.prompts.training.schedule": {"name": "linear", "ramp": 1, "hold": 1}}
    write_params({"task": "prompts", "compare": {"full": "none"}, **epochs})
    plan()
    prepare()
    manifest = Manifest.prepared()
    assert manifest.counts.model_dump() == {"train": 392, "test": 130}
    splits = [read_split(name, manifest).table for name in ("train", "test")]
    said = [set(table["reference"].to_pylist()) for table in splits]
    assert not said[0] & said[1]
    letters = set("".join(said[0] | said[1]))
    assert letters == set("abcdefghijklmnopqrstuvwxyz '")
    seconds = {f: soundfile.info(f).duration for table in splits for f in table["file"].to_pylist()}
    assert 7 < max(seconds.values()) <= 8
    by_file = dict(zip(splits[0]["file"].to_pylist(), splits[0]["reference"].to_pylist(), strict=True))
    known = {f.rpartition("/")[2]: text for f, text in by_file.items()} | {
        f.rpartition("/")[2]: text
        for f, text in zip(splits[1]["file"].to_pylist(), splits[1]["reference"].to_pylist(), strict=True)
    }
    assert known["vm-delete.wav"] == "press seven to delete this message"
    assert known["at.wav"] == "at"
    assert not {"beep.wav", "tt-monkeys.wav", "spy-h323.wav", "demo-instruct.wav", "enter_filename.wav"} & known.keys()
    warm_up.warm_up("none")
    subset.subset("full")
    train.train("full")
    evaluate.evaluate("full")
    found = read_json(result("evaluate", "full", "metrics.json"))
    assert found["loss"] < 4
    assert (artifacts.TOKENIZER / "vocab.json").exists()


@pytest.mark.slow
def test_songs_to_a_comparison_and_a_served_model(run_alone, tmp_path, monkeypatch):
    source = speech(tmp_path / "songs")
    small = {"columns": TRANSCRIBED["columns"], "audio": TRANSCRIBED["audio"], "model": TRANSCRIBED["model"], "test": 6}
    copy = run_alone(
        "prompts", source=source, **small, training={"epochs": 3, "schedule": {"name": "linear", "ramp": 1, "hold": 1}}
    )
    monkeypatch.chdir(copy)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy / 'mlflow.db'}")
    assert tracking.publish() is not None
    found = read_json(result("evaluate", "full", "metrics.json"))
    row = read_json(artifacts.COMPARISON / "comparison.json")["rows"][0]
    assert {k: row[k] for k in ("wer", "cer")} == {k: found[k] for k in ("wer", "cer")}
    client = mlflow.MlflowClient(f"sqlite:///{copy / 'mlflow.db'}")
    (logged,) = client.search_logged_models([client.get_experiment_by_name("winnow").experiment_id])
    assert client.get_run(logged.source_run_id).data.metrics["test_wer"] == pytest.approx(found["wer"])
    told, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    files = read_split("test", Manifest.prepared()).table["file"].to_pylist()
    served = mlflow.pyfunc.load_model(logged.artifact_location.removeprefix("file://"))
    assert served.predict([soundfile.read(f, dtype="float32")[0].tolist() for f in files]) == told["transcribed"].tolist()
