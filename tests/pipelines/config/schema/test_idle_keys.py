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
    "names of a jsonl": ({FILE: "x.jsonl.gz"} | HEADER, "source.header: is for csv and tsv files, and x.jsonl.gz names its"),
    "rows of a parquet": ({FILE: "x.parquet", "tasks.own.source.skip": 1}, "source.skip: is for csv and tsv files"),
    "a block of texts": ({"tasks.own.block": 64}, "block: is for a task of kind 'language'"),
    "a length of images": (
        {"tasks.digits.max_length": 64},
        "max_length: is for a task of kind 'text', and this one is",
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
