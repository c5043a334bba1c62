"""Names of columns, encodings and chunks, as all readers share them."""

import pytest

from pipelines.sources.readers import common

WANTED = [("text", "text"), ("label", "label")]

REFUSED = {
    "semicolons": ("own.csv", b"text;label\nwell, well;1\n", r"'text': no such column.* separated by semicolons"),
    "another encoding": ("own.csv", "text,label\na,1\n".encode("utf-16"), r"must be UTF-8, got UTF-16; save it as UTF-8"),
    "a name twice": ("own.csv", b"text,label,label\na,1,2\n", r"has 2 columns of the name 'label'"),
}


@pytest.mark.parametrize(("name", "content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_said_in_one_line(check_refused, name, content, said):
    check_refused(name, content, said)


def test_rows_come_in_chunks_and_what_is_left(monkeypatch):
    monkeypatch.setattr(common, "AT_ONCE", 2)
    assert list(common.chunks("abcde")) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(common.chunks("ab")) == [["a", "b"]]
    assert list(common.chunks("")) == []
