"""A stage that is killed at any instant goes on at the next call and ends with the same bytes."""

import json
import random
import shutil
import signal
import time

import pytest

from tests.conftest import defaults
from tests.pipelines.killed_stages import finish, kill_until_done, outputs, start

pytestmark = pytest.mark.slow
#: Everything a training stage writes but its cost record, which holds timings.
TRAINED = ("model/model.safetensors", "ledger.parquet", "history.json")


@pytest.fixture(scope="module")
def warmed_up(tmp_path_factory):
    """A folder in which SwiftLearn on digits can be trained: planned, prepared, warmed up and selected."""
    import yaml

    folder = tmp_path_factory.mktemp("warmed_up")
    params = defaults()
    params |= {"task": "digits", "compare": {"full": "none", "swiftlearn": "two-epochs"}}
    params["methods"]["swiftlearn"] = {"fraction": 0.5, "refresh": 2}
    # Dropout, batch norm, momentum and augmentation: everything that a checkpoint can forget.
    params["tasks"]["digits"]["model"]["name"] = "cnn"
    params["tasks"]["digits"]["training"]["augment"] = [{"crop": {"padding": 1}}, {"rand-augment": {}}, {"erase": {}}]
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for arguments in (["plan"], ["prepare"], ["warm_up", "two-epochs"], ["subset", "swiftlearn"]):
        finish(start(folder, f"pipelines.{arguments[0]}", *arguments[1:], seconds="60"))
    return folder


def ends(folder, stage, name):
    """Return the epochs of whose ends the cost record knows what had been spent, which never becomes less."""
    found = json.loads((folder / "results" / "cost" / f"{stage}.{name}.json").read_text())["ends"]
    for key in ("cpu_seconds", "kwh"):
        spent = [end[key] for end in found]
        assert spent == sorted(spent)
    return [end["epoch"] for end in found]


@pytest.mark.parametrize(
    ("stage", "name", "files"),
    [("warm_up", "two-epochs", ("scores.parquet", "state.safetensors", "history.json")), ("train", "swiftlearn", TRAINED)],
)
def test_killed_at_random_instants_it_ends_with_the_same_bytes(warmed_up, stage, name, files):
    seed = random.randrange(10**6)
    finish(start(warmed_up, f"pipelines.{stage}", name, seconds="60"))
    expected, ended = outputs(warmed_up, stage, name, files), ends(warmed_up, stage, name)
    for file in files:
        (warmed_up / "results" / stage / name / file).unlink()
    assert kill_until_done(warmed_up, stage, name, random.Random(seed)) >= 2, f"seed {seed}: too quick to be killed"
    assert outputs(warmed_up, stage, name, files) == expected, f"seed {seed}"
    assert ends(warmed_up, stage, name) == ended, f"seed {seed}"
    assert not list((warmed_up / ".winnow" / "checkpoints").iterdir())


def test_killed_on_one_machine_it_goes_on_on_another_from_a_shared_copy(warmed_up, tmp_path, monkeypatch):
    finish(start(warmed_up, "pipelines.train", "swiftlearn", seconds="60"))
    expected = outputs(warmed_up, "train", "swiftlearn", TRAINED)
    first, second = (shutil.copytree(warmed_up, tmp_path / name) for name in ("first", "second"))
    copies = tmp_path / "copies"
    monkeypatch.setenv("WINNOW_CHECKPOINTS", str(copies))
    process = start(first, "pipelines.train", "swiftlearn")
    while process.poll() is None and not list(copies.glob("*.safetensors")):
        time.sleep(0.005)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    said = finish(start(second, "pipelines.train", "swiftlearn", seconds="60"))
    assert "resumes from the shared copy, epoch " in said
    assert outputs(second, "train", "swiftlearn", TRAINED) == expected
    assert not list(copies.iterdir())


def test_control_c_saves_and_says_so_and_the_next_call_goes_on(warmed_up):
    finish(start(warmed_up, "pipelines.train", "swiftlearn", seconds="60"))
    expected = outputs(warmed_up, "train", "swiftlearn", TRAINED)
    process = start(warmed_up, "pipelines.train", "swiftlearn")
    saved = warmed_up / ".winnow" / "checkpoints"
    while process.poll() is None and not list(saved.glob("train.*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "stopped; the next call goes on from here" in said
    assert "Traceback" not in said
    assert len(list(saved.glob("train.swiftlearn.*"))) == 1
    said = finish(start(warmed_up, "pipelines.train", "swiftlearn", seconds="60"))
    assert "epoch 3" not in said or "epoch 4" in said
    assert outputs(warmed_up, "train", "swiftlearn", TRAINED) == expected


def test_a_checkpoint_of_other_settings_is_not_gone_on_with(warmed_up):
    process = start(warmed_up, "pipelines.train", "swiftlearn")
    saved = warmed_up / ".winnow" / "checkpoints"
    while process.poll() is None and not list(saved.glob("train.*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    plan = warmed_up / "results" / "plan" / "training.json"
    original = plan.read_text()
    try:
        plan.write_text(original.replace('"seed": 0', '"seed": 1'))
        process = start(warmed_up, "pipelines.train", "swiftlearn")
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "state.safetensors: was made from other seed: it has 0, this run has 1" in said
    finally:
        plan.write_text(original)
    finish(start(warmed_up, "pipelines.train", "swiftlearn", seconds="60"))


def test_a_state_of_another_warm_up_is_refused_before_training(warmed_up):
    plan = warmed_up / "results" / "plan" / "warm_ups" / "two-epochs.json"
    original = plan.read_text()
    try:
        plan.write_text(original.replace('"train"', '"eval"'))
        process = start(warmed_up, "pipelines.train", "swiftlearn")
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "state.safetensors: was made from other warm_up: " in said
    finally:
        plan.write_text(original)


def test_a_tampered_subset_is_refused_before_training(warmed_up):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = warmed_up / "results" / "subset" / "swiftlearn" / "subset.parquet"
    original = path.read_bytes()
    try:
        table = pq.read_table(path)
        pq.write_table(table.set_column(1, "weight", pa.array([2.0] * len(table), pa.float32())), path)
        process = start(warmed_up, "pipelines.train", "swiftlearn")
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "subset.parquet: was changed after it was written" in said
    finally:
        path.write_bytes(original)


def test_a_loss_that_is_no_number_is_named_by_id_and_step(warmed_up):
    plan = warmed_up / "results" / "plan" / "training.json"
    original = plan.read_text()
    try:
        plan.write_text(original.replace('"learning_rate": 0.05', '"learning_rate": 1e+30'))
        process = start(warmed_up, "pipelines.warm_up", "two-epochs")
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2, said
        assert "warm_up@two-epochs: the loss of id " in said
        assert " at step " in said
    finally:
        plan.write_text(original)
