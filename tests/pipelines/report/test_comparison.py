"""A comparison's headline claims what the numbers support."""

import re

import pytest

from components.costs.savings import Metric
from pipelines.report import comparison
from tests.pipelines.records import comparison_row

ACCURACY, LOSS = Metric("accuracy", True), Metric("perplexity", False)


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
        "One seed, and no standard error of the test split: differences may be chance.",
    ]
