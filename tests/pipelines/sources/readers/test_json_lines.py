"""Rows of JSON lines; a line or column that is none is named."""

import pytest

from pipelines.core.errors import UserError
from pipelines.sources.readers import common
from pipelines.sources.readers.common import Layout
from pipelines.sources.readers.json_lines import objects

WANTED = [("text", "text"), ("label", "label")]

REFUSED = {
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
}


@pytest.mark.parametrize(("name", "content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_said_in_one_line(check_refused, name, content, said):
    check_refused(name, content, said)


def test_lists_of_numbers_keep_holes_for_a_reader_who_names_them(tmp_path):
    (tmp_path / "own.jsonl").write_text('{"y": [1, 2.5]}\n{"y": [3, null]}\n')
    assert objects(tmp_path / "own.jsonl", Layout(), [("y", common.NUMBERS)])["y"].to_pylist() == [[1.0, 2.5], [3.0, None]]


@pytest.mark.parametrize("value", ['["1", 2]', "[true, 2]", "[[1], 2]", "3", "null"])
def test_what_is_no_list_of_numbers_is_refused_by_its_line(tmp_path, value):
    (tmp_path / "own.jsonl").write_text(f'{{"y": [1, 2]}}\n{{"y": {value}}}\n')
    with pytest.raises(UserError, match=r"own.jsonl: y: must hold lists of numbers, got .* in line 2"):
        objects(tmp_path / "own.jsonl", Layout(), [("y", common.NUMBERS)])


def test_a_key_that_some_lines_lack_is_none_there_and_whole_numbers_beside_others_are_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "AT_ONCE", 2)
    lines = ['{"text": "a", "label": 1}', '{"label": 2}', "", '{"text": "caf\u00e9", "label": 0.5}']
    (tmp_path / "own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    table = objects(tmp_path / "own.jsonl", Layout(), WANTED)
    assert table["text"].to_pylist() == [b"a", None, "caf\u00e9".encode()]
    assert table["label"].to_pylist() == [1.0, 2.0, 0.5]
