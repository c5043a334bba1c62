"""A task's keys fit each other, or are refused."""

import pytest

TASK = "tasks.movie-reviews"
BAD = {
    "a metric of classes for numbers": (
        {"tasks.bike-sharing.metric": "macro_f1"},
        r"tasks.bike-sharing: metric: is for classes, and this task has predicts: number; leave one of the two out",
    ),
    "keeping what is not frozen": (
        {f"{TASK}.training.keep_frozen": True, f"{TASK}.model.train_layers": None},
        r"movie-reviews: training.keep_frozen: .* got true for one whose model has no train_layers; the nearest .* is false",
    ),
    "keeping the frozen layers of images": (
        {"task": "digits", "tasks.digits.training.keep_frozen": True},
        r"digits: training.keep_frozen: .* got true for one of kind 'image' with train_layers None; the nearest",
    ),
    "keeping the frozen layers of running text": (
        {"tasks.brown.training.keep_frozen": True},
        r"brown: training.keep_frozen: .* got true for one of kind 'language'; the nearest that works is false",
    ),
    "a bag for a task": (
        {f"{TASK}.model": {"family": "small", "name": "bag"}},
        r"model.family: a task of kind 'text' takes 'transformers', got 'small'",
    ),
    "evaluations on nothing": (
        {f"{TASK}.training.evaluate_every": 1},
        r"movie-reviews: training.evaluate_every: 1 needs a part of the training split .*; set validation: 0.1 beside training",
    ),
    "a score that is never judged": (
        {f"{TASK}.time_to": 0.9, f"{TASK}.validation": 0.1},
        r"movie-reviews: time_to: 0.9 needs evaluations while training, .*; set validation and training.evaluate_every: 1",
    ),
    "a part that is more than all": (
        {f"{TASK}.validation": 1.5},
        r"movie-reviews\.validation: must be less than 1, got 1.5",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {f"{TASK}.source": {"from": "idx", "folder": "x"}},
            r"source.from: 'idx' has no data of kind 'text'; one that works: hub",
        ),
        ({f"{TASK}.columns": {"text": "x"}}, r"columns: must name 'text' and 'label', got text"),
        ({f"{TASK}.test": 1.0}, r"test: must be a number of rows, 1 or more, or a fraction in \(0, 1\), got 1.0"),
        ({f"{TASK}.limit": 0}, r"limit: must be a number of rows, 1 or more, or a fraction in \(0, 1\), got 0"),
        ({"tasks.brown.predicts": "number"}, r"predicts: a task of kind 'language' predicts its own tokens, got 'number'"),
    ],
)
def test_what_a_kind_of_data_has_not_is_refused(refused, changes, text):
    refused(changes, text)
