"""What prepare says of the data: how many of which class, in a line."""

import numpy as np

from pipelines.data.summary import repeated, summary_lines
from tests.pipelines.records import manifest

COUNTS = {"train": 1234, "test": 56}


def data(**changes):
    return manifest(**{"counts": COUNTS} | changes)


def test_classes_are_named_with_their_sizes_the_largest_first():
    found = data(kind="text", classes=["bad", "good"])
    assert summary_lines(found, np.array([0, 1, 1])) == ["1,234 training and 56 test examples of 2 classes: good 2, bad 1"]


def test_of_many_the_largest_and_the_smallest():
    found = data(kind="text", classes=list("abcdefgh"))
    label = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 8])
    assert summary_lines(found, label)[0].endswith("of 8 classes: h 8, g 7, f 6, e 5, d 4, ..., a 1")


def test_numbers_and_blocks_have_no_classes():
    found = data(kind="language", classes=[])
    assert summary_lines(found, None) == ["1,234 training and 56 test blocks"]
    found = data(kind="table", classes=[], changes={"names composed (NFC)": 2})
    assert summary_lines(found, np.zeros(3)) == ["1,234 training and 56 test examples", "2 names composed (NFC)"]


def test_what_is_said_names_how_many_rows_near_ones_were_sought_among():
    counted = {"train_exact": 3, "train_near": 1, "leaked_exact": 0, "leaked_near": 0, "sought": 10_000, "dropped": 0}
    found = data(counts={"train": 20_000, "test": 10}, duplicates_found=counted)
    assert repeated(found) == ["4 training rows repeat an earlier one, 3 exactly (near ones among 10,000 rows)"]
    assert repeated(data(duplicates_found=counted | {"train_exact": 0, "train_near": 0})) == []
