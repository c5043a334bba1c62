"""Documents become blocks of tokens, the same to the byte each time."""

import json
from pathlib import Path

import pytest
import torch

from components.tasks.batch import Rows
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.data import token_blocks
from pipelines.data.split_files import read_split
from pipelines.sources import pretrained
from tests.pipelines.books import GPT, LANGUAGE, LINE, folder_of


def tokenizer_of_prepared():
    return pretrained.tokenizer_in(artifacts.TOKENIZER)


def test_documents_end_to_end_in_blocks(prepared, tmp_path):
    manifest, train, test = prepared(folder_of(tmp_path), {}, **LANGUAGE)
    tokenizer, end = tokenizer_of_prepared(), manifest.end
    assert tokenizer.convert_ids_to_tokens(end) == "<|endoftext|>"
    texts = [(tmp_path / "books" / f"{i}.txt").read_text() for i in range(8)]
    learnt = [texts[i] for i in sorted(set(train.table["document"].to_pylist()))]
    assert (
        tokenizer.get_vocab() == token_blocks.trained(learnt, 300).get_vocab() != token_blocks.trained(texts, 300).get_vocab()
    )
    before = 0
    for split in (train, test):
        found = split.examples.tokens.ravel().tolist()
        documents = sorted(set(split.table["document"].to_pylist()))
        stream = [t for i in documents for t in [*tokenizer(texts[i])["input_ids"], end]]
        assert found == stream[: len(found)]
        assert len(stream) - len(found) < 8
        assert split.ids.tolist() == list(range(before, before + len(split.ids)))
        before += len(split.ids)
    assert (manifest.target, manifest.metric, manifest.higher) == ("tokens", "perplexity", False)
    assert (manifest.outputs, manifest.block) == (7, 8)
    assert not train.examples.tokens.flags.owndata
    batch = train.examples.fetch(Rows(torch.tensor([3, 1]), torch.ones(2)), torch.device("cpu"))
    assert batch.target.tolist() == train.examples.tokens[[3, 1]].tolist()


def test_no_document_is_in_both_splits_and_each_block_names_its_own(prepared, tmp_path):
    _, train, test = prepared(folder_of(tmp_path), {}, **LANGUAGE)
    documents = [set(split.table["document"].to_pylist()) for split in (train, test)]
    assert not documents[0] & documents[1]
    assert len(documents[1]) == 2
    tokenizer = tokenizer_of_prepared()
    for tokens_, document in zip(train.examples.tokens, train.table["document"].to_pylist(), strict=True):
        text = (tmp_path / "books" / f"{document}.txt").read_text()
        assert tokenizer.decode(tokens_).split("<|endoftext|>")[0] in text + "<|endoftext|>"


def test_a_limit_draws_blocks_of_training(prepared, tmp_path):
    _, every, test = prepared(folder_of(tmp_path), {}, **LANGUAGE)
    _, some, same = prepared(folder_of(tmp_path, name="again"), {}, **LANGUAGE, limit=5)
    assert len(some.ids) == 5
    assert set(some.ids) < set(every.ids)
    assert (some.examples.tokens == every.examples.tokens[some.ids]).all()
    assert same.ids.tolist() == test.ids.tolist()


def test_a_column_of_texts_and_folders_of_their_own_for_testing(prepared, tmp_path):
    (tmp_path / "own.jsonl").write_text("\n".join(json.dumps({"body": f"{LINE} {i}"}) for i in range(9)))
    source = {"from": "files", "train": str(tmp_path / "own.jsonl")}
    manifest, train, _ = prepared(source, {"text": "body"}, **LANGUAGE)
    assert manifest.tokens.train >= len(train.ids) * 8
    for part in ("train", "test"):
        (tmp_path / "split" / part).mkdir(parents=True)
        (tmp_path / "split" / part / "a").write_text(LINE)
    _, train, test = prepared({"from": "folder", "folder": str(tmp_path / "split")}, {}, **{**LANGUAGE, "test": None})
    assert (train.table["document"][0].as_py(), test.table["document"][0].as_py()) == (0, 1)


BAD = {
    "under one block": ({"block": 4000}, {}, r"own\.block: the training split has \d+ tokens, under the 4000 of one block"),
    "no such file": ({}, {"files": "*.md"}, r"books: has no file that matches source\.files, '\*\.md'"),
    "outside the folder": ({}, {"files": "../*"}, r"source\.files: .*pattern"),
    "a label": ({"columns": {"text": "a", "label": "b"}, "source": {"from": "files", "train": "a.csv"}}, {}, r"'text' alone"),
    "numbers": ({"predicts": "number"}, {}, r"predicts: a task of kind 'language' predicts its own tokens, got 'number'"),
    "noise": ({"label_noise": {"fraction": 0.1}}, {}, r"label_noise: is for classes, and this task is of kind 'language'"),
    "a block of one token": ({"block": 1}, {}, r"block: .*greater than or equal to 2, got 1; the nearest that works is 2"),
    "a small vocabulary": ({"vocabulary": 99}, {}, r"vocabulary: .* got 99; the nearest that works is 257"),
    "a model of images": ({"model": {"family": "small", "name": "cnn"}}, {}, r"takes 'gpt' or 'transformers', got 'small'"),
    "heads": ({"model": GPT | {"heads": 3}}, {}, r"width: must be a multiple of the 3 heads, got 16; .* works is 15"),
    "no tokenizer": (
        {"model": {"family": "transformers", "source": {"from": "folder", "folder": "bare"}}},
        {},
        r"bare: has no tokenizer; one of tokenizer\.json",
    ),
}


@pytest.mark.parametrize(("more", "source", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named(prepared, tmp_path, monkeypatch, more, source, said):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.json").write_text('{"model_type": "gpt2"}')
    given = {"source": folder_of(tmp_path) | source, "columns": {}, **LANGUAGE}
    with pytest.raises(UserError, match=said):
        prepared(**(given | more))
    assert not Path("results/prepare").exists()


def test_files_and_tags_are_for_documents(prepared, tmp_path):
    with pytest.raises(UserError, match=r"source\.files, source\.tagged: are for documents"):
        prepared({"from": "folder", "folder": str(tmp_path), "tagged": True}, {}, kind="image", test=1)


def test_preparing_text_twice_is_the_same_to_the_byte(prepared, tmp_path):
    source = folder_of(tmp_path)
    first, *_ = prepared(source, {}, **LANGUAGE)
    kept = {p.name: p.read_bytes() for p in artifacts.PREPARED.rglob("*") if p.is_file()}
    second, *_ = prepared(source, {}, **LANGUAGE)
    assert first == second
    assert {p.name: p.read_bytes() for p in artifacts.PREPARED.rglob("*") if p.is_file()} == kept
    assert read_split("test", first).examples.outputs == 7
