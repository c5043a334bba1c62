"""Plans keep the bytes that they were written with: what depends on them would be stale otherwise."""

from pipelines.config.plans import MethodPlan
from pipelines.core import artifacts
from pipelines.plan import plan


def test_a_whole_number_stays_whole(write_params):
    write_params(
        {
            "task": "digits",
            "tasks.digits.training.epochs": 6,
            "compare.fast": "none",
            "methods.fast": {"method": "short", "epochs": 2, "batch": 2},
        }
    )
    plan()
    path = artifacts.plan_of("methods", "fast")
    before = path.read_bytes()
    assert b'"batch": 2\n' in before
    assert b'"length": 6,' in artifacts.plan_of("methods", "full").read_bytes()
    MethodPlan.read(path).write(path)
    assert path.read_bytes() == before
