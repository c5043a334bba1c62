"""What is read out of files, beside what Python's own readers make of the same bytes."""

import csv
import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.core.errors import UserError
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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.text("ab,\"'\n\r\t ;")), min_size=1)
)
def test_csv_is_read_as_pythons_own_reader_reads_it(tmp_path, values):
    path = write(tmp_path / "own.csv", values)
    with path.open(newline="", encoding="utf-8") as file:
        expected = [row for row in csv.reader(file, strict=True) if row][1:]
    table = rows.read(path, Layout(), WANTED)
    assert list(zip(texts_of(table, "text"), texts_of(table, "label"), strict=True)) == list(map(tuple, expected))


def test_a_cell_of_three_megabytes_is_read_and_many_rows_are(tmp_path):
    long = [("word " * 600_000, "a"), *((f"text {i}", "b") for i in range(25_000))]
    for suffix in ("csv", "jsonl", "tsv"):
        table = rows.read(write(tmp_path / f"own.{suffix}", long), Layout(), WANTED)
        assert texts_of(table, "text") == [t for t, _ in long]


REFUSED = {
    "a stray quote that opens": ("own.csv", b'text,label\na,1\n"b,1\nc,2\n"d,2\n', r"own.csv: line 3: its quotes are wrong"),
    "a quote that never closes": ("own.csv", b'text,label\na,1\n"b,1\nc,2\n', r"own.csv: line 3: its quotes are wrong"),
    "a value too many": ("own.csv", b"text,label\na,b,1\n", r"line 2: must have 2 values, as the first has, got 3"),
    "semicolons": ("own.csv", b"text;label\nwell, well;1\n", r"'text': no such column.* separated by semicolons"),
    "another encoding": ("own.csv", "text,label\na,1\n".encode("utf-16"), r"must be UTF-8, got UTF-16; save it as UTF-8"),
    "a suffix that is not read": (
        "own.txt",
        b"text\tlabel\n",
        r"must end in one of .*, got '.txt'; rename a table of tabs to .tsv",
    ),
    "a spreadsheet": ("own.xlsx", b"PK", r"must end in one of .*, got '.xlsx'; save the sheet as csv"),
    "an array of JSON": ("own.json", b'[{"text": "a", "label": 1}]', r"one JSON object a line, got an array; 'jq -c "),
    "no JSON": ("own.jsonl", b'{"text": "a", "label": 1}\n{"text": }\n', r"line 2: is no JSON object"),
    "a line of JSON that is no object": (
        "own.jsonl",
        b'{"text": "a", "label": 1}\n3\n',
        r"line 2: must be a JSON object, got '3'",
    ),
    "a list in JSON": (
        "own.jsonl",
        b'{"text": ["a"], "label": 1}\n',
        r"text: must hold one text a row, got \[\"a\"\] in line 1",
    ),
    "texts and numbers": (
        "own.jsonl",
        b'{"text": "a", "label": 1}\n{"text": "b", "label": "1"}\n',
        r"label: must hold texts or num",
    ),
    "no rows": ("own.csv", b"text,label\n", r"own.csv: has no rows"),
    "names alone, without an end of the line": ("own.csv", b"text,label", r"own.csv: has no rows"),
    "nothing": ("own.csv", b"", r"own.csv: is empty"),
    "no gzip": ("own.csv.gz", b"text,label\na,1\n", r"own.csv.gz: cannot be read"),
    "a name twice": ("own.csv", b"text,label,label\na,1,2\n", r"has 2 columns of the name 'label'"),
}


@pytest.mark.parametrize(("name", "content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        rows.read(tmp_path / name, Layout(), WANTED)
    assert "\n" not in str(caught.value)


def test_classes_are_in_one_order_whatever_the_file_is_and_composed():
    assert classes_of(np.array(["10", "9", "-1"]), "own")[1] == ["-1", "9", "10"]
    assert classes_of(np.array([10, 9, -1]), "own")[1] == ["-1", "9", "10"]
    assert classes_of(np.array(["010", "9"]), "own")[1] == ["010", "9"]
    target, names, composed = classes_of(np.array(["cafe\u0301", "caf\xe9", "bar"]), "own")
    assert (names, target.tolist(), composed) == (["bar", "caf\xe9"], [1, 1, 0], 1)


@pytest.mark.parametrize("label", [["1.5", "2"], ["1e-3", "7"], [".5", "0"]])
def test_numbers_are_no_classes(label):
    with pytest.raises(UserError, match=r"own: labels must be classes, got .*; 'predicts: number' learns the number"):
        classes_of(np.array(label), "own")
