"""Rows of csv and tsv, beside what Python's own reader makes of the same bytes."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.readers import delimited, rows
from pipelines.sources.readers.common import Layout
from pipelines.sources.readers.delimited import tsv

WANTED = [("text", "text"), ("label", "label")]


def texts_of(table, name):
    return [v.decode() if isinstance(v, bytes) else v for v in table[name].to_pylist()]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.text("ab,\"'\n\r\t ;")), min_size=1)
)
def test_csv_is_read_as_pythons_own_reader_reads_it(tmp_path, values):
    path = tmp_path / "own.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], *values])
    with path.open(newline="", encoding="utf-8") as file:
        expected = [row for row in csv.reader(file, strict=True) if row][1:]
    table = rows.read(path, Layout(), WANTED)
    assert list(zip(texts_of(table, "text"), texts_of(table, "label"), strict=True)) == list(map(tuple, expected))


REFUSED = {
    "a stray quote that opens": ("own.csv", b'text,label\na,1\n"b,1\nc,2\n"d,2\n', r"own.csv: line 3: its quotes are wrong"),
    "a quote that never closes": ("own.csv", b'text,label\na,1\n"b,1\nc,2\n', r"own.csv: line 3: its quotes are wrong"),
    "a value too many": ("own.csv", b"text,label\na,b,1\n", r"line 2: must have 2 values, as the first has, got 3"),
}


@pytest.mark.parametrize(("name", "content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_said_in_one_line(check_refused, name, content, said):
    check_refused(name, content, said)


def test_a_tsv_has_no_quotes_and_rows_below_its_names_may_be_skipped(tmp_path):
    (tmp_path / "own.tsv").write_text('label\ttext\nkind\tstring\n1\t"a, b\n\n2\tc\n')
    table = tsv(tmp_path / "own.tsv", Layout(skip=1), WANTED)
    assert (texts_of(table, "text"), texts_of(table, "label")) == (['"a, b', "c"], ["1", "2"])


def test_a_file_without_names_has_those_that_it_is_given(tmp_path):
    (tmp_path / "own.csv").write_text('1,"a, b",x\n2,c,y\n')
    table = delimited.csv(tmp_path / "own.csv", Layout(header=["label", "text", "more"]), WANTED)
    assert (texts_of(table, "text"), texts_of(table, "label")) == (["a, b", "c"], ["1", "2"])
