"""Tables come back as they were written, with their facts, and are refused where changed."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.core import artifacts, tables
from pipelines.core.errors import UserError

COLUMNS = {
    "id": np.arange(4),
    "score": np.array([0.5, 0.25, np.inf, -1], np.float32),
    "correct": np.array([True, False, True, True]),
    "seen": np.array([0, 2, 2, 1], np.int32),
}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.parquet"
    tables.write_table(path, COLUMNS, {"seed": 3, "data": "abc"})
    return path


def test_a_table_comes_back_with_its_facts(table):
    columns, facts = tables.read_table(table)
    assert all(np.array_equal(columns[n], c) and columns[n].dtype == c.dtype for n, c in COLUMNS.items())
    assert facts["seed"] == 3
    assert facts["data"] == "abc"
    assert facts["sign"] == "higher = keep"
    assert facts["schema_version"] == tables.SCHEMA_VERSION == 2


@pytest.mark.parametrize("rows", [0, 1, 7, 9, 2_200_000])
def test_a_table_of_any_length_comes_back(tmp_path, rows):
    rng = np.random.default_rng(rows)
    written = {"id": np.arange(rows), "loss": rng.random(rows), "correct": rng.random(rows) > 0.5}
    tables.write_table(tmp_path / "t.parquet", written, {})
    columns, _ = tables.read_table(tmp_path / "t.parquet")
    assert all(np.array_equal(columns[n], c) and columns[n].dtype == c.dtype for n, c in written.items())


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (9, 4), (300_000, 2)])
def test_a_column_may_have_several_numbers_an_example(tmp_path, shape):
    features = np.random.default_rng(0).random(shape, np.float32)
    tables.write_table(tmp_path / "t.parquet", {"id": np.arange(shape[0]), "features": features}, {})
    columns, _ = tables.read_table(tmp_path / "t.parquet")
    assert columns["features"].dtype == np.float32
    np.testing.assert_array_equal(columns["features"], features)


def test_a_table_is_the_same_bytes_every_time(table):
    first = table.read_bytes()
    tables.write_table(table, COLUMNS, {"seed": 3, "data": "abc"})
    assert table.read_bytes() == first


def test_a_tampered_table_is_refused(table):
    tampered = pq.read_table(table)
    tampered = tampered.set_column(1, "score", pa.array([9, 9, 9, 9], pa.float32()))
    pq.write_table(tampered, table)
    with pytest.raises(UserError, match="was changed after it was written"):
        tables.read_table(table)


def test_a_table_with_another_column_is_refused(table):
    pq.write_table(pq.read_table(table).append_column("more", pa.array([1, 2, 3, 4])), table)
    with pytest.raises(UserError, match="was changed after it was written"):
        tables.read_table(table)


def test_a_column_is_read_and_checked_by_itself(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "t.parquet"
    written = {"id": np.arange(2_200_000), "loss": rng.random(2_200_000, np.float32)}
    tables.write_table(path, written, {})
    assert pq.ParquetFile(path).num_row_groups > 1
    tampered = pq.read_table(path)
    pq.write_table(tampered.set_column(1, "loss", pa.array(np.zeros(2_200_000, np.float32))), path)
    table, _ = tables.open_table(path)
    for places in ([], [0, 7, 1_048_575, 1_048_576, 2_199_999], np.sort(rng.permutation(2_200_000)[:1000])):
        np.testing.assert_array_equal(table.at("id", np.asarray(places, np.int64)), places)
    np.testing.assert_array_equal(table["id"], written["id"])
    assert (len(table), table.rows, list(table)) == (2, 2_200_000, ["id", "loss"])
    for ask in (lambda: table["loss"], lambda: table.at("loss", np.arange(3))):
        with pytest.raises(UserError, match="was changed after it was written"):
            ask()
    assert "margin" not in table


def test_a_truncated_table_is_refused(table):
    table.write_bytes(table.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"t\.parquet: cannot be read"):
        tables.read_table(table)


def test_a_table_of_another_schema_is_refused(table):
    old = pq.read_table(table).replace_schema_metadata({"winnow": json.dumps({"schema_version": 0})})
    pq.write_table(old, table)
    with pytest.raises(UserError, match="schema_version must be 2, got 0"):
        tables.read_table(table)


def test_a_table_of_other_data_is_refused(table):
    _, facts = tables.read_table(table)
    with pytest.raises(UserError, match="was made from other data: it has abc, this run has xyz"):
        artifacts.check_origin(table, facts, {"seed": 3, "data": "xyz"})
