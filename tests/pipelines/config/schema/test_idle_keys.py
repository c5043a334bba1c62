"""A key of a task that would change nothing is refused, with the key and what it is for."""

import copy
import re

import pytest

from pipelines.config.loader import load
from pipelines.core.errors import UserError
from tests.conftest import defaults

FILE = "tasks.own.source.train"
HEADER = {"tasks.own.source.header": ["text", "label"]}
IDLE = {
    "a size of texts": (
        {"tasks.own.image_size": 8},
        "image_size: is for a task of kind 'image', and this one is of kind 'text'",
    ),
    "a test beside a file": ({"tasks.own.source.test": "t.csv"}, "where the source has a test split, source.test: 't.csv'"),
    "a part beside a file": (
        {"tasks.own.source.validation": "v.csv", "tasks.own.validation": 0.1},
        "validation: must be left out where the source has a validation split, source.validation: 'v.csv'; or leave that out",
    ),
    "a file that never judges": (
        {"tasks.own.source.validation": "v.csv"},
        "source.validation: judges while a model trains, and training.evaluate_every is not set; set it to 1",
    ),
    "a part beside a folder": (
        {"tasks.fashion-mnist.source.validation": "val", "tasks.fashion-mnist.validation": 0.1},
        "validation: must be left out where the source has a validation split, source.validation: 'val'; or leave that out",
    ),
    "a member that never judges": (
        {"tasks.newsgroups.source.validation_member": ["a.tab"]},
        "source.validation_member: judges while a model trains, and training.evaluate_every is not set; set it to 1",
    ),
    "names of a jsonl": ({FILE: "x.jsonl.gz"} | HEADER, "source.header: is for csv and tsv files, and x.jsonl.gz names its"),
    "rows of a parquet": ({FILE: "x.parquet", "tasks.own.source.skip": 1}, "source.skip: is for csv and tsv files"),
    "a block of texts": ({"tasks.own.block": 64}, "block: is for a task of kind 'language'"),
    "a length of images": (
        {"tasks.digits.max_length": 64},
        "max_length: is for a task of kind 'text' or 'seq2seq' or 'instructions', and",
    ),
    "columns of digits": (
        {"tasks.digits.columns": {"image": "x"}},
        "columns: images of 'scikit-learn' have none, got x",
    ),
    "a test of two": ({"tasks.fashion-mnist.test": 0.2}, "test: must be left out where the source has a test split, t10k"),
}


@pytest.mark.parametrize(("changes", "said"), IDLE.values(), ids=IDLE)
def test_a_key_that_would_do_nothing_is_refused(write_params, changes, said):
    own = copy.deepcopy(defaults()["tasks"]["movie-reviews"])
    own = {k: v for k, v in own.items() if k not in ("source", "binarize")} | {"test": 0.2}
    write_params({"tasks.own": own | {"source": {"from": "files", "train": "x.csv"}}, **changes})
    with pytest.raises(UserError, match=re.escape(said)):
        load()


SETS = {"tasks.own.predicts": "classes"}
NUMBERS = {"tasks.own.predicts": "numbers"}
MISFITS = {
    "a list for one class": (
        {"tasks.own.columns.label": ["a", "b"]},
        "columns.label: must be one column with predicts: class, got 2; several columns are for 'predicts: numbers'",
    ),
    "a list of one": (
        NUMBERS | {"tasks.own.columns.label": ["a"]},
        "columns.label: must list 2 columns or more, got ['a']; 'predicts: number' learns one",
    ),
    "a list in a csv": (
        NUMBERS,
        "columns.label: must name a column for each number of x.csv, got 'rating'; one that works: [rating, another]",
    ),
    "numbers of pictures": (
        {"tasks.digits.predicts": "numbers"},
        "predicts: 'numbers' needs a column for each number, and 'scikit-learn' has one class a picture; use hub",
    ),
    "a metric of several numbers": (
        NUMBERS | {"tasks.own.columns.label": ["a", "b"], "tasks.own.metric": "accuracy"},
        "metric: is for classes, and this task has predicts: numbers",
    ),
    "classes of several numbers": (
        NUMBERS | {"tasks.own.columns.label": ["a", "b"], "tasks.own.label_noise": {"fraction": 0.1}},
        "label_noise: is for classes, and this task has predicts: numbers",
    ),
    "class weights of several numbers": (
        NUMBERS | {"tasks.own.columns.label": ["a", "b"], "tasks.own.training.class_weights": "balanced"},
        "training.class_weights: is for one class an example, and this task has predicts: numbers",
    ),
    "a column twice": (
        NUMBERS | {"tasks.own.columns.label": ["a", "text"]},
        "each column may be named once, got 'text' 2 times",
    ),
    "a separator of one class": (
        {"tasks.own.separator": ","},
        "separator: is for 'predicts: classes', and this task has predicts: class",
    ),
    "texts without a separator": (SETS, "separator: must be set for x.csv, whose labels are texts; one that works: ','"),
    "accuracy of several": (
        SETS | {"tasks.own.separator": ",", "tasks.own.metric": "accuracy"},
        "metric: 'accuracy' with predicts: classes: no such metric, did you mean 'subset_accuracy'?",
    ),
    "precision of one class": (
        {"tasks.own.metric": "mean_average_precision"},
        "metric: 'mean_average_precision' with predicts: class: no such metric",
    ),
    "noise of several": (
        SETS | {"tasks.own.separator": ",", "tasks.own.label_noise": {"fraction": 0.1}},
        "label_noise: is for one class an example, and this task has predicts: classes",
    ),
    "a long tail of several": (
        SETS | {"tasks.own.separator": ",", "tasks.own.long_tail": {"ratio": 5}},
        "long_tail: is for one class an example, and this task has predicts: classes",
    ),
    "several classes of digits": (
        {"tasks.digits.predicts": "classes"},
        "predicts: 'classes' needs a column of labels, and 'scikit-learn' has one class a picture; use hub",
    ),
    "several classes of running text": (
        {"tasks.brown.predicts": "classes"},
        "predicts: a task of kind 'language' predicts its own tokens, got 'classes'; leave it out",
    ),
    "weights of several": (
        SETS | {"tasks.own.separator": ",", "tasks.own.training.class_weights": "balanced"},
        "training.class_weights: is for one class an example, and this task has predicts: classes; leave it out",
    ),
}


@pytest.mark.parametrize(("changes", "said"), MISFITS.values(), ids=MISFITS)
def test_a_key_that_does_not_fit_the_number_of_classes_is_refused(write_params, changes, said):
    own = copy.deepcopy(defaults()["tasks"]["movie-reviews"])
    own = {k: v for k, v in own.items() if k not in ("source", "binarize")} | {"test": 0.2}
    write_params({"tasks.own": own | {"source": {"from": "files", "train": "x.csv"}}, **changes})
    with pytest.raises(UserError, match=re.escape(said)):
        load()
