"""Files and folders appear whole or not at all, and come back as they were."""

import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import torch

from pipelines.core import artifacts
from pipelines.core.errors import UserError
from tests.conftest import ROOT

#: Dies in the middle of a file, and of the one beside it that safetensors writes first.
KILLED = """
import os, sys
from pathlib import Path
from pipelines.core.artifacts import whole

with whole(Path(sys.argv[1])) as part:
    for file in (part, part.with_name(".tmpx4DjJI")):
        file.write_text("half")
    os._exit(9)
"""


def test_what_fails_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "f.json"
    artifacts.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        artifacts.write_json(path, {"a": object()})
    assert artifacts.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]


def test_a_folder_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "folder"

    def fill(folder):
        (folder / "one").write_text("1")
        assert not path.exists()

    artifacts.write_folder(path, fill)
    assert (path / "one").read_text() == "1"


def test_what_a_killed_writer_left_is_gone_with_the_next(tmp_path):
    path = tmp_path / "state.safetensors"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)
    assert done.returncode == 9
    assert not path.exists()
    assert list(tmp_path.rglob("*tmpx4DjJI"))
    artifacts.write_state(path, {"a": 1}, {"x": torch.ones(2)})
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]
    assert artifacts.read_state(path)[0] == {"a": 1}


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"results/f\.json: cannot be written"):
        artifacts.write_json(tmp_path / "results" / "f.json", {})


def test_rows_are_read_by_other_tools_with_what_is_none_as_null(tmp_path):
    rows = [
        {"cell": "full", "agot": 1.0, "error": "", "formula": None},
        {"cell": "a", "agot": None, "error": "x", "formula": None},
    ]
    artifacts.write_rows(tmp_path / "cells.parquet", rows)
    assert pq.read_table(tmp_path / "cells.parquet").to_pylist() == rows


def test_a_mapped_tensor_leaves_no_file(tmp_path):
    tensor = artifacts.mapped(tmp_path, 3, 2)
    tensor[1] = torch.tensor([1.5, -2])
    assert tensor.tolist() == [[0, 0], [1.5, -2], [0, 0]]
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_state_comes_back_bit_for_bit(tmp_path):
    path, tensors = tmp_path / "s.safetensors", {"b": torch.randn(3, 2), "a": torch.arange(4)}
    artifacts.write_state(path, {"epoch": 2}, tensors)
    numbers, back = artifacts.read_state(path)
    assert numbers == {"epoch": 2}
    assert all(torch.equal(back[k], v) for k, v in tensors.items())
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="cannot be read"):
        artifacts.read_state(path)
