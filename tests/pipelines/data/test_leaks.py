"""Rows that repeat others are counted, and leaks between the splits refused or dropped, as the task says."""

import json

import numpy as np
import pytest
from PIL import Image

from pipelines.core import artifacts
from pipelines.core.errors import UserError

COLUMNS = {"text": "text", "label": "label"}
WORDS = ("a", "fine", "film", "no", "good", "at", "all", "dull", "bore", "joy")


def text_of(seed):
    return " ".join(np.random.default_rng(seed).choice(WORDS, 40))


TEXTS = [text_of(i) for i in range(12)]
#: Row 3 is row 0 again, and row 5 is row 1 but for its last word.
TRAIN = [*TEXTS[:3], TEXTS[0], TEXTS[3], f"{TEXTS[1].rsplit(' ', 1)[0]} none"]
#: The first is training's row 2, the third row 4 but for its last word.
TEST = [TEXTS[2], TEXTS[8], f"{TEXTS[3].rsplit(' ', 1)[0]} none", TEXTS[9]]


@pytest.fixture
def leaky(prepared, tmp_path):
    """Prepare the texts above, and return manifest and splits."""
    for name, texts in (("train", TRAIN), ("test", TEST)):
        lines = [json.dumps({"text": t, "label": "ab"[i % 2]}) for i, t in enumerate(texts)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    source = {"from": "files", "train": f"{tmp_path}/train.jsonl", "test": f"{tmp_path}/test.jsonl"}
    return lambda **options: prepared(source, COLUMNS, **options)


def test_what_repeats_is_counted_by_the_inputs_as_the_model_sees_them(leaky, capsys):
    manifest, train, _ = leaky()
    assert manifest.duplicates_found.model_dump() == {
        "train_exact": 1,
        "train_near": 1,
        "leaked_exact": 1,
        "leaked_near": 1,
        "sought": 10,
        "dropped": 0,
    }
    assert len(train.ids) == 6
    said = capsys.readouterr().err
    assert "2 training rows repeat an earlier one, 1 exactly\n" in said
    assert "2 test rows are in training too, 1 exactly\n" in said


def test_texts_that_are_cut_to_the_same_are_the_same(leaky):
    manifest, _, _ = leaky(max_length=4)
    assert manifest.duplicates_found.train_exact == len(TRAIN) - len({tuple(t.split()[:2]) for t in TRAIN})


def test_dropping_takes_every_row_out_of_training_that_a_test_row_says_again(leaky):
    manifest, train, test = leaky(leaks="drop")
    assert train.ids.tolist() == [0, 1, 3, 5]
    assert test.ids.tolist() == [6, 7, 8, 9]
    found = manifest.duplicates_found
    assert (found.leaked_exact, found.leaked_near, found.dropped) == (0, 0, 2)
    assert manifest.counts.model_dump() == {"train": 4, "test": 4}


def test_refusing_names_the_first_pair(leaky):
    with pytest.raises(UserError, match=r"tasks.own.leaks: 'refuse', and 2 test rows are in training too \(1 exactly\), "):
        leaky(leaks="refuse")
    with pytest.raises(UserError, match=r"the first of them id 6, which repeats id 2; 'drop' trains without such rows"):
        leaky(leaks="refuse")
    assert not artifacts.PREPARED.exists()


def test_nothing_is_refused_where_nothing_leaks(prepared, tmp_path):
    lines = [json.dumps({"text": t, "label": "ab"[i % 2]}) for i, t in enumerate(TEXTS)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    source = {"from": "files", "train": f"{tmp_path}/train.jsonl"}
    for how in ("report", "refuse", "drop"):
        manifest, train, _ = prepared(source, COLUMNS, test=4, leaks=how)
        assert (len(train.ids), manifest.duplicates_found.dropped) == (8, 0)


def test_a_row_that_a_regime_draws_in_place_of_a_dropped_one_may_not_leak_either(prepared, tmp_path):
    rows = [(f"{i} {text_of(i % 30)}", "ab"[i % 30 > 24]) for i in range(90)]
    lines = [json.dumps({"text": t.split(" ", 1)[1], "label": y}) for t, y in rows]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    source = {"from": "files", "train": f"{tmp_path}/train.jsonl"}
    options = {"test": 12, "long_tail": {"ratio": 4}, "duplicates": {"fraction": 0.3}}
    manifest, train, test = prepared(source, COLUMNS, leaks="drop", **options)
    assert not set(train.table["text"].to_pylist()) & set(test.table["text"].to_pylist())
    assert manifest.duplicates_found.dropped > 0


def test_where_every_row_leaks_nothing_is_left_to_train_on(prepared, tmp_path):
    for name in ("train", "test"):
        rows = [
            {"text": f"a film {w}", "label": y} for w, y in [("no", "a"), ("good", "b"), *[("all", "b")] * (name == "test")]
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {"from": "files", "train": f"{tmp_path}/train.jsonl", "test": f"{tmp_path}/test.jsonl"}
    with pytest.raises(UserError, match=r"tasks\.own\.leaks: 'drop' leaves no training row: all are in the test split"):
        prepared(source, COLUMNS, leaks="drop")


def test_rows_of_a_table_leak_too(prepared, tmp_path):
    rows = [{"x": i % 7, "y": 2.5 * (i % 7), "label": "ab"[i % 2]} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {"from": "files", "train": f"{tmp_path}/rows.jsonl"}
    columns = {"numbers": ["x", "y"], "label": "label"}
    kind = {"kind": "table", "model": {"family": "small", "name": "table-mlp"}}
    manifest, train, _ = prepared(source, columns, test=10, **kind)
    assert manifest.duplicates_found.train_exact == 30 - len({tuple(r) for r in train.examples.values.tolist()})
    assert manifest.duplicates_found.leaked_exact == 10


def test_images_that_leak_are_dropped_and_the_mean_is_of_those_that_are_left(prepared, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 4, 4), np.uint8)
    for split, places in (("train", range(16)), ("test", range(12, 24))):
        for i in places:
            path = tmp_path / "images" / split / "ab"[i % 2] / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[i]).save(path)
    source = {"from": "folder", "folder": f"{tmp_path}/images"}
    manifest, train, _ = prepared(source, {}, kind="image", leaks="drop")
    left = np.concatenate([pixels[0:12:2], pixels[1:12:2]])
    np.testing.assert_array_equal(train.examples.pixels[:, 0], left)
    assert manifest.mean == pytest.approx(left.mean())
    assert manifest.duplicates_found.dropped == 4


def test_blocks_of_running_text_that_leak_are_dropped(prepared, tmp_path):
    for split, texts in (("train", [TEXTS[1], TEXTS[0]]), ("test", [TEXTS[1]])):
        (tmp_path / f"{split}.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in texts))
    source = {"from": "files", "train": f"{tmp_path}/train.jsonl", "test": f"{tmp_path}/test.jsonl"}
    model = {"family": "gpt", "layers": 1, "width": 8, "heads": 1}
    options = {"kind": "language", "model": model, "block": 4, "vocabulary": 300}
    before, whole, test = prepared(source, {"text": "text"}, **options)
    manifest, train, _ = prepared(source, {"text": "text"}, leaks="drop", **options)
    tested = {tuple(row) for row in test.examples.tokens.tolist()}
    assert [r for r in whole.examples.tokens.tolist() if tuple(r) not in tested] == train.examples.tokens.tolist()
    assert manifest.duplicates_found.dropped == len(whole.ids) - len(train.ids) > 0
    assert before.duplicates_found.leaked_exact > 0
