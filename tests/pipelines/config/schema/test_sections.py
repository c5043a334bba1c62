"""Sections that all tasks share: unknown keys, types and bounds are refused by name."""

import pytest
import yaml

from pipelines.config.loader import load
from tests.conftest import ROOT

TASK = "tasks.movie-reviews"
BAD = {
    "unknown key": (
        {f"{TASK}.training.epoch": 3},
        r"tasks.movie-reviews.training: 'epoch': no such key, did you mean 'epochs'\?",
    ),
    "unknown setting of MLflow": (
        {"tracking.registr": True},
        r"tracking: 'registr': no such key, did you mean 'register_best'\?",
    ),
    "registering neither on nor off": ({"tracking.register_best": "no"}, r"tracking.register_best: .*boolean, got 'no'"),
    "unknown stage": ({"pools.trian": "gpu-pool"}, r"pools: 'trian': no such key, did you mean 'train'\?"),
    "no default pool": ({"pools": {"train": "gpu-pool"}}, r"pools.default: Field required"),
    "pool that is no name": ({"pools.train": "gpu pool"}, r"pools.train: .*match pattern.*got 'gpu pool'"),
    "no device": ({"tasks.digits.training.devices": 0}, r"digits.*training.devices: .*greater than 0, got 0"),
    "keeping frozen layers on two devices": (
        {f"{TASK}.training.devices": 2, f"{TASK}.training.keep_frozen": True},
        r"movie-reviews.*training: .*keep_frozen: must be false with devices: 2, got true; leave out one of the two",
    ),
    "compiling on three devices": (
        {f"{TASK}.training.devices": 3, f"{TASK}.training.compile": True},
        r"movie-reviews.*training: .*compile: must be false with devices: 3, got true; leave out one of the two",
    ),
    "no example a part": (
        {f"{TASK}.training.micro_batch": 0},
        r"training.micro_batch: must be greater than 0, got 0; the nearest that works is 1$",
    ),
    "wrong type": ({f"{TASK}.training.batch_size": "32"}, r"training.batch_size: .*valid integer, got '32'"),
    "true is no number": ({f"{TASK}.training.epochs": True}, r"training.epochs: .*valid integer, got True"),
    "epochs for ever": (
        {f"{TASK}.training.epochs": 10**12},
        r"training.epochs: .*; the nearest that works is 100000$",
    ),
    "no rate": ({f"{TASK}.training.optimizer.learning_rate": 0}, r"learning_rate: must be greater than 0, got 0$"),
    "no epochs": (
        {f"{TASK}.training.epochs": 0},
        r"training.epochs: must be .* to 1, got 0; the nearest that works is 1",
    ),
    "a rate without end": (
        {f"{TASK}.training.optimizer.learning_rate": float("inf")},
        r"optimizer.learning_rate: .*finite number, got inf",
    ),
    "momentum without sgd": ({f"{TASK}.training.optimizer.momentum": 0.9}, r"optimizer: momentum: 'adamw' has none, got 0.9"),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


def test_every_stage_has_a_pool_and_the_file_says_the_defaults(write_params):
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    pools = load(ROOT / "params.yaml").pools
    assert set(type(pools).model_fields) == {"default", *stages}
    expected = dict.fromkeys(stages, "cpu-pool") | {"warm_up": "gpu-pool", "train": "gpu-pool"}
    assert {s: pools.of(f"{s}@full") for s in stages} == expected
    write_params({"pools": {"default": "cpu-pool", "evaluate": "big"}})
    assert [load().pools.of(s) for s in ("train@full", "evaluate@full", "plan")] == ["cpu-pool", "big", "cpu-pool"]
