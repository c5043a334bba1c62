"""A check of all readers: a file that cannot be read is refused in one line."""

import pytest

from pipelines.core.errors import UserError
from pipelines.sources.readers import rows
from pipelines.sources.readers.common import Layout


@pytest.fixture
def check_refused(tmp_path):
    """Check that reading a text and a label from a file of this name and content is refused, and what is said of it."""

    def check(name, content, said):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=said) as caught:
            rows.read(tmp_path / name, Layout(), [("text", "text"), ("label", "label")])
        assert "\n" not in str(caught.value)

    return check
