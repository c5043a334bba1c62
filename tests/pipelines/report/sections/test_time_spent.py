"""The time of stages is divided into laps and a rest."""

from pipelines.report.sections import time_spent
from tests.pipelines.records import cost_record


def stage(start_up=None, **seconds):
    """Return what the stage of a record took, whose laps took so many CPU ``seconds``."""
    laps = {k: {"times": 1, "examples": 1, "cpu_seconds": v, "wall_seconds": 2 * v} for k, v in seconds.items()}
    return time_spent.StageTime.of(cost_record(laps=laps, start_up_seconds=start_up))


def test_what_the_outermost_lap_holds_beside_the_others_is_the_rest():
    train = stage(train=1.0, forward=0.25, select=0.5, start_up=3.0)
    assert (train.total, train.laps["rest"], train.wall, train.start_up) == (1.0, 0.25, 2.0, 3.0)
    only = stage(select=0.5)
    assert (only.total, only.laps["rest"], only.start_up) == (0.5, 0.0, None)
    spent = {"m": {"warm_up": stage(), "subset": only, "train": train}}
    assert time_spent._shares(spent) == "66.7 % (m)"
    table = time_spent._table(spent)
    assert [row[1] for row in table.rows] == ["subset", "training"]
    assert dict(zip(table.heads, table.rows[1], strict=True))["start-up, wall s"] == "3.0"
