"""A report says what the numbers support, shows nothing as markup that is not, and needs no other file."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from components.costs.savings import Metric
from pipelines.core.artifacts import cost_of
from pipelines.report import comparison, cost_tables
from pipelines.report import page as report_page
from pipelines.report.charts import Best, Series, against_time, courses, to_svg
from pipelines.report.sections import course, energy
from pipelines.study.report import page as study_page
from pipelines.tracking import run_facts
from pipelines.trials.method_rows import Spread
from pipelines.trials.rows import Head
from pipelines.trials.study_summary import Column
from pipelines.trials.study_tables import Point
from tests.conftest import ROOT
from tests.pipelines.records import comparison_row, cost_record, epoch_record, manifest
from tests.pipelines.study_rows import method_row, study_tables

EVIL = '<script>alert("x")</script>'
ACCURACY, LOSS = Metric("accuracy", True), Metric("perplexity", False)
HISTORY = [
    epoch_record(0, course=[{"place": 0.5, "big": 0.4, "small": 0.6}]),
    epoch_record(1, course=[{"place": 1.0625, "big": 0.3, "small": 0.7}, {"place": 2.0, "big": 0.2, "small": 0.8}]),
]


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


def test_a_course_is_a_line_a_value():
    lines = course.course_of(HISTORY)
    assert lines == {"big": [(0.5, 0.4), (1.0625, 0.3), (2.0, 0.2)], "small": [(0.5, 0.6), (1.0625, 0.7), (2.0, 0.8)]}
    (section,) = course._lines({"mix": [("0.1 kept", lines), ("0.5 kept", lines)], "full": [("", {})]})
    assert len(section.figures) == 1
    assert "0.5 kept" in section.figures[0].svg
    assert course._lines({"full": [("", course.course_of([epoch_record()]))]}) == []
    to_svg(courses([("", {})] * 4 + [("last", lines)]), "x", "more panels than fill the rows")


HAPPENED = [{"place": 0.25, "step": 1200, "event": "stage 1: <b>"}, {"place": 1.0, "step": 1300, "event": "two"}]
EVENTS = [epoch_record(0, events=HAPPENED), epoch_record(1)]


def test_what_happened_is_a_row_an_event_and_a_tag():
    (section,) = course._events([("multistage", EVENTS), ("full", [epoch_record()])])
    assert section.table.rows == [["multistage", "0.250", "1,200", "stage 1: <b>"], ["multistage", "1.000", "1,300", "two"]]
    assert course._events([("full", [epoch_record()])]) == []
    assert run_facts.events_of(EVENTS) == {"events": "epoch 0.250: stage 1: <b>\nepoch 1.000: two"}
    assert run_facts.events_of([epoch_record()]) == {}


def test_of_many_events_the_first_are_shown():
    (section,) = course._events([("m", EVENTS * course.MOST)])
    assert len(section.table.rows) == course.MOST
    assert section.text == ["The first 200 of 400 events."]


def test_mlflow_is_told_a_course_by_thousandths_of_an_epoch():
    told = run_facts.course_of(HISTORY)
    assert told[:4] == [("big", 0.4, 500), ("small", 0.6, 500), ("big", 0.3, 1062), ("small", 0.7, 1062)]
    assert run_facts.course_of([epoch_record(0), epoch_record(1)]) == []


def test_a_mean_course_is_over_the_places_that_all_have():
    first, second = {"a": [(0.5, 1.0), (1.0, 3.0)]}, {"a": [(0.5, 2.0), (1.5, 9.0)]}
    assert course._mean_course([first, second]) == {"a": [(0.5, 1.5)]}
    assert course._mean_course([first, {}]) == {}


def row(method, value, metric=ACCURACY):
    return comparison_row(method, value, metric.name, **{f"{metric.name}_standard_error": 0.01}, time_measured=0.5)


@pytest.mark.parametrize(
    ("values", "metric", "said"),
    [
        ({"full": 0.9, "uniform": 0.8, "a": 0.85}, ACCURACY, "Above every control here, .*: a. One seed."),
        ({"full": 0.9, "uniform": 0.84, "a": 0.85}, ACCURACY, "No method is above every control here"),
        ({"full": 5.0, "uniform": 6.0, "a": 5.5}, LOSS, "Above every control here, .*: a. One seed."),
        ({"full": 0.9, "a": 0.85}, ACCURACY, "There is no control here"),
    ],
)
def test_the_headline_of_a_comparison_claims_what_two_errors_support(values, metric, said):
    rows = [row(m, v, metric=metric) for m, v in values.items()]
    lines = comparison.headline(rows, metric, {"uniform"})
    assert lines[0].startswith(f"full has {metric.name} {values['full']:.4f} ± 0.0100; a has ")
    assert re.match(said, lines[1])


def test_without_errors_the_headline_says_that_chance_is_not_known():
    rows = [comparison_row(m, v, "r2") for m, v in (("full", 0.9), ("a", 0.95))]
    lines = comparison.headline(rows, Metric("r2", True), set())
    assert lines == [
        "full has r2 0.9000; a has 0.9500 in 1.00 of its time.",
        "One seed, and no error of the test split: how much of a difference is chance is not known.",
    ]


def studied(above, seeds=(0, 1, 2)):
    methods = [method_row(method=m, above_controls=sure) for m, sure in (("full", None), *above)]
    full = Column(mean=0.9, deviation=0.01, seeds=len(seeds), rank=1.0, ranked=1)
    return study_tables(methods, seeds=seeds).model_copy(update={"summary": {"full": full}})


def test_the_headline_of_a_study_counts_the_cells_that_beat_both_controls():
    above = [("a", True), ("a", False), ("b", None)]
    lines = study_page.headline(studied(above))
    assert lines[0] == "full has accuracy 0.9000 ± 0.0100."
    assert lines[1].endswith("over 3 seeds: a in 1 of 2 trials, b in 0 of 1 trials.")
    assert study_page.headline(studied(above[1:]))[1].endswith("over 3 seeds: a, b.")
    assert "One seed" in study_page.headline(studied(above, seeds=(0,)))[1]
    assert "2 seeds are too few" in study_page.headline(studied(above, seeds=(0, 1)))[1]


def point(method, time, agot, settings="", role="method"):
    head = Head(method, role, method, None, settings)
    return Point(head, "accuracy", Spread(0.9), Spread(1.0), Spread(time), Spread(time / 2), Spread(agot))


def test_the_best_cell_of_each_method_has_a_star_and_its_ceiling():
    told = [
        point("full", 1.0, 1.0, role="full"),
        point("a", 0.8, 1.1),
        point("a", 0.4, 1.2),
        point("short", 0.4, 2.0, role="control"),
    ]
    told += [point("b", 0.6, None, '{"start": 1}'), point("b", 0.7, 0.9, '{"start": 2}')]
    series = {s.label: s for s in study_page.series_of(study_tables([], told))}
    assert series["a"].best == Best(0.4, 0.9, 0.2)
    assert series["b"].best == Best(0.7, 0.9, 0.35)
    assert (series["full"].best, series["short (control)"].best) == (None, None)
    assert (series["a"].joined, series["b"].joined) == (True, False)
    drawn = to_svg(against_time(list(series.values()), "accuracy", True), "marks", "text")
    assert "best AGOT of a method" in drawn
    assert "its ceiling in time" in drawn
    assert "its ceiling in time" not in to_svg(figure(), "plain", "text")


def run(**changes):
    shares = {"alpha_b": 0.433, "alpha_fb": 0.1, "paper_cpu_seconds": 1.5, "cpu_seconds": 2.5, "time_paper": 0.5}
    shares |= {"time_counted": 0.6, "time_measured": 0.75, "agot_paper": 1.01, "agot": 1.0, "speed_reached": 4 / 3}
    shares |= {"speed_ceiling": 5 / 3, "speed_share": 0.8, "speed_formula": None, "energy_label": "estimated"}
    shares |= {
        "energy_measured_kwh": 1.5e-6,
        "energy_estimated_kwh": 0.0,
        "energy_modelled_kwh": 2.5e-4,
        "co2e_kg": 3.5e-7,
        "co2e_modelled_kg": None,
    }
    return shares | changes


def test_the_table_of_times_states_each_ceiling_and_the_share_reached():
    section = cost_tables.times([run(), run(speed_share_deviation=0.02)], ["method"], [["a"], ["b"]], 0.5)
    told = dict(zip(section.table.heads, section.table.rows[0], strict=True))
    assert told == {
        "method": "a", "alpha_b %": "43.3", "alpha_fb %": "10.0", "T paper, s": "1.50", "T measured, s": "2.50",
        "T_norm paper": "0.500", "T_norm counted": "0.600", "T_norm measured": "0.750", "AGOT paper": "1.010",
        "AGOT measured": "1.000", "speed-up": "1.33", "its ceiling": "1.67", "share of it, %": "80",
        "by formula": report_page.NOTHING,
    }  # fmt: skip
    assert section.table.rows[1][-2] == "80 ± 2"
    assert "epsilon 0.5." in section.text[0]


def test_the_table_of_energy_says_its_units_and_how_it_was_come_by():
    table = cost_tables.energy([run()], ["method"], [["a"]]).table
    assert table.heads == ["method", "measured, Wh", "estimated, Wh", "modelled, Wh", "g CO2e", "modelled, g CO2e"]
    assert table.rows == [["a", "0.00150", report_page.NOTHING, "0.250", "0.000350", report_page.NOTHING]]


def test_a_page_says_what_was_read_of_a_gpu_and_why_not_of_the_processor(tmp_path, monkeypatch):
    recorded = json.loads((ROOT / "tests/pipelines/report/recorded/energy_h200.json").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    cost_record(energy=recorded).write(cost_of("train", "full"))
    monkeypatch.setattr(energy, "_saved", lambda names, controls: None)
    said = energy.of_comparison([comparison_row()], set())[0].text[1]
    assert said.startswith(
        "The processor is estimated: no RAPL counters readable at /sys/class/powercap. The GPU, 1 x NVIDIA H200, "
    )
    assert "is measured: its own counter is read." in said
    cost_record(energy=recorded | {"gpu_model": None}).write(cost_of("train", "full"))
    assert "GPU" not in energy.of_comparison([comparison_row()], set())[0].text[1]


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
