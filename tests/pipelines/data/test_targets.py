"""Labels become classes or numbers, with noise where asked; what is neither is named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.core.errors import UserError
from tests.pipelines.reviews import REVIEWS, write
from tests.pipelines.text_pairs import COLUMNS, hub, pairs, spoiled, written


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


def test_a_class_that_training_lacks_is_named(prepared, tmp_path):
    source = {"from": "files", "train": write(f"{tmp_path}/a.csv"), "test": write(f"{tmp_path}/b.csv", [("a joy", "odd")])}
    with pytest.raises(UserError, match=r"the test split has classes that training lacks: .*odd"):
        prepared(source, {"text": "text", "label": "label"})


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize(("bad", "said"), [(-1, r"got -1; a split whose labels are -1 has hidden labels"), (2, "got 2$")])
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


def test_many_classes_that_a_limit_leaves_out_are_counted(prepared, encoder, tmp_path):
    table = spoiled() | {"label": ["a"] * 6}
    many = {k: v * 2 for k, v in table.items()} | {"label": list("abcdefghijkl")}
    source = written(tmp_path, many)
    source["test"] = written(tmp_path, {k: v[::-1] for k, v in many.items()}, "test.parquet")["train"]
    with pytest.raises(UserError, match=r"lacks: \w, \w, \w, \w, \w and 5 more; raise limit, which is 2, or leave it out"):
        prepared(source, COLUMNS, limit=2)
