"""A training that is judged while it goes: the same training, its best weights, its early end, resumed to the byte."""

import random
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from components.epoch_records import ValidatedEpoch
from components.evaluation.metrics import metrics, predict
from pipelines import train
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, plan_of, result
from pipelines.core.errors import Stopped
from pipelines.core.signals import STOP
from pipelines.costs.history import history_of
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.subset import subset
from pipelines.training import builders, job, models
from pipelines.training.models import WEIGHTS
from pipelines.warm_up import warm_up
from tests.pipelines.records import cost_record

TRAINING = {
    "epochs": 6,
    "batch_size": 4,
    "look_size": 8,
    "threads": 1,
    "optimizer": {"name": "sgd", "learning_rate": 0.5, "momentum": 0.9},
    "schedule": {"name": "constant", "ramp": 0.1, "hold": 2},
}
#: A method of every door, with its warm-up.
COMPARED = {"full": "none", "swiftlearn": "two-epochs", "autoassist": "none", "big-loss": "none"}


class Meter(SimpleNamespace):
    """Stands for the energy meter, which asks the machine for a second: a window takes 1 kWh."""

    def start(self):
        pass

    def stop(self):
        pass

    @contextmanager
    def apart(self):
        yield
        self.apart_kwh += 1.0

    def record(self):
        return cost_record().metered


@pytest.fixture
def planned(write_params, tmp_path, torch_as_it_was, monkeypatch):
    """Plan and prepare a table of sixty noisy rows, twelve of which validate; return the validation split."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    spent = dict.fromkeys(("cpu", "gpu", "memory"), 0.0)
    monkeypatch.setattr(job, "EnergyMeter", lambda *_: Meter(kwh=dict(spent), apart_kwh=0.0))
    noise = random.Random(3)
    rows = [f"{i % 7},{(i * 5) % 11},{'ab'[(i % 7 > 3) != (noise.random() < 0.3)]}" for i in range(75)]
    (tmp_path / "own.csv").write_text("\n".join(["x,z,y", *rows]))

    def run(warm_ups=("none",), **training):
        own = {"kind": "table", "source": {"from": "files", "train": "own.csv"}, "licence": "none", "citation": "none"}
        own |= {"columns": {"numbers": ["x", "z"], "label": "y"}, "test": 15, "validation": 0.2}
        own |= {"model": {"family": "small", "name": "table-mlp"}, "training": TRAINING | training}
        write_params({"task": "own", "compare": COMPARED, "tasks": {"own": own}})
        plan()
        prepare()
        for name in warm_ups:
            warm_up(name)
        for name in COMPARED if len(warm_ups) > 1 else ("full",):
            subset(name)
        return read_split("validation", Manifest.prepared())

    return run


def trained(name="full"):
    """Return the history and the weights of a method."""
    return history_of(result("train", name, "history.json")), load_file(result("train", name, "model") / WEIGHTS)


def accuracies(history):
    return [r.validation["accuracy"] for r in history if isinstance(r, ValidatedEpoch)]


def judged_now(split):
    """Return the metrics of the saved model on ``split``, as evaluation computes them."""
    planned_training, manifest = TrainingPlan.read(plan_of("training")), Manifest.prepared()
    learner = builders.learner_of(planned_training, manifest, torch.device("cpu"), 1)
    models.load_weights(learner.model, result("train", "full", "model"))
    return metrics(predict(learner, split.examples, 4, "class"), "class")


def test_epochs_are_judged_by_the_metrics_of_evaluation_and_charged_apart(planned):
    split = planned(evaluate_every=4)
    assert len(split.ids) == 12
    train.train("full")
    history, _ = trained()
    # Every fourth epoch, and the last.
    assert [r.epoch for r in history if isinstance(r, ValidatedEpoch)] == [3, 5]
    assert history[-1].validation == pytest.approx(judged_now(split))
    cost = CostRecord.of_stage("train", "full")
    assert (cost.validation.evaluations, cost.validation.examples, cost.validation.kwh) == (2, 24, 2.0)
    assert cost.validation.cpu_seconds > 0
    assert "validate" not in cost.laps
    assert "look" not in cost.laps
    assert (cost.counted.looked, cost.counted.trained) == (0, 6 * 48)


def test_judging_changes_nothing_of_the_training(planned, monkeypatch):
    planned(evaluate_every=1)
    train.train("full")
    history, weights = trained()
    monkeypatch.setattr(job.Job, "judge", lambda *_, **__: None)
    train.train("full")
    plain, same = trained()
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    kept = [{k: v for k, v in vars(r).items() if k != "validation"} for r in history]
    assert kept == [vars(r) for r in plain]
    assert CostRecord.of_stage("train", "full").dumped().get("validation") is None


def test_the_best_weights_are_those_that_are_saved(planned):
    split = planned(evaluate_every=1, keep="best")
    train.train("full")
    found = accuracies(trained()[0])
    assert max(found) > found[-1], "the last epoch must not be the best, or nothing is tested"
    assert judged_now(split)["accuracy"] == max(found)


def test_it_stops_after_as_many_evaluations_as_asked_without_a_better_one(planned):
    planned(evaluate_every=1)
    train.train("full")
    whole = accuracies(trained()[0])
    best = next(i for i in range(6) if max(whole[i + 1 : i + 3], default=2) <= max(whole[: i + 1]))
    planned(evaluate_every=1, stop_after=2)
    train.train("full")
    assert accuracies(trained()[0]) == whole[: best + 3]
    assert best + 3 < 6


@pytest.mark.parametrize("name", COMPARED)
def test_a_method_of_every_door_is_judged(planned, name):
    planned(("none", "two-epochs"), evaluate_every=2, keep="best", stop_after=3)
    train.train(name)
    history, _ = trained(name)
    # The warm-up is judged as well, and the history goes on from it.
    assert [r.epoch for r in history if isinstance(r, ValidatedEpoch)] == [1, 3, 5]
    warmed = CostRecord.of_stage("warm_up", COMPARED[name]).validation
    assert (warmed is None) == (COMPARED[name] == "none")
    assert CostRecord.of_stage("train", name).validation.evaluations == (3 if warmed is None else 2)


def results():
    """Return the bytes of what a training leaves, without its timings."""
    names = ("model/model.safetensors", "ledger.parquet", "history.json")
    return {name: result("train", "full", name).read_bytes() for name in names}


def train_with_stops(monkeypatch, split):
    """Train, stopped before each epoch's first batch and once within every epoch."""
    records, original = type(split.examples), type(split.examples).fetch
    for stop in range(2, 100, 7):
        fetched = [0]

        def fetch(self, rows, device, stop=stop, fetched=fetched):
            fetched[0] += 1
            if fetched[0] == 7:
                STOP.set()
            return original(self, rows, device)

        monkeypatch.setattr(records, "fetch", fetch)
        try:
            train.train("full")
        except Stopped:
            STOP.clear()
            torch.rand(stop)  # a run that goes on must not depend on it
        else:
            return stop // 7
    raise AssertionError("it never ended")


def test_a_stopped_training_goes_on_to_the_same_bytes(planned, monkeypatch):
    split = planned(evaluate_every=1, keep="best", stop_after=2)
    train.train("full")
    whole, cost = results(), CostRecord.of_stage("train", "full")
    assert 2 < len(trained()[0]) < 6, "it must stop early, after its best epoch"
    for name in ("model", "ledger.parquet", "history.json"):
        path = result("train", "full", name)
        path.rename(path.with_name(f"first-{name}"))
    assert train_with_stops(monkeypatch, split) >= 3
    assert results() == whole
    again = CostRecord.read(cost_of("train", "full"))
    assert (again.validation.examples, again.counted) == (cost.validation.examples, cost.counted)
    assert again.validation.kwh == cost.validation.kwh


def test_the_best_weights_and_the_counter_are_in_the_checkpoint(planned, monkeypatch):
    split = planned(evaluate_every=1, keep="best")
    monkeypatch.setattr(train, "write_history", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train.train("full")
    (path,) = (artifacts.SCRATCH / "checkpoints").iterdir()
    facts, tensors = artifacts.read_state(path)
    assert ["accuracy" in r["validation"] for r in facts["records"]] == [True] * 6
    best = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")}
    saved = load_file(result("train", "full", "model") / WEIGHTS)
    assert best
    assert all(torch.equal(value, saved[name]) for name, value in best.items())
    assert len(split.ids) == 12
