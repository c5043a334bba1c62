"""Metric against cost: the line of the best controls, plain ticks."""

import re

from pipelines.report.charts import to_svg
from pipelines.report.cost_charts import Point, against_cost


def test_the_chart_has_plain_numbers_and_a_line_of_the_best_controls():
    blind = [Point("full", 1.0, 0.91, 0), Point("short", 0.35, 0.9, 0), Point("uniform", 0.35, 0.89, 0)]
    svg = to_svg(against_cost(blind, [Point("a", 0.35, 0.906, 0.001)], "accuracy", True), "x", "text")
    texts = re.findall(r">([^<>]+)</text>", svg)
    assert {"0.4", "0.5", "0.7", "1", "best control", "controls", "a"} <= set(texts)
    assert not [text for text in texts if "10" in text and "^" in text]
