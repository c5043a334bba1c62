"""Documents become blocks of tokens; archives of npm are fetched, checked and never run."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch

from components.tasks.batch import Rows
from pipelines.config.plans import TrainingPlan
from pipelines.config.schema.source import FromPackage
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.data import token_blocks
from pipelines.data.split_files import read_split
from pipelines.sources import package_index, pretrained
from pipelines.sources.documents import untagged
from pipelines.sources.hub_datasets import of_datasets
from pipelines.training import models
from tests.conftest import ROOT
from tests.pipelines.records import task_plan

LINE = "it was the best of times , it was the worst of times"
GPT = {"family": "gpt", "layers": 1, "width": 16, "heads": 2}
LANGUAGE = {"kind": "language", "model": GPT, "test": 2, "block": 8, "vocabulary": 300}


def folder_of(tmp_path, count=8, name="books"):
    folder = tmp_path / name
    folder.mkdir()
    for i in range(count):
        (folder / f"{i}.txt").write_text(f"{LINE} , {'by and by ' * i}{str(i) * 3}\n" * 3)
    return {"from": "folder", "folder": str(folder), "files": "*.txt"}


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


def test_cutting_by_hand():
    class Letters:
        eos_token_id = None
        sep_token_id = 0

        def __call__(self, texts, **options):
            return {"input_ids": [[ord(c) - 96 for c in text] for text in texts]}

    found = token_blocks.cut(["abc", "zzzz", "d", "efgh"], np.array([0, 2, 3]), Letters(), 4, "here")
    # a b c 0 | d 0 e f | g h 0: the last three are no whole block.
    assert found.tokens.tolist() == [[1, 2, 3, 0], [4, 0, 5, 6]]
    assert found.document.tolist() == [0, 2]
    assert found.total == 11
    with pytest.raises(UserError, match="here has 2 tokens, under the 4 of one block; the nearest that works is 2"):
        token_blocks.cut(["a"], np.array([0]), Letters(), 4, "here")


def test_a_limit_draws_blocks_of_training(prepared, tmp_path):
    _, every, test = prepared(folder_of(tmp_path), {}, **LANGUAGE)
    _, some, same = prepared(folder_of(tmp_path, name="again"), {}, **LANGUAGE, limit=5)
    assert len(some.ids) == 5
    assert set(some.ids) < set(every.ids)
    assert (some.examples.tokens == every.examples.tokens[some.ids]).all()
    assert same.ids.tolist() == test.ids.tolist()


def test_the_tokenizer_is_the_same_for_the_same_texts_in_another_process():
    texts = [f"{LINE} {'by and by ' * i}" for i in range(6)]
    code = "import json, sys; from pipelines.data.token_blocks import trained\n"
    code += "print(trained(json.loads(sys.argv[1]), 270)._tokenizer.to_str())"
    said = [
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(texts)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONWARNINGS": "ignore"},
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout
        for seed in (1, 2)
    ]  # fmt: skip
    assert said[0] == said[1]
    tokenizer = token_blocks.trained(texts, 270)
    assert len(tokenizer) == 270
    assert tokenizer.decode(tokenizer("wörst times")["input_ids"]) == "wörst times"


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


def test_a_hub_data_set_of_texts():
    split = datasets.Dataset.from_dict({"body": [LINE, "by and by"], "more": [1, 2]})
    raw = of_datasets(task_plan(kind="language", columns={"text": "body"}), [split, split], "own")
    assert raw.inputs == {"text": [LINE, "by and by"] * 2}
    assert raw.tested.tolist() == [False, False, True, True]


def test_tags_are_left_out():
    text = "\n\tThe/at jury/nn said/vbd 1/2/cd ./.\n\n\n\tplain\n"
    assert untagged(text) == "The jury said 1/2 .\nplain"


def test_a_gpt_of_the_prepared_data_comes_back_from_its_folder(prepared, tmp_path):
    manifest, train, _ = prepared(folder_of(tmp_path), {}, **LANGUAGE)
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    torch.manual_seed(0)
    built = models.build(plan, manifest).eval()
    assert built.config.n_positions == 8
    artifacts.write_folder(tmp_path / "model", lambda folder: models.save(built, folder, plan))
    assert (tmp_path / "model" / "tokenizer.json").exists()
    other = models.build(plan, manifest).eval()
    models.load_weights(other, tmp_path / "model")
    batch = train.examples.fetch(Rows(torch.arange(2), torch.ones(2)), torch.device("cpu"))
    assert (built(**batch.inputs).logits == other(**batch.inputs).logits).all()
    # And as a pretrained model of its own: its tokenizer cuts the blocks, and it is trained on.
    causal = {"family": "transformers", "source": {"from": "folder", "folder": str(tmp_path / "model")}, "train_layers": 1}
    again, train, _ = prepared(folder_of(tmp_path, name="again"), {}, **{**LANGUAGE, "model": causal})
    assert again.files.keys() == {"train", "test"}
    assert again.vocabulary == manifest.vocabulary
    plan = TrainingPlan.read(artifacts.plan_of("training")).model
    third = models.build(plan, again).eval()
    batch = train.examples.fetch(Rows(torch.arange(2), torch.ones(2)), torch.device("cpu"))
    assert (built(**batch.inputs).logits == third(**batch.inputs).logits).all()
    with pytest.raises(UserError, match=r"reads 8 tokens at once, and block is 16; the nearest block that works is 8"):
        models.build(plan, again.model_copy(update={"block": 16}))


BAD = {
    "under one block": ({"block": 4000}, {}, r"own\.block: the training split has \d+ tokens, under the 4000 of one block"),
    "no such file": ({}, {"files": "*.md"}, r"books: has no file of the name '\*\.md', which is what source\.files asks for"),
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


def test_an_empty_document_and_one_that_is_no_text_are_named(prepared, tmp_path):
    source = folder_of(tmp_path)
    (tmp_path / "books" / "3.txt").write_text(" \n")
    with pytest.raises(UserError, match=r"3\.txt: the text of id 3 is empty"):
        prepared(source, {}, **LANGUAGE)
    (tmp_path / "books" / "3.txt").write_bytes(b"fine \xff\xfe")
    with pytest.raises(UserError, match=r"3\.txt: the text of id 3 is not UTF-8, from byte 5"):
        prepared(source, {}, **LANGUAGE)


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Put an archive of tagged documents behind a program called npm, which fetches it; return its source."""
    folder_of(tmp_path)
    for path in (tmp_path / "books").iterdir():
        path.write_text("\n\n\t" + " ".join(f"{word}/xx" for word in path.read_text().split()), encoding="latin-1")
    with tarfile.open(tmp_path / "books-1.0.0.tgz", "w:gz") as archive:
        archive.add(tmp_path / "books", "package")
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/calls\n'
        '[ "$2" = books@1.0.0 ] || { echo "npm error 404 no such version" >&2; exit 1; }\n'
        'while [ "$1" != --pack-destination ]; do shift; done\n'
        f'cp {tmp_path}/books-1.0.0.tgz "$2"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    sha256 = artifacts.digest_of(tmp_path / "books-1.0.0.tgz")
    source = {"from": "package", "package": "books", "version": "1.0.0", "archive": "npm", "sha256": sha256}
    return source | {"member": ["package"], "files": "[0-7].*", "tagged": True}


def test_an_archive_of_npm_is_fetched_once_and_runs_nothing(prepared, npm, tmp_path):
    manifest, train, _ = prepared(npm, {}, **LANGUAGE)
    assert manifest.counts.train == len(train.ids) > 0
    assert LINE in tokenizer_of_prepared().decode(train.examples.tokens.ravel())
    prepared(npm, {}, **LANGUAGE)
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith("pack books@1.0.0 --ignore-scripts ")


def test_an_archive_of_another_hash_is_not_kept(prepared, npm, tmp_path):
    with pytest.raises(
        UserError, match=rf"source books@1\.0\.0 \(sha256 {'0' * 64}\): the sha256 of what was fetched is {npm['sha256']}"
    ):
        prepared(npm | {"sha256": "0" * 64}, {}, **LANGUAGE)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_a_folder_out_of_an_archive_is_held_to_its_hash(prepared, npm):
    place = package_index.member(FromPackage(**npm))
    prepared(npm | {"member_sha256": package_index.digest_of_tree(place)}, {}, **LANGUAGE)
    with pytest.raises(UserError, match=rf"package: sha256 must be {'0' * 64}, got {package_index.digest_of_tree(place)}"):
        prepared(npm | {"member_sha256": "0" * 64}, {}, **LANGUAGE)


def test_what_npm_says_of_a_version_that_is_not_there(prepared, npm):
    with pytest.raises(UserError, match=r"source books@1\.0\.1 .*: npm cannot fetch it: npm error 404 no such version"):
        prepared(npm | {"version": "1.0.1"}, {}, **LANGUAGE)


def test_without_npm_the_error_names_it(prepared, npm, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"source books@1\.0\.0 .*: npm is not installed, .*Debian's package is npm"):
        prepared(npm, {}, **LANGUAGE)


def test_preparing_text_twice_is_the_same_to_the_byte(prepared, tmp_path):
    source = folder_of(tmp_path)
    first, *_ = prepared(source, {}, **LANGUAGE)
    kept = {p.name: p.read_bytes() for p in artifacts.PREPARED.rglob("*") if p.is_file()}
    second, *_ = prepared(source, {}, **LANGUAGE)
    assert first == second
    assert {p.name: p.read_bytes() for p in artifacts.PREPARED.rglob("*") if p.is_file()} == kept
    assert read_split("test", first).examples.outputs == 7
