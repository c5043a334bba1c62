"""Records come back as they were written, and are refused where another version wrote them."""

import json

import pytest

from pipelines.core.artifacts import write_json
from pipelines.core.errors import UserError
from pipelines.core.records import Number, Record


class Fact(Record):
    """A record with a key that need not be given."""

    name: str
    value: Number
    note: str | None = None


@pytest.mark.parametrize("value", [2, 2.0, 0.5])
def test_a_record_comes_back_with_the_keys_that_it_was_given(tmp_path, value):
    path = tmp_path / "fact.json"
    Fact.of({"name": "full", "value": value}).write(path)
    assert json.loads(path.read_text()) == {"name": "full", "value": value}
    read = Fact.read(path)
    assert (read.value, type(read.value), read.note) == (value, type(value), None)
    assert read.dumped() == {"name": "full", "value": value}


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"name": "full"}, "value: Field required"),
        ({"name": "full", "value": 1, "more": 2}, "more: Extra inputs are not permitted"),
        ({"name": 3, "value": 1}, "name: Input should be a valid string"),
    ],
)
def test_what_another_version_wrote_is_named_by_its_key(tmp_path, held, said):
    write_json(tmp_path / "fact.json", held)
    with pytest.raises(UserError, match=rf"fact\.json: {said}; another version wrote it: run 'dvc repro'$"):
        Fact.read(tmp_path / "fact.json")


def test_a_record_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"fact\.json: no such file"):
        Fact.read(tmp_path / "fact.json")
