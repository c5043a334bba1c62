"""Texts, pairs and their classes come from files, the hub and packages; rows that cannot be used are named."""

import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.core.errors import UserError
from pipelines.data import tokenization
from pipelines.data.manifest import Manifest
from pipelines.plan import plan
from pipelines.prepare import prepare
from tests.pipelines import records

WORDS = "a fine film no good at all dull bore joy".split()  # noqa: SIM905
COLUMNS = {"text": "question", "text_pair": "sentence", "label": "label"}


def pairs(count=24, seed=0):
    """Pairs of texts of 1 to 12 words: some of both together are longer than 16 tokens."""
    rng = np.random.default_rng(seed)
    made = [[" ".join(rng.choice(WORDS, rng.integers(1, 13))) for _ in range(count)] for _ in range(2)]
    return {"question": made[0], "sentence": made[1], "label": [i % 2 for i in range(count)]}


def written(tmp_path, table, name="pairs.parquet"):
    pq.write_table(pa.table(table), tmp_path / name)
    return {"from": "files", "train": str(tmp_path / name)}


NEWS = [
    ("World", "a joy", "no good"),
    ("Sports", "fine", "a film"),
    ("Business", "dull", "all"),
    ("Sci/Tech", "bore", "at all"),
]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("pair", [False, True])
def test_more_than_two_classes_from_every_file(prepared, encoder, tmp_path, suffix, pair):
    path, rows = tmp_path / f"news.{suffix}", NEWS * 5
    names = ("topic", "title", "body")
    if suffix == "parquet":
        pq.write_table(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), path)
    elif suffix == "jsonl":
        path.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows))
    else:
        mark = "," if suffix == "csv" else "\t"
        path.write_text("\n".join(mark.join(row) for row in [names, *rows]))
    columns = {"text": "title", "label": "topic"} | ({"text_pair": "body"} if pair else {})
    manifest, train, _ = prepared({"from": "files", "train": str(path)}, columns, test=4)
    assert manifest.classes == ["Business", "Sci/Tech", "Sports", "World"]
    assert manifest.outputs == 4
    assert ("second" in manifest.columns) == pair
    for i, title, label in zip(train.ids, train.table["text"].to_pylist(), train.examples.target, strict=True):
        assert (manifest.classes[label], title) == rows[i][:2]


def hub(tmp_path, splits, names=("not", "same")):
    """Write a data set as the hub holds it, in a folder that load_dataset takes for its id; return its source."""
    label = datasets.ClassLabel(names=list(names))
    features = datasets.Features({"question": datasets.Value("string"), "sentence": datasets.Value("string"), "label": label})
    for name, table in splits.items():
        datasets.Dataset.from_dict(table, features=features).to_parquet(tmp_path / "qqp" / f"{name}-00000-of-00001.parquet")
    return {"from": "hub", "id": str(tmp_path / "qqp"), "revision": "main", "test_split": "validation"}


@pytest.mark.usefixtures("cached")
def test_pairs_of_the_hub_bring_the_names_of_their_classes(prepared, encoder, tmp_path):
    source = hub(tmp_path, {"train": pairs(), "validation": pairs(6, seed=1)})
    manifest, train, test = prepared(source, COLUMNS)
    assert manifest.classes == ["not", "same"]
    assert manifest.counts.model_dump() == {"train": 24, "test": 6}
    assert train.examples.target.tolist() == pairs()["label"]
    assert test.table["text_pair"].to_pylist() == pairs(6, seed=1)["sentence"]


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize(("bad", "said"), [(-1, r"got -1; a split whose labels are -1 keeps them to itself"), (2, "got 2$")])
def test_a_label_out_of_range_is_named(prepared, encoder, tmp_path, bad, said):
    source = hub(tmp_path, {"train": pairs(), "validation": pairs(6)})
    table = pq.read_table(tmp_path / "qqp" / "validation-00000-of-00001.parquet")
    pq.write_table(table.set_column(2, table.schema.field(2), pa.array([0, 1, bad, 0, 1, 0])), tmp_path / "qqp" / "new")
    (tmp_path / "qqp" / "new").rename(tmp_path / "qqp" / "validation-00000-of-00001.parquet")
    with pytest.raises(UserError, match=rf"own: label of id 26 must be in \[0, 1\], {said}"):
        prepared(source, COLUMNS)
    assert not Path("results/prepare").exists()


@pytest.mark.usefixtures("cached")
def test_a_class_without_a_row_is_refused_or_left_out(prepared, tmp_path):
    moved = {"train": pairs() | {"label": [2 * y for y in pairs()["label"]]}}
    moved["validation"] = pairs(6) | {"label": [2 * y for y in pairs(6)["label"]]}
    source = hub(tmp_path, moved, ["not", "perhaps", "same", "never"])
    with pytest.raises(UserError, match=r"own: training has no example of perhaps, never; .* or train without with 'empty_cl"):
        prepared(source, COLUMNS)
    manifest, train, test = prepared(source, COLUMNS, empty_classes="drop")
    assert (manifest.classes, manifest.outputs) == (["not", "same"], 2)
    assert manifest.empty_classes == ["perhaps", "never"]
    assert train.examples.target.tolist() == pairs()["label"]
    assert test.examples.target.tolist() == pairs(6)["label"]


def spoiled(**columns):
    return {k: columns.get(k, v) for k, v in pairs(6).items()}


BAD = {
    "an empty second text": (
        spoiled(sentence=["a", "b", "", "d", "e", "f"]),
        r"text_pair of id 2 must be a text, got ''; 'drop_em",
    ),
    "no second text": (spoiled(sentence=["a", None, "c", "d", "e", "f"]), r"text_pair of id 1 must be a text, got None"),
    "numbers for texts": (spoiled(question=[3, 1, 4, 1, 5, 9]), r"own: text of id 0 must be a text, got 3"),
    "no such column": ({"question": list("abcdef"), "label": [0] * 6}, r"pairs\.parquet: columns: 'sentence': no such column"),
    "a class of the test split alone": (
        spoiled(label=["a", "b", "a", "b", "a", "c"]),
        r"own: the test split has classes that training lacks: [abc](, [abc])*; give training rows of each, or take its rows",
    ),
}


@pytest.mark.parametrize(("table", "said"), BAD.values(), ids=BAD)
def test_pairs_that_cannot_be_used_are_named(prepared, encoder, tmp_path, table, said):
    source = written(tmp_path, {k: v[:5] for k, v in table.items()})
    source["test"] = written(tmp_path, {k: v[5:] or v for k, v in table.items()}, "test.parquet")["train"]
    with pytest.raises(UserError, match=said):
        prepared(source, COLUMNS)
    assert not Path("results/prepare").exists()


def test_many_classes_that_a_limit_leaves_out_are_counted(prepared, encoder, tmp_path):
    table = spoiled() | {"label": ["a"] * 6}
    many = {k: v * 2 for k, v in table.items()} | {"label": list("abcdefghijkl")}
    source = written(tmp_path, many)
    source["test"] = written(tmp_path, {k: v[::-1] for k, v in many.items()}, "test.parquet")["train"]
    with pytest.raises(UserError, match=r"lacks: \w, \w, \w, \w, \w and 5 more; raise limit, which is 2, or leave it out"):
        prepared(source, COLUMNS, limit=2)


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


def test_drop_empty_is_for_texts(prepared, tmp_path):
    with pytest.raises(UserError, match=r"drop_empty: is for kind 'text' or 'language' with a column 'text'"):
        prepared({"from": "folder", "folder": str(tmp_path)}, {}, kind="image", test=1, drop_empty=True)


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
    with pytest.raises(UserError, match=r"test_member_sha256: is of a test_member, and there is none"):
        prepared({k: v for k, v in source.items() if k != "test_member"} | {"test_member_sha256": "0" * 64}, columns)


def test_cut_texts_are_counted_and_said(prepared, encoder, tmp_path, capsys):
    manifest, *_ = prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=16)
    n, m = manifest.truncated.train, manifest.truncated.test
    said = f"{n} of 20 train and {m} of 4 test texts ({(n + m) / 24:.1%}) are longer than max_length, 16 tokens, and cut there"
    assert tokenization.truncation(manifest) == said
    assert f"prepare: {said}; tasks.own.max_length in params.yaml sets where" in capsys.readouterr().err.splitlines()
    prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=40)
    assert "max_length" not in capsys.readouterr().err
    assert tokenization.truncation(records.manifest()) is None


TASKS = {"newsgroups": (11_293, 7_528, 20, 377, None), "reuters": (6_532, 2_568, 52, 1, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_the_whole_of_a_task_out_of_a_package(write_params, name):
    write_params({"task": name})
    plan()
    prepare()
    manifest = Manifest.prepared()
    *counts, classes, fewest, dropped = TASKS[name]
    assert [manifest.counts.train, manifest.counts.test] == counts
    assert len(manifest.classes) == classes
    assert min(manifest.by_class.train) == fewest
    assert manifest.dropped_empty == dropped
