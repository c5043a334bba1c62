"""What all tests share: the project's own params.yaml, changed here and there."""

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
#: Takes a key out.
GONE = object()


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
        params = change(yaml.safe_load((ROOT / "params.yaml").read_text()), changes)
        Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        return tmp_path

    return write
