"""A run is told values within MLflow's limits, each once, and its tags after all others."""

from types import SimpleNamespace

import pytest

from pipelines.tracking.client import Tracker


@pytest.mark.parametrize(("metrics", "params"), [(0, 0), (800, 100), (801, 101), (2900, 250)])
def test_values_of_any_number_are_told_once_and_the_tags_last(metrics, params):
    calls = []
    client = SimpleNamespace(log_batch=lambda run_id, metrics=(), params=(), tags=(): calls.append((metrics, params, tags)))
    tracker = Tracker(client, "0", None, lock=None)
    tracker.log("run", list(range(metrics)), {f"p{i}": i for i in range(params)}, {"winnow.complete": "true"})
    assert sorted(m for call in calls for m in call[0]) == list(range(metrics))
    assert sorted(p.key for call in calls for p in call[1]) == sorted(f"p{i}" for i in range(params))
    assert [len(call[2]) for call in calls] == [0] * (len(calls) - 1) + [1]
    assert all(sum(map(len, call)) <= 1000 and len(call[1]) <= 100 for call in calls)
