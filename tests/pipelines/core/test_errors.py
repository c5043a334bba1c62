"""Texts of errors name the nearest of what is known, and no password."""

import pytest

from pipelines.core.errors import LONGEST, short, unknown, without_passwords


def test_what_is_not_known_is_named_with_the_nearest_and_all_that_are():
    said = unknown("params.yaml: task: 'digit'", "task", "digit", ["digits", "brown"])
    assert said == "params.yaml: task: 'digit': no such task, did you mean 'digits'? (known: brown, digits)"
    assert unknown("compare.x", "method", "x", []) == "compare.x: no such method (known: none)"


def test_of_many_only_the_nearest_are_named():
    known = [f"cell-{i:02}" for i in range(30)]
    said = unknown("key", "cell", "cell-07b", known)
    assert said.startswith("key: no such cell, did you mean 'cell-07'? (30 known, the nearest: cell-07, ")
    assert said.count("cell-") == 9
    assert unknown("key", "cell", "zzz", known) == "key: no such cell (30 known, the nearest: none)"


def test_a_long_name_is_told_by_how_it_begins_and_ends():
    assert short("a" * LONGEST) == "a" * LONGEST
    assert short("a" * 50 + "b" * 50) == "a" * 40 + "..." + "b" * 20
    assert len(unknown(f"task: {'x' * 300!r}", "task", "x" * 300, ["digits"])) < 200


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("git fetch: https://me:secret@host/a failed", "git fetch: https://host/a failed"),
        ("s3://key:secret@host/a and ssh://b@c", "s3://host/a and ssh://c"),
        ("https://host/mail/me@host", "https://host/mail/me@host"),
    ],
)
def test_what_stands_before_a_host_is_not_told(text, told):
    assert without_passwords(text) == told
