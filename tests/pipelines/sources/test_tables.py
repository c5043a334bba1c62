"""Tables of files and packages become columns; what cannot be used is named."""

from pathlib import Path

import pytest

from pipelines.core.errors import UserError
from pipelines.data.split_files import read_split
from tests.pipelines.reviews import REVIEWS, write
from tests.pipelines.text_pairs import COLUMNS, spoiled, written

SIZES = {"train": 6, "test": 3, "judging": 2}


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


def test_a_member_of_its_own_judges_while_a_model_trains(prepared, archive_of):
    rows = {
        name: "text,label\n" + "\n".join(f"{text.replace(',', '')},{label}" for text, label in REVIEWS[:n])
        for name, n in SIZES.items()
    }
    source = archive_of({f"{name}.csv": text for name, text in rows.items()}) | {"member": ["train.csv"]}
    source |= {"validation_member": ["judging.csv"]}
    columns, judged = {"text": "text", "label": "label"}, {"training": {"evaluate_every": 1}}
    manifest, *_ = prepared(source | {"test_member": ["test.csv"]}, columns, **judged)
    assert manifest.counts.dumped() == {"train": SIZES["train"], "test": SIZES["test"], "validation": SIZES["judging"]}
    first = SIZES["train"] + SIZES["test"]
    assert read_split("validation", manifest).ids.tolist() == [*range(first, first + SIZES["judging"])]
    manifest, _, test = prepared(source, columns, test=1, **judged)
    assert manifest.counts.dumped() == {"train": SIZES["train"] - 1, "test": 1, "validation": SIZES["judging"]}
    assert test.ids[0] < SIZES["train"]
    with pytest.raises(UserError, match=rf"judging\.csv: sha256 must be {'0' * 64}, got "):
        prepared(source | {"validation_member_sha256": "0" * 64}, columns, test=1, **judged)
    with pytest.raises(UserError, match=r"archive: has no member 'none.csv'"):
        prepared(source | {"validation_member": ["none.csv"]}, columns, test=1, **judged)


def test_a_file_of_its_own_judges_while_a_model_trains(prepared, tmp_path):
    files = {name: write(f"{tmp_path}/{name}.csv", rows) for name, rows in (("train", REVIEWS), ("test", REVIEWS[:2]))}
    source = {"from": "files", **files, "validation": write(f"{tmp_path}/judging.csv", REVIEWS[2:5])}
    manifest, train, test = prepared(source, {"text": "text", "label": "label"}, training={"evaluate_every": 1})
    judging = read_split("validation", manifest)
    assert [split.ids.tolist() for split in (train, test, judging)] == [list(range(6)), [6, 7], [8, 9, 10]]
    assert judging.table["text"].to_pylist() == [text for text, _ in REVIEWS[2:5]]
    # All five are rows of training, to the byte.
    found = manifest.duplicates_found
    assert (found.leaked_exact, found.validation_exact) == (2, 3)
    _, train, test = prepared(
        {**source, "test": None}, {"text": "text", "label": "label"}, training={"evaluate_every": 1}, test=2
    )
    assert (len(train.ids), len(test.ids)) == (4, 2)
    assert sorted([*train.ids, *test.ids]) == list(range(6))


def test_leaks_are_dropped_for_the_rows_that_judge_while_training_too(prepared, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/train.csv"), "validation": write(f"{tmp_path}/v.csv", REVIEWS[2:4])}
    columns, more = {"text": "text", "label": "label"}, {"training": {"evaluate_every": 1}, "test": 2}
    manifest, train, _ = prepared(source, columns, leaks="drop", **more)
    assert not {2, 3} & set(train.ids.tolist())
    assert manifest.duplicates_found.validation_exact == 0
    with pytest.raises(UserError, match=r"leaks: 'refuse', and \d validation rows? (is|are) in training too"):
        prepared(source, columns, leaks="refuse", **more)


def test_the_same_file_cannot_train_and_judge(prepared, tmp_path):
    path, same = write(f"{tmp_path}/a.csv"), write(f"{tmp_path}/b.csv")
    source = {"from": "files", "train": path, "validation": same}
    with pytest.raises(UserError, match=r"b\.csv: is the same as .*a\.csv, so the validation split would be the same data"):
        prepared(source, {"text": "text", "label": "label"}, test=2, training={"evaluate_every": 1})
