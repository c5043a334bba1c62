"""Near copies of texts and tables are changed a little, and refused where they cannot be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.errors import UserError
from pipelines.data import added_copies

TEXT = "text,label\n" + "\n".join(f"a fine film {i} no good at all,{'ab'[i % 2]}" for i in range(40))


def file_of(tmp_path, content):
    (tmp_path / "own.csv").write_text(content)
    return {"from": "files", "train": str(tmp_path / "own.csv")}


def test_near_copies_of_texts_have_one_to_three_words_less_or_elsewhere(prepared, tmp_path):
    more = {"test": 8, "duplicates": {"fraction": 0.5, "near": True}}
    _, train, _ = prepared(file_of(tmp_path, TEXT), {"text": "text", "label": "label"}, **more)
    texts, of = train.table["text"].to_pylist(), train.table["copy_of"].to_pylist()
    by_id = dict(zip(train.ids.tolist(), texts, strict=True))
    found = [(by_id[o].split(), text.split()) for o, text in zip(of, texts, strict=True) if o is not None]
    assert len(found) == 16
    for original, copy in found:
        assert len(original) - added_copies.EDITS <= len(copy) <= len(original)
        assert not set(copy) - set(original)
    # Two swaps may undo each other.
    assert sum(original != copy for original, copy in found) > 12


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), st.integers(0, 999))
def test_a_reworded_text_is_never_empty(words, seed):
    found = added_copies.reworded(" ".join(words), np.random.default_rng(seed)).split()
    assert max(1, min(len(words), 2), len(words) - added_copies.EDITS) <= len(found) <= len(words)


TABLE = "a,sky,y\n" + "\n".join(f"{i + 1},{'rs'[i % 2]},{i * 3}" for i in range(40))


def test_near_copies_of_a_table_have_other_numbers_and_nothing_else(prepared, tmp_path):
    more = {"kind": "table", "predicts": "number", "test": 8, "duplicates": {"fraction": 0.5, "near": True}}
    manifest, train, _ = prepared(file_of(tmp_path, TABLE), {"numbers": ["a"], "categories": ["sky"], "label": "y"}, **more)
    scale, values = manifest.features[0], train.examples.values
    number = values[:, 0] * scale["deviation"] + scale["mean"]
    original = train.ids % 40 + 1
    copied = train.ids >= 40
    assert copied.sum() == 16
    np.testing.assert_allclose(number[~copied], original[~copied], rtol=1e-4)
    relative = number[copied] / original[copied] - 1
    assert 0.003 < relative.std() < 0.03
    assert (values[copied, 1] == (original[copied] % 2)).all()
    y = train.examples.target * manifest.label_scale.deviation + manifest.label_scale.mean
    np.testing.assert_allclose(y, (original - 1) * 3, atol=1e-3)


def test_near_copies_that_cannot_be_made_are_refused(prepared, tmp_path):
    near = {"duplicates": {"fraction": 0.5, "near": True}}
    with pytest.raises(UserError, match=r"duplicates.near: .*must be false for a task whose columns name no numbers"):
        prepared(file_of(tmp_path, TABLE), {"categories": ["sky"], "label": "y"}, kind="table", predicts="number", **near)
    model = {"family": "gpt", "layers": 1, "width": 16, "heads": 2}
    with pytest.raises(UserError, match=r"duplicates.near: .*of kind 'language', got true; the nearest that works is false"):
        prepared({"from": "folder", "folder": "."}, {}, kind="language", model=model, **near)
