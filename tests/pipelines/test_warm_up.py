"""Which warm-ups are run."""

from pipelines.core import artifacts
from pipelines.plan import plan
from pipelines.warm_up import names, warm_up


def test_a_warm_up_that_nobody_starts_from_is_not_run(write_params, capsys):
    """It would have been as long as all of ``full``; and one that the task could not have at all is no error."""
    warm_ups = {"none": {"epochs": 0}, "long": {"epochs": 5}, "to-target": {"epochs": 0, "nearness": "ngrams"}}
    write_params({"task": "digits", "warm_ups": warm_ups, "diagnose": {"warm_up": "none"}, "compare": {"full": "none"}})
    plan()
    said = "plan: warm-ups: not run, since no method starts from them: long, to-target"
    assert said in capsys.readouterr().err.splitlines()
    assert names() == ["long", "none", "to-target"]
    for name in ("long", "to-target"):
        warm_up(name)
        assert artifacts.result("warm_up", name, "scores.parquet").stat().st_size == 0
        assert artifacts.read_json(artifacts.cost_of("warm_up", name)) == {"laps": {}}
