"""The bytes of the tasks that are ready to run: a change to them must be meant, since it makes every result stale."""

import pytest

from pipelines.core import artifacts
from pipelines.plan import plan
from pipelines.prepare import prepare

#: Task -> how the hash of its prepared splits begins.
CONTENT = {
    "digits": "e56a7204",
    "fashion-mnist": "f37d2a7b",
    "movie-reviews": "c86ea679",
    "newsgroups": "d9f75f84",
    "reuters": "8a8ab7ac",
    "domains": "5ee719cf",
    "bike-sharing": "a7d06bbe",
    "brown": "369f6d05",
}


@pytest.mark.parametrize("task", [t if t == "digits" else pytest.param(t, marks=pytest.mark.slow) for t in CONTENT])
def test_the_bytes_of_a_ready_task_are_recorded(write_params, task):
    write_params({"task": task, "compare": {"full": "none"}, "diagnose.warm_up": "none"})
    plan()
    prepare()
    assert artifacts.read_json(artifacts.MANIFEST)["content"].startswith(CONTENT[task])
