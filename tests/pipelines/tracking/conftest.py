"""The project whose comparison is published."""

import pytest


@pytest.fixture
def project(no_tracker):
    return no_tracker
