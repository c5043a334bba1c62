"""Rankings of examples, and how an example is shown."""

import base64
import io
import re

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.image import imread

from pipelines.report.page import Section, render
from pipelines.report.sections import examples
from tests.pipelines.records import manifest
from tests.pipelines.report.given_runs import scored

EVIL = '<script>alert("x")</script>'


CLASSES = manifest(kind="text", classes=["bad", EVIL])


def test_a_ranking_is_by_the_score_and_else_by_how_often_an_example_was_trained_on():
    ranked = examples.ranking(scored())
    assert ranked.order.tolist() == [2, 0, 1, 3]  # by ledger: ids 3, 1, 2, 5
    assert ranked.score.tolist() == [8, 1, 9, 0.5]
    free = scored(kept=(3, 1, 2, 5))
    assert examples.ranking(free).order.tolist() == [2, 0, 3, 1]
    free.__dict__["kind"] = "uniform"
    assert examples.ranking(free) is None


def test_texts_are_cut_escaped_and_told_with_label_and_score():
    table = pa.table({"id": [1, 2, 3, 5], "label": [0, 1, 1, 0], "text": [EVIL, "b" * 200, "c" * 201, "d"]})
    told = examples._lines(table, examples.ranking(scored()), {"most": [2, 0], "least": [1]}, CLASSES)
    assert told.rows[0] == ["most 1", "3", EVIL, "9.000", "c" * 200 + "…"]
    assert told.rows[1] == ["most 2", "1", "bad", "8.000", EVIL]
    assert told.rows[2][-1] == "b" * 200
    page = render("t", [], [Section("s", [], told)], [])
    assert "<script" not in page
    assert page.count('<td class="prose">&lt;script&gt;') == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_the_pixels_that_it_was_made_of(channels):
    pixels = np.arange(channels * 4, dtype=np.uint8) * 20
    element = examples.picture(pixels, [channels, 2, 2])
    assert re.fullmatch(r'<img alt="" src="data:image/png;base64,[A-Za-z0-9+/=]+">', element)
    read = imread(io.BytesIO(base64.b64decode(element.split(",")[1][:-2])))[..., :3] * 255
    expected = pixels.reshape(channels, 2, 2).transpose(1, 2, 0)
    assert np.allclose(read, np.broadcast_to(expected, (2, 2, 3)), atol=0.5)
