"""Raw data of every kind become splits with ids; what cannot be used is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.core.errors import UserError
from tests.pipelines.pictures import images
from tests.pipelines.reviews import REVIEWS, write


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_the_users_own_text_file(prepared, tmp_path, suffix):
    source = {"from": "files", "train": write(f"{tmp_path}/own.{suffix}")}
    manifest, train, test = prepared(source, {"text": "text", "label": "label"}, test=2)
    assert manifest.classes == ["bad", "good"]
    assert manifest.counts.model_dump() == {"train": 4, "test": 2}
    assert sorted([*train.ids, *test.ids]) == list(range(6))
    for split in (train, test):
        for i, text, label in zip(split.ids, split.table["text"].to_pylist(), split.examples.target, strict=True):
            assert (text, manifest.classes[label]) == REVIEWS[i]


def test_a_file_of_its_own_for_testing_keeps_its_rows_apart(prepared, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/a.csv"), "test": write(f"{tmp_path}/b.csv", REVIEWS[:2])}
    _, train, test = prepared(source, {"text": "text", "label": "label"})
    assert train.ids.tolist() == list(range(6))
    assert test.ids.tolist() == [6, 7]


def test_pairs_and_numbers_as_ratings(prepared, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("a,b,rating\na joy,dull,2.5\nno good,a film,-1\nfine,fine,0.1\na bore,a bore,-3\nall,good,4\n")
    source, columns = {"from": "files", "train": str(path)}, {"text": "a", "text_pair": "b", "label": "rating"}
    manifest, train, test = prepared(source, columns, test=2, binarize=0.5)
    assert sorted([*train.ids, *test.ids]) == [0, 1, 3, 4]
    assert manifest.classes == ["negative", "positive"]


def test_preparing_twice_is_the_same_to_the_byte(prepared, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/own.csv", REVIEWS * 10)}
    first, *_ = prepared(source, {"text": "text", "label": "label"}, test=0.25, limit=30)
    second, *_ = prepared(source, {"text": "text", "label": "label"}, test=0.25, limit=30)
    assert first == second
    assert first.counts.dumped() == {"train": 30, "test": 15}


def test_a_part_of_the_training_split_judges_in_place_of_the_test_split(prepared, tmp_path):
    """It is the same part at any limit, what is trained on grows, and each class that training has stays in it."""
    rows = [*REVIEWS * 10, ("a film", "rare")]
    source = {"from": "files", "train": write(f"{tmp_path}/own.csv", rows)}
    columns = {"text": "text", "label": "label"}
    _, train, test = prepared(source, columns, test=0.25)
    parts = [prepared(source, columns, test=0.25, validation=0.2, limit=limit) for limit in (0.1, 6, 0.5, None)]
    judges = parts[0][2].ids
    assert len(judges) == round(0.2 * len(train.ids))
    assert all(np.array_equal(p[2].ids, judges) for p in parts)
    used = [set(p[1].ids.tolist()) for p in parts]
    assert [len(u) for u in used] == [4, 6, 18, 37]
    assert used[0] < used[1] < used[2] < used[3] == set(train.ids.tolist()) - set(judges.tolist())
    assert not (used[3] | set(judges.tolist())) & set(test.ids.tolist())
    assert {p[0].outputs for p in parts} == {3}


def text(tmp_path, content):
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    return {"from": "files", "train": str(path)}


BAD = {
    "missing column": (b"txt,label\na,b\n", {}, r"columns: 'text': no such column, did you mean 'txt'\?"),
    "empty": (b"", {}, r"own\.csv: is empty"),
    "not utf-8": (b"text,label\nfine,a\n\xff\xfe,b\n", {}, r"text: the text of id 1 is not UTF-8"),
    "an empty text": (b"text,label\nfine,a\n ,b\n", {}, r"text of id 1 must be a text, got ' '"),
    "ragged": (b"text,label\nfine,a\nx\n", {}, r"own\.csv: line 3: must have 2 values, as the first has, got 1"),
    "numbers as labels": (b"text,label\nfine,0.5\nx,0.25\n", {}, r"labels must be classes, got 0.5"),
    "words as ratings": (
        b"text,label\nfine,a\nx,b\n",
        {"binarize": 0.5},
        r"own: binarize: label of id 0 must be a finite number, got 'a'",
    ),
    "one class": (b"text,label\nfine,a\nx,a\n", {}, r"labels must have 2 classes or more, got \['a'\]"),
    "no test split": (b"text,label\nfine,a\nx,b\n", {"test": None}, r"test: the source has no test split"),
    "more test than data": (b"text,label\nfine,a\nx,b\n", {"test": 2}, r"test: must be under the 2 rows there are, got 2"),
}


@pytest.mark.parametrize(("content", "more", "said"), BAD.values(), ids=BAD)
def test_data_that_cannot_be_used_is_named(prepared, tmp_path, content, more, said):
    with pytest.raises(UserError, match=said):
        prepared(text(tmp_path, content), {"text": "text", "label": "label"}, **{"test": 1, **more})
    assert not Path("results/prepare").exists()


def test_a_missing_file_and_a_missing_folder_are_named(prepared, tmp_path):
    with pytest.raises(UserError, match=r"none\.csv: no such file"):
        prepared({"from": "files", "train": f"{tmp_path}/none.csv"}, {"text": "text", "label": "label"}, test=1)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        prepared({"from": "folder", "folder": f"{tmp_path}/nowhere"}, {}, kind="image", test=1)


def test_a_folder_of_images(prepared, tmp_path):
    manifest, train, test = prepared(images(tmp_path / "pets"), {}, kind="image", test=2)
    assert manifest.classes == ["cat", "dog"]
    assert manifest.shape == [1, 8, 8]
    assert manifest.mean == pytest.approx(train.examples.pixels.mean())
    assert manifest.deviation == pytest.approx(train.examples.pixels.std())
    assert train.examples.pixels.base is not None
    paths = sorted((tmp_path / "pets").glob("*/*.png"))
    for split in (train, test):
        for i, found in zip(split.ids, split.examples.pixels, strict=True):
            assert np.array_equal(found[0], np.asarray(Image.open(paths[i])))
