"""A subset is chosen from the score table of its own data, settings and warm-up, and from no other."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.core import artifacts, tables
from pipelines.core.artifacts import plan_of, result
from pipelines.core.errors import UserError
from pipelines.plan import plan
from pipelines.subset import subset
from tests.pipelines.records import manifest

SUBSET = result("subset", "swiftlearn", "subset.parquet")


@pytest.fixture
def scored(write_params):
    """A score table of ten examples, the later the higher, as the stages before would leave it."""
    write_params({"task": "digits", "compare": {"full": "none", "swiftlearn": "two-epochs"}})
    plan()
    manifest(content="abc").write(artifacts.MANIFEST)
    origin = {"seed": 0, "data": "abc", "params": artifacts.digest(artifacts.read_json(plan_of("training"))), "checkpoint": "c"}
    origin["warm_up"] = artifacts.read_json(plan_of("warm_ups", "two-epochs"))
    columns = {"id": np.arange(100, 110), "change": np.arange(10, dtype=np.float32)}
    tables.write_table(result("warm_up", "two-epochs", "scores.parquet"), columns, origin)


def test_the_best_come_first_and_say_what_they_were_chosen_from(scored):
    subset("swiftlearn")
    columns, facts = tables.read_table(SUBSET)
    assert columns["id"].tolist() == [109, 108, 107]
    assert columns["rank"].tolist() == [0, 1, 2]
    assert (facts["seed"], facts["data"], facts["checkpoint"], facts["examples"]) == (0, "abc", "c", 10)
    assert facts["sign"] == "higher = keep"


OTHERS = {
    "data": (artifacts.MANIFEST, "content", "another", "data"),
    "params": (plan_of("training"), "seed", 3, "params"),
    "warm-up": (plan_of("warm_ups", "two-epochs"), "epochs", 3, "warm_up"),
}


@pytest.mark.parametrize(("path", "key", "value", "said"), OTHERS.values(), ids=OTHERS)
def test_a_score_table_of_something_else_is_refused(scored, path, key, value, said):
    Path(path).write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(UserError, match=rf"scores\.parquet: was made from other {said}: .*; run 'dvc repro'"):
        subset("swiftlearn")
    assert not SUBSET.parent.exists()
