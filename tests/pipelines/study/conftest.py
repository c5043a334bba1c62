"""Fixtures of studies over several tasks."""

import pytest

from pipelines.config.loader import load
from pipelines.core.artifacts import PARAMS
from pipelines.study.tasks import each
from tests.pipelines.shared_studies import machine, running, there  # noqa: F401 - fixtures

STUDY = {"methods": {"infobatch": "none"}, "seeds": [0, 1, 2]}


@pytest.fixture
def asked(write_params):
    """Return the params of every task of a study over ``tasks``."""

    def read(tasks, changes=None):
        write_params({"task": "digits", "compare": {"full": "none"}, "study": STUDY | {"tasks": tasks}} | (changes or {}))
        return each(load(), PARAMS)

    return read
