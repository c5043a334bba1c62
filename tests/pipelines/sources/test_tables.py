"""Tables of files and packages become columns; what cannot be used is named."""

from pathlib import Path

import pytest

from pipelines.core.errors import UserError
from tests.pipelines.reviews import write
from tests.pipelines.text_pairs import COLUMNS, spoiled, written


def test_a_file_of_another_hash_is_refused(prepared, tmp_path):
    path = write(f"{tmp_path}/own.csv")
    source = {"from": "files", "train": path, "sha256": {path: "0" * 64}}
    with pytest.raises(UserError, match=f"own.csv: sha256 must be {'0' * 64}, got "):
        prepared(source, {"text": "text", "label": "label"}, test=1)


def test_the_same_file_for_both_splits_is_refused(prepared, tmp_path):
    train = write(f"{tmp_path}/own.csv")
    copy = tmp_path / "copy.csv"
    copy.write_bytes(Path(train).read_bytes())
    for test in (train, str(copy)):
        with pytest.raises(UserError, match=r"csv: is the same as .*own\.csv, so the test split would be the training data"):
            prepared({"from": "files", "train": train, "test": test}, {"text": "text", "label": "label"})


def test_rows_without_a_text_are_left_out_where_that_is_asked_for(prepared, encoder, tmp_path):
    holes = spoiled(sentence=["a", " ", "c", None, "e", "f"], label=["x", "y", "x", "y", None, "x"])
    more = spoiled(label=["y", "x", "y", "x", "y", ""])
    source = written(tmp_path, holes)
    source["test"] = written(tmp_path, more, "test.parquet")["train"]
    with pytest.raises(UserError, match="the test split has classes that training lacks: y; give"):
        prepared(source, COLUMNS, drop_empty=True)
    holes["label"][2] = "y"
    written(tmp_path, holes)
    manifest, train, test = prepared(source, COLUMNS, drop_empty=True)
    assert manifest.dropped_empty == 4
    assert manifest.counts.model_dump() == {"train": 3, "test": 5}
    assert train.table["text"].to_pylist() == [holes["question"][i] for i in (0, 2, 5)]
    assert test.ids.tolist() == [3, 4, 5, 6, 7]
    written(tmp_path, spoiled(question=[""] * 6), "test.parquet")
    with pytest.raises(UserError, match=r"test\.parquet: drop_empty leaves no row of a split, since each lacks one of "):
        prepared(source, COLUMNS, drop_empty=True)


def test_a_tab_file_of_orange_in_two_members_of_a_package(prepared, encoder, tmp_path, monkeypatch):
    import zipfile

    from pipelines.core.artifacts import digest_of

    head, rows = "Category\tText\nd\tstring\nclass\t\n", "x\tfine film\ny\tno good\n"
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr("data/train.tab", f"{head}\t\n{rows}")
        archive.writestr("data/test.tab", f"{head}\n{rows}{rows}")
    sha256 = digest_of(tmp_path / "archive")
    (tmp_path / "cache" / sha256).mkdir(parents=True)
    (tmp_path / "archive").rename(tmp_path / "cache" / sha256 / "archive")
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    source = {"from": "package", "package": "news", "version": "1.0", "archive": "wheel", "sha256": sha256, "skip": 2}
    source |= {"member": ["data/train.tab"], "test_member": ["data/test.tab"]}
    columns = {"text": "Text", "label": "Category"}
    with pytest.raises(UserError, match=r"text of id 0 must be a text|Category: id 0 has no label"):
        prepared(source, columns)
    manifest, train, test = prepared(source, columns, drop_empty=True)
    assert (manifest.dropped_empty, manifest.classes) == (1, ["x", "y"])
    assert [split.table["text"].to_pylist() for split in (train, test)] == [
        ["fine film", "no good"],
        ["fine film", "no good"] * 2,
    ]
    with pytest.raises(UserError, match=rf"test\.tab: sha256 must be {'0' * 64}, got "):
        prepared(source | {"test_member_sha256": "0" * 64}, columns, drop_empty=True)
    with pytest.raises(UserError, match=r"test_member_sha256: needs a test_member, and there is none"):
        prepared({k: v for k, v in source.items() if k != "test_member"} | {"test_member_sha256": "0" * 64}, columns)
