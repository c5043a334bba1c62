"""The keys of a task: columns, metric and what it is judged by."""

import pytest
from pydantic import ValidationError

from components.costs.savings import Metric
from pipelines.config.loader import load
from pipelines.config.schema.task_fields import Columns
from tests.conftest import ROOT

TASK = "tasks.movie-reviews"
BAD = {
    "a metric that there is not": (
        {f"{TASK}.metric": "f1"},
        r"movie-reviews.metric: 'f1': no such metric, did you mean 'm.*_f1'",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


def test_columns_are_named_once_and_those_alone_are_kept():
    columns = Columns(text="a", numbers=["b", "c"], label="d")
    assert list(columns.named()) == ["a", "b", "c", "d"]
    assert columns.model_dump() == {"text": "a", "numbers": ["b", "c"], "label": "d"}
    with pytest.raises(ValidationError, match="each column may be named once, got 'a' 2 times"):
        Columns(numbers=["a", "b"], categories=["a"])


@pytest.mark.parametrize(
    ("task", "judged", "classifies"),
    [
        ("movie-reviews", Metric("accuracy", True), True),
        ("bike-sharing", Metric("r2", True), False),
        ("brown", Metric("perplexity", False), False),
    ],
)
def test_a_task_is_judged_by_what_it_predicts(task, judged, classifies):
    found = load(ROOT / "params.yaml").tasks[task]
    assert (found.judging_metric, found.classifies) == (judged, classifies)


def test_a_task_of_classes_may_be_judged_by_another_metric(write_params):
    write_params({f"{TASK}.metric": "macro_f1"})
    assert load().chosen.judging_metric == Metric("macro_f1", True)


def test_a_task_of_several_classes_is_judged_by_average_precision(write_params):
    write_params({f"{TASK}.predicts": "classes", f"{TASK}.binarize": None, f"{TASK}.separator": ","})
    assert load().chosen.judging_metric == Metric("mean_average_precision", True)
    assert not load().chosen.classifies
    write_params({f"{TASK}.predicts": "classes", f"{TASK}.binarize": None, f"{TASK}.metric": "micro_f1"})
    assert load().chosen.judging_metric == Metric("micro_f1", True)
