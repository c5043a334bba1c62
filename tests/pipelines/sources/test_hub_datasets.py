"""Data sets of the hub: images, rows, texts and pairs."""

import datasets
import numpy as np
import pytest
from PIL import Image

from pipelines.core.errors import UserError
from pipelines.sources import hub_datasets
from pipelines.sources.hub_datasets import of_datasets
from tests.pipelines.books import LINE
from tests.pipelines.pictures import array_of
from tests.pipelines.records import task_plan
from tests.pipelines.text_pairs import COLUMNS, hub, pairs

TASK = task_plan(kind="image", columns={"image": "picture", "label": "kind"})


def of_pictures(column):
    features = datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["cat", "dog"])})
    return datasets.Dataset.from_dict({"picture": column, "kind": [i % 2 for i in range(len(column))]}, features=features)


def test_a_hub_data_set_of_images(tmp_path):
    split = of_pictures([Image.fromarray(np.full((4, 4), i, np.uint8)) for i in range(4)])
    raw = of_datasets(TASK, [split, split], "own")
    assert raw.names == ["cat", "dog"]
    assert array_of(raw.pixels, range(8), tmp_path)[0][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert raw.tested.tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(("bad", "said"), [(b"xx", "cannot be decoded"), (None, "is missing")])
def test_an_image_of_the_hub_that_cannot_be_used_is_named_by_id(bad, said, tmp_path):
    broken = None if bad is None else {"bytes": bad, "path": None}
    raw = of_datasets(TASK, [of_pictures([Image.fromarray(np.zeros((4, 4), np.uint8)), broken]), None], "own")
    with pytest.raises(UserError, match=f"image id 1: {said}"):
        array_of(raw.pixels, [0, 1], tmp_path)


def test_a_hub_column_that_holds_no_images_is_refused():
    split = datasets.Dataset.from_dict({"picture": [[1], [2]], "kind": [0, 1]})
    with pytest.raises(UserError, match=r"own: columns\.image: 'picture' must be a column of images, got List"):
        of_datasets(TASK, [split, None], "own")


def test_a_hub_data_set_of_rows():
    import datasets

    split = datasets.Dataset.from_dict({"x": [1.0, 2.0], "c": ["u", None], "y": [0.5, 1.5]})
    columns = {"numbers": ["x"], "categories": ["c"], "label": "y"}
    raw = hub_datasets.of_datasets(task_plan(columns=columns), [split, split], "own")
    assert raw.inputs == {"x": [1.0, 2.0] * 2, "c": ["u", None] * 2}
    assert raw.label.tolist() == [0.5, 1.5] * 2


def test_a_hub_data_set_of_texts():
    split = datasets.Dataset.from_dict({"body": [LINE, "by and by"], "more": [1, 2]})
    raw = of_datasets(task_plan(kind="language", columns={"text": "body"}), [split, split], "own")
    assert raw.inputs == {"text": [LINE, "by and by"] * 2}
    assert raw.tested.tolist() == [False, False, True, True]


@pytest.mark.parametrize("tested", [True, False])
def test_the_validation_split_of_a_hub_data_set_is_marked(tested):
    texts = [datasets.Dataset.from_dict({"body": [LINE, "by and by"]}) for _ in range(3)]
    pictures = [of_pictures([Image.fromarray(np.zeros((4, 4), np.uint8))] * 2) for _ in range(3)]
    plan = task_plan(kind="language", columns={"text": "body"})
    for of, parts in ((plan, texts), (TASK, pictures)):
        raw = of_datasets(of, [parts[0], parts[1] if tested else None, parts[2]], "own")
        assert raw.validates.tolist() == [False] * (4 if tested else 2) + [True] * 2
        assert (raw.tested is not None) == tested
        if tested:
            assert raw.tested.tolist() == [False, False, True, True, False, False]


@pytest.mark.usefixtures("cached")
def test_pairs_of_the_hub_bring_the_names_of_their_classes(prepared, encoder, tmp_path):
    source = hub(tmp_path, {"train": pairs(), "validation": pairs(6, seed=1)})
    manifest, train, test = prepared(source, COLUMNS)
    assert manifest.classes == ["not", "same"]
    assert manifest.counts.model_dump() == {"train": 24, "test": 6}
    assert train.examples.target.tolist() == pairs()["label"]
    assert test.table["text_pair"].to_pylist() == pairs(6, seed=1)["sentence"]
