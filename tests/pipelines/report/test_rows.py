"""A comparison is read as it was written, whatever its metric is called."""

import json

import pytest

from pipelines.core.errors import UserError
from pipelines.costs.validation_curve import TimeTo
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


def test_what_a_score_took_stands_last_where_one_is_asked_for(path):
    rows = [comparison_row(time_to_examples=10, time_to_cpu_seconds=1.5, time_to_kwh=0.25)]
    rows.append(comparison_row("other", time_to_examples=None, time_to_cpu_seconds=None, time_to_kwh=None))
    compared(*rows).write(path)
    read = Comparison.read(path).rows
    assert [row.time_to for row in read] == [TimeTo(10, 1.5, 0.25), TimeTo()]
    assert list(read[0].columns())[-3:] == ["time_to_examples", "time_to_cpu_seconds", "time_to_kwh"]
    assert read[0].metrics == {"accuracy": 0.9}
