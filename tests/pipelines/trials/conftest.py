"""Fixtures of studies: a grid on digits, and its folder."""

import copy

import pytest

from pipelines.config.loader import load
from pipelines.trials.grid import grid_of
from pipelines.trials.plan_files import lay_out
from tests.conftest import ROOT
from tests.pipelines.shared_studies import machine, running, there  # noqa: F401 - fixtures

STUDY = {
    "methods": {"swiftlearn": "two-epochs", "infobatch": "none"},
    "fractions": [0.1, 0.5],
    "seeds": [0, 1],
    "controls": {"learning_rates": [1.0]},
}


@pytest.fixture
def grid(write_params):
    """Return the grid of a digits study with ``changes``."""

    def read(changes=None, **study):
        write_params({"task": "digits", "study": copy.deepcopy(STUDY | study)} | (changes or {}))
        return grid_of(load())

    return read


@pytest.fixture
def study(grid, tmp_path):
    """Return the place of a digits study, in a folder that has the project's code."""
    for name in ("components", "pipelines", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)

    def laid(changes=None, **study):
        read = grid(changes, **study)
        return lay_out(load(), read)

    return laid
