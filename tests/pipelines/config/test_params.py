"""The whole of params.yaml: names, seeds and defaults."""

import pytest

from pipelines.config.loader import load
from tests.conftest import ROOT

BAD = {
    "unknown top-level key": ({"sed": 1}, r"'sed': no such key, did you mean 'seed'\?"),
    "a seed too large": ({"seed": 2**63}, r"seed: .*less than 9223372036854775808, got 9223372036854775808"),
    "a name for a shell": ({"compare.$(reboot)": "none"}, r"compare.\$\(reboot\).*pattern"),
    "a name that leaves its folder": ({"warm_ups": {"../x": {"epochs": 1}}}, r"warm_ups.../x.*pattern"),
    "a name with a slash": ({"compare.a/b": "none"}, r"compare.a/b.*pattern"),
    "an epsilon of nothing": ({"agot_epsilon": 0.0}, r"agot_epsilon: .*greater than 0, got 0.0"),
    "an epsilon above one": ({"agot_epsilon": 1.5}, r"agot_epsilon: .*got 1.5; the nearest that works is 1"),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


def test_without_the_section_training_goes_to_the_gpus(write_params, gone):
    write_params({"pools": gone})
    assert load().pools == load(ROOT / "params.yaml").pools
