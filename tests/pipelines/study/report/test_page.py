"""A study's headline counts trials, and its figure marks the best."""

from pipelines.report.charts import Best, Series, against_time, to_svg
from pipelines.study.report import page as study_page
from pipelines.trials.method_rows import Spread
from pipelines.trials.rows import Head
from pipelines.trials.study_summary import Column
from pipelines.trials.study_tables import Point
from tests.pipelines.study_rows import method_row, study_tables

EVIL = '<script>alert("x")</script>'


def figure():
    return against_time([Series(EVIL, [(0.5, 0.9, 0.01), (1.0, 0.95, None)], joined=True)], "accuracy & more", True)


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
