"""params.yaml says the same to every reader: what YAML 1.1 and 1.2 read differently is refused, with its line."""

import pytest
import yaml
from dvc.utils.serialize import YAMLFileCorruptedError, load_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import yaml_file
from pipelines.config.loader import load
from pipelines.core.errors import UserError
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("010", "without the 0 before it"),
        ("-007", "without the 0 before it"),
        ("0o17", "in tens"),
        ("1:30", "write the number"),
        ("10:30:00", "write the number"),
        ("yes", "write true or false"),
        ("Off", "write true or false"),
        ("2024-01-02", "in quotes"),
    ],
)
def test_what_two_readers_take_for_different_things_is_refused_with_its_line(written, remedy, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(f"first: 1\nkeys:\n  - a: {written}\n")
    with pytest.raises(UserError) as told:
        yaml_file.read(path)
    assert str(told.value).startswith(f"{path}: line 3: {written}: YAML 1.1 and 1.2 read this value differently; ")
    assert remedy in str(told.value)
    path.write_text(f"first: 1\nkeys:\n  - {{ a: '{written}' }}\n")
    assert yaml_file.read(path) == {"first": 1, "keys": [{"a": written}]}


@pytest.mark.parametrize("written", ["{ url: http://127.0.0.1:5000 }", "[a:b]", "{ a: b?c }"])
def test_what_dvc_cannot_read_is_refused(written, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(f"key: {written}")
    with pytest.raises(YAMLFileCorruptedError):
        load_yaml(str(path))
    with pytest.raises(UserError, match=r"^\S+own\.yaml: cannot be read: line 1: [^\n]+$"):
        yaml_file.read(path)


def test_of_a_colon_the_remedy_is_named(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("key: { url: http://127.0.0.1:5000 }")
    with pytest.raises(UserError, match="put a text with a colon in quotes"):
        yaml_file.read(path)
    path.write_text("key: { url: 'http://127.0.0.1:5000' }")
    assert yaml_file.read(path) == {"key": {"url": "http://127.0.0.1:5000"}}


def test_depth_is_bounded(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("a: " + 98 * "[" + "1" + 98 * "]")
    assert yaml_file.read(path) == load_yaml(str(path))
    path.write_text("a: " + 100 * "[" + "1" + 100 * "]")
    with pytest.raises(UserError, match="values are nested more than 100 deep"):
        yaml_file.read(path)


NUMBERS = {"5e-4": 5e-4, "1e3": 1e3, "5.0e-4": 5e-4, "0x1F": 31, "1_000": 1000, "0": 0}


@pytest.mark.parametrize(("written", "value"), NUMBERS.items())
def test_numbers_are_read_as_dvc_reads_them(written, value, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(f"rate: {written}")
    assert yaml_file.read(path) == load_yaml(str(path)) == {"rate": value}


def test_a_key_that_is_there_twice_is_refused_with_both_lines(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("{ a: 1, a: 2 }")
    with pytest.raises(UserError, match=r"line 1: 'a' is already in line 1"):
        yaml_file.read(path)
    path.write_text("a:\n  b: 1\n  c: 2\n  b: 3\n")
    with pytest.raises(UserError, match=r"own\.yaml: line 4: 'b' is already in line 2; keep one of them"):
        yaml_file.read(path)


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\ta: 1", "a: *none"])
def test_what_is_no_yaml_is_refused_with_its_line_on_one(text, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"^\S+own\.yaml: cannot be read: line 1: [^\n]+$"):
        yaml_file.read(path)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab 01:-eyns", max_size=6)
VALUES = st.recursive(PLAIN, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text("ab", min_size=1), of, max_size=3))


class Quoted(yaml.SafeDumper):
    """Writes texts in quotes: by YAML 1.1 some need none that are numbers by 1.2 (0e0)."""


Quoted.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@settings(max_examples=60)
@given(VALUES)
def test_what_is_accepted_is_what_dvc_reads(tmp_path, value):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.dump({"key": value}, Dumper=Quoted))
    assert yaml_file.read(path) == load_yaml(str(path)) == {"key": value}


def test_params_are_read_by_it(write_params):
    folder = write_params({})
    path = folder / "params.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 010", 1))
    with pytest.raises(UserError, match=r"params\.yaml: line \d+: 010: YAML 1\.1 and 1\.2"):
        load(path)
    assert yaml_file.read(ROOT / "params.yaml") == load_yaml(str(ROOT / "params.yaml"))
