"""Pairs of texts become tokens, the same to the byte each time."""

from pathlib import Path

import pytest
import torch

from components.tasks.batch import Rows
from components.tasks.sequences import IGNORED, Pairs
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.sources import pretrained
from tests.pipelines.summaries import COLUMNS, SEQ2SEQ, T5, pairs, written


def whole(split):
    return split.examples.fetch(Rows.unweighted(torch.arange(len(split.ids))), torch.device("cpu"))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_sources_and_targets_of_every_file_are_what_their_tokens_say(prepared, tmp_path, suffix):
    manifest, train, test = prepared(written(tmp_path, suffix=suffix), **SEQ2SEQ)
    assert (manifest.target, manifest.metric, manifest.higher, manifest.outputs) == ("sequence", "chrf", True, 64)
    assert (manifest.counts.train, manifest.counts.test) == (24, 6)
    tokenizer, rows = pretrained.tokenizer_in(artifacts.TOKENIZER), pairs()
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (manifest.pad, manifest.end) == (0, 1)
    for split in (train, test):
        assert isinstance(split.examples, Pairs)
        batch = whole(split)
        for i, given, wanted in zip(split.ids, batch.inputs["input_ids"], batch.target, strict=True):
            assert tokenizer.decode(given, skip_special_tokens=True) == rows[i][0]
            assert tokenizer.decode(wanted[wanted != IGNORED]) == rows[i][1] + "</s>"
        assert split.table["reference"].to_pylist() == [rows[i][1] for i in split.ids]
        assert "label" not in split.table.column_names


def test_the_tokenizer_is_trained_on_the_training_rows_alone(prepared, tmp_path):
    # An owl is what the test rows alone speak of.
    rows = [(f"{i} of a cat", f"cat {i}") for i in range(30)]
    source = written(tmp_path, rows)
    (tmp_path / "tested").mkdir()
    tested = written(tmp_path / "tested", [(f"{i} of an owlowlowl", f"owlowlowl {i}") for i in range(9)])
    prepared(source | {"test": tested["train"]}, **{**SEQ2SEQ, "test": None})
    known = pretrained.tokenizer_in(artifacts.TOKENIZER).get_vocab()
    assert "Ġcat" in known
    assert not [token for token in known if "ow" in token]


def test_what_is_cut_is_counted_and_said_and_ends_as_whole_texts_do(prepared, tmp_path, capsys):
    rows = [("of a cat " * (1 + 9 * (i % 3 == 0)), "a cat " * (1 + 9 * (i % 5 == 0))) for i in range(30)]
    manifest, train, _ = prepared(written(tmp_path, rows), **SEQ2SEQ, max_length=8, max_target_length=6)
    long = [sum(i % by == 0 for i in train.ids) for by in (3, 5)]
    assert (manifest.truncated.train, manifest.truncated.test) == (long[0], 10 - long[0])
    assert (manifest.truncated_targets.train, manifest.truncated_targets.test) == (long[1], 6 - long[1])
    said = capsys.readouterr().err
    assert "test sources (33.3%) are longer than max_length, 8 tokens, and cut there; tasks.own.max_length" in said
    assert "test targets (20.0%) are longer than max_target_length, 6 tokens, and cut there; tasks.own.max_t" in said
    batch = whole(train)
    assert (batch.target.shape[1], batch.inputs["input_ids"].shape[1]) == (6, 8)
    last = batch.target.gather(1, (batch.target != IGNORED).sum(1, keepdim=True) - 1)
    assert (last == manifest.end).all()


def test_preparing_pairs_twice_is_the_same_to_the_byte(prepared, tmp_path):
    source = written(tmp_path)
    first, *_ = prepared(source, **SEQ2SEQ)
    kept = {p.name: p.read_bytes() for p in artifacts.PREPARED.rglob("*") if p.is_file()}
    second, *_ = prepared(source, **SEQ2SEQ)
    assert first == second
    assert {p.name: p.read_bytes() for p in artifacts.PREPARED.rglob("*") if p.is_file()} == kept


def test_exact_copies_take_the_place_of_rows_and_repeated_pairs_are_counted(prepared, tmp_path):
    manifest, train, _ = prepared(written(tmp_path), **SEQ2SEQ, duplicates={"fraction": 0.5})
    assert manifest.duplicates.copies == 12
    texts = list(zip(train.table["source"].to_pylist(), train.table["reference"].to_pylist(), strict=True))
    assert len(set(texts)) == 12
    assert manifest.duplicates_found.train_exact == 12


def test_without_empty_texts_where_that_is_asked_for(prepared, tmp_path):
    rows = [*pairs(), ("a source", ""), (" ", "a target")]
    with pytest.raises(UserError, match=r"own: source of id 31 must be a text, got ' '; 'drop_empty: true' leaves rows"):
        prepared(written(tmp_path, rows), **SEQ2SEQ)
    manifest, *_ = prepared(written(tmp_path, rows), **SEQ2SEQ, drop_empty=True)
    assert (manifest.counts.total, manifest.dropped_empty) == (30, 2)


BAD = {
    "one column twice": (
        {"columns": {"source": "long", "target": "long"}},
        r"each column may be named once, got 'long' 2 times",
    ),
    "no target": (
        {"columns": {"source": "long"}},
        r"columns: a task of kind 'seq2seq' names 'source' and 'target'.*got source",
    ),
    "a label": ({"columns": COLUMNS | {"label": "x"}}, r"names 'source' and 'target', and no other, got label, source, target"),
    "columns of another kind": ({"columns": {"text": "long", "label": "short"}}, r"seq2seq.*got label, text"),
    "a column that is not there": ({"columns": {"source": "long", "target": "shirt"}}, r"no such column, did you mean 'short'"),
    "images": ({"source": {"from": "folder", "folder": "."}}, r"'folder' has no data of kind 'seq2seq'.*: hub, files, package"),
    "numbers": ({"predicts": "number"}, r"predicts: a task of kind 'seq2seq' predicts a text, got 'number'; leave it out"),
    "noise": ({"label_noise": {"fraction": 0.1}}, r"label_noise: is for classes, and this task is of kind 'seq2seq'"),
    "a metric of classes": ({"metric": "macro_f1"}, r"metric: is for classes, and this task is of kind 'seq2seq'"),
    "near copies": ({"duplicates": {"fraction": 0.1, "near": True}}, r"duplicates.near: .* of kind 'seq2seq', got true"),
    "blocks": ({"block": 8}, r"block: is for a task of kind 'language', and this one is of kind 'seq2seq'"),
    "a short target": ({"max_target_length": 1}, r"max_target_length: .* got 1; the nearest that works is 2"),
    "a short source": ({"max_length": 3}, r"max_length: .* got 3; the nearest that works is 4"),
    "a model of classes": ({"model": {"family": "small", "name": "cnn"}}, r"takes 't5' or 'transformers', got 'small'"),
    "heads": ({"model": T5 | {"heads": 3}}, r"width: must be a multiple of the 3 heads, got 16; .* works is 15"),
    "layers": (
        {"model": {"family": "transformers", "source": {"from": "folder", "folder": "x"}, "train_layers": 1}},
        r"model.train_layers: is for models of one stack of layers, and 'seq2seq' has two; leave it out",
    ),
    "an encoder alone": (
        {"model": {"family": "transformers", "source": {"from": "folder", "folder": "bare"}}},
        r"own\.model: must have an encoder and a decoder, such as T5, .* got 'bert'",
    ),
}


@pytest.mark.parametrize(("more", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named(prepared, tmp_path, more, said):
    Path("bare").mkdir(exist_ok=True)
    Path("bare/config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match=said):
        prepared(**({"source": written(tmp_path)} | SEQ2SEQ | more))
    assert not Path("results/prepare").exists()
