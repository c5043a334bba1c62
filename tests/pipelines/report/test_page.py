"""A page shows nothing as markup that is not, and needs no other file."""

import subprocess
import sys
from html.parser import HTMLParser

import pytest

from pipelines.report import page as report_page
from pipelines.report.charts import Series, against_time
from tests.conftest import ROOT
from tests.pipelines.records import cost_record, manifest

EVIL = '<script>alert("x")</script>'


def figure():
    return against_time([Series(EVIL, [(0.5, 0.9, 0.01), (1.0, 0.95, None)], joined=True)], "accuracy & more", True)


def page(**changes):
    whole = {
        "title": EVIL,
        "headline": [EVIL],
        "sections": [
            report_page.Section(EVIL, [EVIL], report_page.Table([EVIL, "b"], [[EVIL, EVIL]], frozenset({(0, 1)}))),
            report_page.Section("figures", figures=[report_page.drawing(figure(), "time", 'a "caption" <b>')]),
        ],
        "facts": [(EVIL, EVIL)],
    }
    return report_page.render(**whole | changes)


class Reader(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.depth = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_nothing_given_is_markup():
    read = Reader(page())
    assert "script" not in read.tags
    assert "b" not in read.tags
    assert ("class", "best") in read.attributes
    assert dict(read.attributes)["aria-label"] == 'a "caption" <b>'


def test_a_page_needs_no_other_file():
    text = page()
    read = Reader(text)
    assert not {"link", "img", "script", "iframe", "object"} & set(read.tags)
    links = [v for k, v in read.attributes if k in ("src", "href", "xlink:href") or (v and "url(" in v)]
    assert all(link.startswith("#") or "url(#" in link for link in links)
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert 'name="viewport"' in text


@pytest.mark.slow
def test_compare_and_the_tables_of_a_study_need_no_torch():
    modules = "pipelines.compare, pipelines.study.report.page, pipelines.trials.study_summary"
    script = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("cut", [{}, {"max_length": 8, "truncated": {"train": 2, "test": 0}}])
def test_a_page_says_how_many_texts_were_cut(cut):
    machine = dict.fromkeys(("processor", "python", "torch", "device", "platform"), "x") | {"threads": 1, "cores": 2}
    counts = {"train": 4, "test": 4}
    told = dict(report_page.provenance(manifest(counts=counts, **cut), cost_record(machine=machine), [0], "x"))
    said = "2 of 4 train and 0 of 4 test texts (25.0%) are longer than max_length, 8 tokens, and cut there"
    assert told.get("texts") == (said if cut else None)
