"""What all tests share: the project's own params.yaml, changed here and there."""

import copy
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, settings

# No test is timed, also one that runs alone and pays for what others had imported. A temporary folder may serve all examples.
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("repeatable", max_examples=60, derandomize=True, database=None, **UNTIMED)
settings.register_profile("fast", settings.get_profile("repeatable"), max_examples=15)

# An assertion of a module beside tests says as much as one of their own.
pytest.register_assert_rewrite("tests.components", "tests.pipelines")

ROOT = Path(__file__).parent.parent
#: Takes a key out.
GONE = object()
#: What tests start from, whatever params.yaml compares.
TASK, METHODS = (
    "movie-reviews",
    {"full": "none", "uniform": "none", "short": "none", "swiftlearn": "two-epochs", "infobatch": "none"},
)
CONTROLS = {name: {"controls": "swiftlearn"} for name in ("uniform", "short")}


def pytest_configure(config):
    """Draw fewer examples where the fast tests are asked for; all of them take the whole profile."""
    settings.load_profile("fast" if config.option.markexpr == "not slow" else "repeatable")


@cache
def _params():
    return yaml.load((ROOT / "params.yaml").read_text(), yaml.CSafeLoader)


def defaults():
    """Return what params.yaml says, with the task and methods that tests start from."""
    params = copy.deepcopy(_params())
    params["methods"] |= copy.deepcopy(CONTROLS)
    return params | {"task": TASK, "compare": dict(METHODS)}


def change(params, changes):
    """Set each dotted key of ``changes`` in ``params``, in place."""
    for key, value in changes.items():
        *parents, last = key.split(".")
        place = params
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is GONE:
            place.pop(last)
        else:
            place[last] = value
    return params


@pytest.fixture(autouse=True)
def _small_floats():
    """Training flushes floats that are not normal to 0, for the whole process; the next test's strategies draw them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture
def gone():
    return GONE


@pytest.fixture
def write_params(tmp_path, monkeypatch):
    """Write params.yaml, changed, into an empty folder, and go there."""
    monkeypatch.chdir(tmp_path)

    def write(changes):
        params = change(defaults(), changes)
        Path("params.yaml").write_text(yaml.dump(params, Dumper=yaml.CSafeDumper, sort_keys=False))
        return tmp_path

    return write
