"""What is read of files, beside what Python's own readers make of them."""

import csv
import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.data.class_names import classes_of
from pipelines.sources.readers import rows
from pipelines.sources.readers.common import Layout

WANTED = [("text", "text"), ("label", "label")]


def texts_of(table, name):
    return [v.decode() if isinstance(v, bytes) else v for v in table[name].to_pylist()]


def write(path, values):
    """Write rows of text and label in the format that ``path`` ends in, by a writer that is not ours."""
    if path.name.endswith(".parquet"):
        pq.write_table(pa.table({"text": [t for t, _ in values], "label": [n for _, n in values]}), path)
        return path
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        if ".jsonl" in path.name:
            file.writelines(json.dumps({"text": t, "label": n}) + "\n" for t, n in values)
        elif ".csv" in path.name:
            csv.writer(file).writerows([["text", "label"], *values])
        else:
            file.writelines(f"{t}\t{n}\n" for t, n in [("text", "label"), *values])
    return path


NAMES = ["01", "1", "007", "10:30", "2024-01-02", "true", "NA", "null", "1e5", "0x1A", "+1", " 1", "nan", "1_000"]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "tsv.gz", "tab", "jsonl", "jsonl.gz", "parquet"])
def test_a_name_is_taken_as_it_is_written_in_every_format(tmp_path, suffix):
    values = [(f"text {i}", name) for i, name in enumerate(NAMES)]
    table = rows.read(write(tmp_path / f"own.{suffix}", values), Layout(), WANTED)
    assert texts_of(table, "label") == NAMES
    target, names, _ = classes_of(np.array(texts_of(table, "label")), "own")
    assert [names[t] for t in target] == NAMES
    assert len(names) == len(set(NAMES))


def test_a_cell_of_three_megabytes_is_read_and_many_rows_are(tmp_path):
    long = [("word " * 600_000, "a"), *((f"text {i}", "b") for i in range(25_000))]
    for suffix in ("csv", "jsonl", "tsv"):
        table = rows.read(write(tmp_path / f"own.{suffix}", long), Layout(), WANTED)
        assert texts_of(table, "text") == [t for t, _ in long]


REFUSED = {
    "a suffix that is not read": (
        "own.txt",
        b"text\tlabel\n",
        r"must end in one of .*, got '.txt'; rename a table of tabs to .tsv",
    ),
    "a spreadsheet": ("own.xlsx", b"PK", r"must end in one of .*, got '.xlsx'; save the sheet as csv"),
    "no rows": ("own.csv", b"text,label\n", r"own.csv: has no rows"),
    "names alone, without an end of the line": ("own.csv", b"text,label", r"own.csv: has no rows"),
    "nothing": ("own.csv", b"", r"own.csv: is empty"),
    "no gzip": ("own.csv.gz", b"text,label\na,1\n", r"own.csv.gz: cannot be read"),
}


@pytest.mark.parametrize(("name", "content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_said_in_one_line(check_refused, name, content, said):
    check_refused(name, content, said)
