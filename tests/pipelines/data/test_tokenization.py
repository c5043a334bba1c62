"""Texts of every file are cut to tokens by the tokenizer of their model."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.tasks.batch import Rows
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest
from pipelines.data.summary import truncation
from pipelines.plan import plan
from pipelines.prepare import prepare
from tests.pipelines import records
from tests.pipelines.reviews import REVIEWS, write
from tests.pipelines.text_pairs import COLUMNS, pairs, written

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


def test_drop_empty_is_for_texts(prepared, tmp_path):
    with pytest.raises(UserError, match=r"drop_empty: is for kind 'text' or 'language' with a column 'text'"):
        prepared({"from": "folder", "folder": str(tmp_path)}, {}, kind="image", test=1, drop_empty=True)


def test_cut_texts_are_counted_and_said(prepared, encoder, tmp_path, capsys):
    manifest, *_ = prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=16)
    n, m = manifest.truncated.train, manifest.truncated.test
    said = f"{n} of 20 train and {m} of 4 test texts ({(n + m) / 24:.1%}) are longer than max_length, 16 tokens, and cut there"
    assert truncation(manifest) == said
    assert f"prepare: {said}; tasks.own.max_length in params.yaml sets where" in capsys.readouterr().err.splitlines()
    prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=40)
    assert "max_length" not in capsys.readouterr().err
    assert truncation(records.manifest()) is None


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
