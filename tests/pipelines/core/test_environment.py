"""Settings of the machine that cannot be are refused in a line."""

import re
from pathlib import Path

import pytest

from pipelines.core import environment
from pipelines.core.environment import CHECKPOINT_SECONDS
from pipelines.core.errors import UserError
from tests.conftest import ROOT


@pytest.mark.parametrize(("said", "seconds"), [("5", 5.0), ("0", 0.0), ("", 60.0), ("1e3", 1000.0)])
def test_seconds_between_checkpoints(said, seconds, monkeypatch):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", said)
    assert CHECKPOINT_SECONDS.value() == seconds


@pytest.mark.parametrize("said", ["10m", "-1", "nan"])
def test_seconds_that_are_none(said, monkeypatch):
    monkeypatch.setenv("WINNOW_CHECKPOINT_SECONDS", said)
    with pytest.raises(UserError, match=f"WINNOW_CHECKPOINT_SECONDS: must be a number, 0 or more, got '{said}'"):
        CHECKPOINT_SECONDS.value()


@pytest.mark.parametrize("variable", environment.PUBLIC, ids=lambda variable: variable.name)
def test_the_documentation_has_each_variable(variable):
    pages = [ROOT / "README.md", *(ROOT / "docs" / "how-to").glob("*.md")]
    assert any(f"`{variable.name}`" in page.read_text(encoding="utf-8") for page in pages)


def test_each_variable_of_the_project_is_read_in_one_module():
    named = {v.name: v for v in vars(environment).values() if isinstance(v, environment.Variable)}
    own = Path(environment.__file__)
    for path in (ROOT / "pipelines").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"WINNOW_\w+[A-Z]", text)) <= named.keys(), path
        assert path == own or not re.search(r"environ\S*WINNOW_", text), path


@pytest.mark.parametrize(("said", "value"), [("1", 1), ("65535", 65_535), ("", 4200)])
def test_a_port(said, value, monkeypatch):
    monkeypatch.setenv(environment.PREFECT_PORT.name, said)
    assert environment.PREFECT_PORT.value() == value
    assert environment.PREFECT_PORT.is_set == bool(said)


@pytest.mark.parametrize("said", ["0", "65536", "-1", "x", "80.5"])
def test_what_is_no_port(said, monkeypatch):
    monkeypatch.setenv(environment.PREFECT_PORT.name, said)
    with pytest.raises(UserError, match=f"^WINNOW_PREFECT_PORT: must be a port from 1 to 65535, got '{said}'$"):
        environment.PREFECT_PORT.value()
