"""The registry has the best of the comparison published last, once."""

from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from components.costs.savings import Metric
from pipelines.costs.account import CostColumns, Gains
from pipelines.report import comparison as report_comparison
from pipelines.report.rows import Comparison, ComparisonRow
from pipelines.tracking import comparison as tracking
from pipelines.tracking import registry
from pipelines.tracking.client import with_tracker
from pipelines.tracking.description import NOTE
from pipelines.tracking.registry import best

ACCURACY, PERPLEXITY = Metric("accuracy", True), Metric("perplexity", False)


def row(method, metrics, agot):
    """Return the row of a method that reached the ``metrics``, of which the first judges, and gained ``agot``."""
    return ComparisonRow(method, next(iter(metrics)), metrics, 10, 0, CostColumns(), Gains(agot))


def test_the_best_is_by_the_metric_whichever_way_it_goes_and_the_first_of_equals():
    rows = [row(m, {"accuracy": a, "perplexity": a}, g) for m, a, g in (("a", 2, None), ("b", 3, 1), ("c", 3, 2))]
    assert {k: r.method for k, r in best(rows, ACCURACY).items()} == {"best-agot": "c", "best-accuracy": "b"}
    assert best(rows, PERPLEXITY)["best-perplexity"].method == "a"
    assert list(best(rows[:1], ACCURACY)) == ["best-accuracy"]


class Registered:
    """What the registry holds of digits."""

    def __init__(self):
        self.client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}")
        self.versions = {str(v.version): v for v in self.client.search_model_versions("name = 'winnow-digits'")}

    def method(self, alias):
        return self.client.get_model_version_by_alias("winnow-digits", alias).tags["method"]


@pytest.mark.slow
def test_the_best_are_registered_once_and_a_newer_comparison_takes_the_aliases(no_tracker, monkeypatch):
    params = Path("params.yaml")
    on = params.read_text()
    params.write_text(on.replace("register_best: true", "register_best: false"))
    parent_id = tracking.publish()
    assert Registered().client.search_registered_models() == []
    assert Registered().client.get_run(parent_id).info.status == "FINISHED"
    params.write_text(on)
    assert tracking.publish() == parent_id
    first = Registered()
    written = Comparison.written()
    rows = written.rows
    expected = {alias: row.method for alias, row in best(rows, ACCURACY).items()}
    assert {alias: first.method(alias) for alias in expected} == expected
    assert len(first.versions) == len(set(expected.values()))
    parent = first.client.get_run(parent_id)
    assert report_comparison.summary(rows, ACCURACY)[0][0] in parent.data.tags[NOTE]
    assert tracking.publish() == parent_id
    assert Registered().versions.keys() == first.versions.keys()
    (loser,) = {r.method for r in rows} - {first.method("best-agot")}
    children = first.client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent_id}'")
    runs = {r.data.tags["method"]: r.info.run_id for r in children}
    wins = {r.method: float(r.method == loser) for r in rows}
    swapped = [replace(r, metrics=r.metrics | {"accuracy": wins[r.method]}, gains=Gains(wins[r.method])) for r in rows]
    monkeypatch.setattr(registry.Comparison, "read", lambda path: written.model_copy(update={"rows": swapped}))
    for later, holder in ((-1, first.method("best-agot")), (1, loser)):
        other = mlflow.entities.Run(replace_start(parent.info, parent.info.start_time + later), parent.data)
        with_tracker(lambda tracker, other=other: registry.register(tracker, other, runs))
        assert Registered().method("best-agot") == holder
    assert len(Registered().versions) == 2


def replace_start(info, start):
    """Return the facts of a run, as if it had begun at ``start``."""
    facts = {k: getattr(info, k) for k in ("run_id", "experiment_id", "user_id", "status", "end_time", "lifecycle_stage")}
    return mlflow.entities.RunInfo(start_time=start, **facts)
