"""Documents are read a file each, without tags; one that is no text is named."""

import pytest

from pipelines.core.errors import UserError
from pipelines.sources.documents import untagged
from tests.pipelines.books import LANGUAGE, folder_of


def test_tags_are_left_out():
    text = "\n\tThe/at jury/nn said/vbd 1/2/cd ./.\n\n\n\tplain\n"
    assert untagged(text) == "The jury said 1/2 .\nplain"


def test_an_empty_document_and_one_that_is_no_text_are_named(prepared, tmp_path):
    source = folder_of(tmp_path)
    (tmp_path / "books" / "3.txt").write_text(" \n")
    with pytest.raises(UserError, match=r"3\.txt: the text of id 3 is empty"):
        prepared(source, {}, **LANGUAGE)
    (tmp_path / "books" / "3.txt").write_bytes(b"fine \xff\xfe")
    with pytest.raises(UserError, match=r"3\.txt: the text of id 3 is not UTF-8, from byte 5"):
        prepared(source, {}, **LANGUAGE)
