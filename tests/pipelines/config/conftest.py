"""The check that a params.yaml is refused, which all files of its tests share."""

import pytest

from pipelines.core.errors import UserError
from pipelines.plan import plan


@pytest.fixture
def refused(write_params):
    """Check that params.yaml with ``changes`` is refused with ``text``, and nothing written."""

    def check(changes, text):
        folder = write_params(changes)
        with pytest.raises(UserError, match=text):
            plan()
        assert sorted(p.name for p in folder.iterdir()) == ["params.yaml"]

    return check
