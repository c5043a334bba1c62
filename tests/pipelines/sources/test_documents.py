"""Documents are read a file each, without tags; one that is no text is named."""

import pytest

from pipelines.core.errors import UserError
from pipelines.data.split_files import read_split
from pipelines.sources.documents import untagged
from tests.pipelines.books import LANGUAGE, LINE, folder_of


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


def test_documents_of_a_folder_of_their_own_judge_while_a_model_trains(prepared, tmp_path):
    (tmp_path / "books").mkdir()
    for name, count in (("train", 5), ("test", 3), ("val", 2)):
        folder_of(tmp_path / "books", count, name)
    source = {"from": "folder", "folder": str(tmp_path / "books"), "files": "*.txt", "validation": "val"}
    judged = {key: value for key, value in LANGUAGE.items() if key != "test"} | {"training": {"evaluate_every": 1}}
    manifest, train, test = prepared(source, {}, **judged)
    aside = read_split("validation", manifest)
    found = [sorted(set(split.table["document"].to_pylist())) for split in (train, test, aside)]
    assert found == [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]]
    with pytest.raises(
        UserError, match=r"books/judge: no such folder, and source.validation names it; set source.validation: val"
    ):
        prepared(source | {"validation": "judge"}, {}, **judged)
    for path in (tmp_path / "books" / "val").iterdir():
        path.rename(path.with_suffix(".md"))
    with pytest.raises(UserError, match=r"books/val: has no file that matches source.files, '\*\.txt'"):
        prepared(source, {}, **judged)


def test_documents_of_a_member_of_their_own_judge_while_a_model_trains(prepared, tmp_path, archive_of):
    files = {f"{split}/{i}.txt": f"{LINE} {str(i) * 9}\n" * 3 for split in ("a", "b", "c") for i in range(4)}
    source = archive_of(files) | {"member": ["a"], "test_member": ["b"], "validation_member": ["c"], "files": "*.txt"}
    judged = {key: value for key, value in LANGUAGE.items() if key != "test"} | {"training": {"evaluate_every": 1}}
    manifest, train, test = prepared(source, {}, **judged)
    found = [set(split.table["document"].to_pylist()) for split in (train, test, read_split("validation", manifest))]
    assert found == [{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}]
    without = {key: value for key, value in source.items() if key != "test_member"}
    manifest, train, test = prepared(without, {}, **judged, test=1)
    found = [set(split.table["document"].to_pylist()) for split in (train, test, read_split("validation", manifest))]
    assert found[2] == {4, 5, 6, 7}
    assert found[0] | found[1] == {0, 1, 2, 3}
