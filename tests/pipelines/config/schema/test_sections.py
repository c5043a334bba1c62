"""Sections that all tasks share: unknown keys and types are refused by name."""

import pytest
import yaml

from pipelines.config.loader import load
from tests.conftest import ROOT

BAD = {
    "unknown setting of MLflow": (
        {"tracking.registr": True},
        r"tracking: 'registr': no such key, did you mean 'register_best'\?",
    ),
    "registering neither on nor off": ({"tracking.register_best": "no"}, r"tracking.register_best: .*boolean, got 'no'"),
    "unknown stage": ({"pools.trian": "gpu-pool"}, r"pools: 'trian': no such key, did you mean 'train'\?"),
    "no default pool": ({"pools": {"train": "gpu-pool"}}, r"pools.default: Field required"),
    "pool that is no name": ({"pools.train": "gpu pool"}, r"pools.train: .*match pattern.*got 'gpu pool'"),
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
