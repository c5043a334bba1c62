"""A comparison is read as it was written, whatever its metric is called."""

import json

import pytest

from pipelines.core.errors import UserError
from pipelines.report.rows import Comparison
from tests.pipelines.records import comparison_row


@pytest.fixture
def path(tmp_path):
    return tmp_path / "comparison.json"


def compared(*rows, metric="accuracy"):
    return Comparison(task="own", metric=metric, agot_epsilon=0.95, rows=list(rows))


def test_a_comparison_is_read_as_it_was_written(path):
    more = {"accuracy_standard_error": 0.01, "above_chance": 0.5, "loss": 0.2, "energy_label": "estimated", "agot": 1.0}
    written = compared(comparison_row(**more), comparison_row("other", 0.8, chance_accuracy=0.1))
    written.write(path)
    assert Comparison.read(path) == written
    first, other = Comparison.read(path).rows
    assert (first.score, first.standard_error, first.chance, first.above_chance) == (0.9, 0.01, None, 0.5)
    assert (other.score, other.standard_error, other.chance, other.above_chance) == (0.8, None, 0.1, None)
    assert (first.costs.energy_label, first.gains.agot, first.metrics["loss"]) == ("estimated", 1.0, 0.2)


def test_the_columns_are_metrics_counts_costs_and_gains(path):
    compared(comparison_row(score=0.5, metric="r2", rmse=2.0), metric="r2").write(path)
    (row,) = json.loads(path.read_text())["rows"]
    (read,) = Comparison.read(path).rows
    assert read.columns() == row
    names = list(read.columns())
    assert names[:6] == ["method", "r2", "rmse", "examples_trained", "examples_looked", "alpha_b"]
    assert names[-2:] == ["agot", "agot_paper"]


def test_a_comparison_of_another_version_is_refused_by_name(path):
    compared(comparison_row()).write(path)
    told = json.loads(path.read_text())
    for wrong in (told | {"more": 1}, told | {"rows": [told["rows"][0] | {"examples_trained": "many"}]}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(UserError, match=r"comparison.json: .*; another version wrote it: run 'dvc repro'"):
            Comparison.read(path)
