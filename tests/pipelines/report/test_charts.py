"""Charts take the page's colour and keep their ids apart."""

import re

from pipelines.report.charts import Series, against_time, to_svg

EVIL = '<script>alert("x")</script>'


def figure():
    return against_time([Series(EVIL, [(0.5, 0.9, 0.01), (1.0, 0.95, None)], joined=True)], "accuracy & more", True)


def test_a_drawing_takes_the_colour_of_the_page_and_keeps_its_ids_to_itself():
    one, two = (to_svg(figure(), name, "text") for name in ("one", "two"))
    assert "#123456" not in one
    assert "currentColor" in one
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (one, two)]
    assert ids[0]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', one))
    assert used <= ids[0]


def test_the_same_figure_is_the_same_text():
    assert to_svg(figure(), "one", "text") == to_svg(figure(), "one", "text")
