"""The plan says what everything costs and what starts from what."""

from pathlib import Path

import pytest
import yaml

from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, plan_of, read_json
from pipelines.costs.records import CostRecord
from pipelines.plan import plan
from pipelines.versioning.dvc_lock import md5_of
from tests.pipelines.records import cost_record


def test_the_plan_says_what_each_warm_up_costs_and_for_whom(write_params, capsys):
    write_params({})
    plan()
    said = capsys.readouterr().err
    assert "plan: 5 methods and 1 warm-up: 17.8 epochs, 3.56 times full" in said
    assert "two-epochs, 2 epochs, for swiftlearn, the diagnosis" in said
    assert artifacts.read_json(artifacts.plan_of("warm_ups", "two-epochs"))["needed"]
    assert artifacts.read_json(artifacts.plan_of("warm_ups", "none"))["needed"]


def test_the_plan_says_what_it_starts_from(write_params):
    write_params({"diagnose.warm_up": "none"})
    plan()
    assert read_json(plan_of("diagnosis")) == {"warm_up": "none", "epochs": 5}


def hashed(*paths):
    return [{"path": str(path), "md5": md5_of(Path(path))} for path in paths]


def lock_of(*methods):
    """Return DVC's record of a run that trained ``methods``, by warm-up, on the plan that is on disk."""
    stages = {"prepare": {"deps": hashed(plan_of("task")), "outs": hashed(cost_of("prepare"))}}
    for name, warm_up in methods:
        read = hashed(plan_of("training"), plan_of("warm_ups", warm_up), plan_of("methods", name))
        stages[f"warm_up@{warm_up}"] = {"deps": read[:2], "outs": hashed(cost_of("warm_up", warm_up))}
        stages[f"subset@{name}"] = {"deps": read, "outs": hashed(cost_of("subset", name))}
        stages[f"train@{name}"] = {"deps": read, "outs": hashed(cost_of("train", name))}
    return {"schema": "2.0", "stages": stages}


def trained_in(seconds):
    laps = cost_record().dumped()["laps"]
    return cost_record(laps=laps | {"train": laps["train"] | {"cpu_seconds": seconds}})


@pytest.fixture
def ran(write_params, capsys):
    """Return a function that leaves what a run of ``methods`` by name and warm-up leaves, and one that plans anew."""

    def run(*methods):
        write_params({})
        plan()
        for stage in (("prepare",), *((s, n if s != "warm_up" else w) for n, w in methods for s in ("warm_up", "subset"))):
            CostRecord(laps={}).write(cost_of(*stage))
        trained_in(1000.0).write(cost_of("train", "full"))
        trained_in(290.0).write(cost_of("train", "swiftlearn"))
        Path("dvc.lock").write_text(yaml.safe_dump(lock_of(*methods)))

    def again(changes):
        write_params(changes)
        capsys.readouterr()
        plan()
        return [line for line in capsys.readouterr().err.splitlines() if "CPU" in line]

    return run, again


def test_the_plan_says_how_long_it_takes_by_the_record_of_full(ran, gone):
    """5 epochs in 1,000 s are 200 s an epoch, and the plan has 17.8."""
    run, again = ran
    run(("swiftlearn", "two-epochs"), ("full", "none"))
    expected = (
        "plan: about 59 CPU minutes to train all of it, by results/cost/train.full.json (full: 5 epochs in 17 CPU minutes"
    )
    assert again({}) == [f"{expected} on a processor)"]
    # Without infobatch, which is planned at 4.1 epochs, it is another comparison, by the same record.
    assert again({"compare.infobatch": gone})[0].startswith("plan: about 46 CPU minutes")


def test_without_full_it_goes_by_a_method_of_a_known_cost(ran):
    """2.9 epochs in 290 s are 100 s an epoch."""
    run, again = ran
    run(("swiftlearn", "two-epochs"))
    assert again({})[0].startswith(
        "plan: about 30 CPU minutes to train all of it, by results/cost/train.swiftlearn.json (swiftlearn: 2.9"
    )


TASK = "tasks.movie-reviews"


@pytest.mark.parametrize(
    "changes", [{f"{TASK}.training.epochs": 6}, {f"{TASK}.model.train_layers": 2}, {f"{TASK}.limit": 100}, {"seed": 1}], ids=str
)
def test_a_record_of_other_settings_says_nothing(ran, changes):
    run, again = ran
    run(("full", "none"))
    assert again({})
    assert again(changes) == []


@pytest.mark.parametrize("lost", ["dvc.lock", "results/cost/train.full.json", "results/cost/subset.full.json"])
def test_without_a_record_or_dvcs_word_for_it_nothing_is_said(ran, lost):
    run, again = ran
    run(("full", "none"))
    Path(lost).unlink()
    assert again({}) == []


@pytest.mark.parametrize("torn", ["dvc.lock", "results/cost/train.full.json"])
def test_a_torn_file_stops_no_plan(ran, torn):
    run, again = ran
    run(("full", "none"))
    Path(torn).write_text("{")
    assert again({}) == []
