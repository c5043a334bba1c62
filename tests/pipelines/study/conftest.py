"""Fixtures of a study that has run, and of studies over several tasks."""

import pytest

from pipelines.config.loader import load
from pipelines.core.artifacts import PARAMS
from pipelines.study.tasks import each
from tests.pipelines.shared_studies import machine, running, there  # noqa: F401 - fixtures
from tests.pipelines.study.digits import CELLS, finish, project, start

STUDY = {"methods": {"infobatch": "none"}, "seeds": [0, 1, 2]}


@pytest.fixture
def asked(write_params):
    """Return the params of every task of a study over ``tasks``."""

    def read(tasks, changes=None):
        write_params({"task": "digits", "compare": {"full": "none"}, "study": STUDY | {"tasks": tasks}} | (changes or {}))
        return each(load(), PARAMS)

    return read


@pytest.fixture(scope="session")
def studied(tmp_path_factory, prefect_home):
    """A project whose study has run; do not change it."""
    folder = project(tmp_path_factory.mktemp("studied") / "project")
    said = finish(start(folder, **prefect_home))
    assert f"{CELLS} of {CELLS} trials to run" in said
    return folder
