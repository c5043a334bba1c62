"""What methods said of themselves is drawn and told as it was recorded."""

from pipelines.report.charts import courses, to_svg
from pipelines.report.sections import course
from pipelines.tracking import run_facts
from tests.pipelines.records import epoch_record

HISTORY = [
    epoch_record(0, course=[{"place": 0.5, "big": 0.4, "small": 0.6}]),
    epoch_record(1, course=[{"place": 1.0625, "big": 0.3, "small": 0.7}, {"place": 2.0, "big": 0.2, "small": 0.8}]),
]


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


def test_a_mean_course_is_over_the_places_that_all_have():
    first, second = {"a": [(0.5, 1.0), (1.0, 3.0)]}, {"a": [(0.5, 2.0), (1.5, 9.0)]}
    assert course._mean_course([first, second]) == {"a": [(0.5, 1.5)]}
    assert course._mean_course([first, {}]) == {}


def test_mlflow_is_told_a_course_by_thousandths_of_an_epoch():
    told = run_facts.course_of(HISTORY)
    assert told[:4] == [("big", 0.4, 500), ("small", 0.6, 500), ("big", 0.3, 1062), ("small", 0.7, 1062)]
    assert run_facts.course_of([epoch_record(0), epoch_record(1)]) == []
