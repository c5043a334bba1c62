"""Controls are planned at the cost that their trial had."""

from pipelines.core import artifacts
from pipelines.trials import controls
from pipelines.trials import study_folder as trials_folder
from tests.pipelines.records import cost_record


def test_a_control_is_planned_at_the_cost_its_cell_had_and_at_no_more_than_full(grid):
    read = grid()
    control = {c: read[f"{c}-at-infobatch"] for c in ("uniform", "short")}
    planned = {name: controls.plan_at(read, trial, 7, 4.1234) for name, trial in control.items()}
    assert planned["short"].dumped()["members"] == [{"method": "short", "arguments": {"epochs": 4.1234}}]
    assert planned["uniform"].members[0].arguments == {"fraction": round(4.1234 / 6, 4)}
    assert {p.seed for p in planned.values()} == {7}
    assert planned["short"].planned_cost == 4.1234
    assert controls.plan_at(read, control["short"], 0, 7.5).length == 6


def counted(folder, name, **counts):
    """Pretend that a trial has run in ``folder`` with these counts."""
    cost_record(counts=counts | {"drawn": 0, "steps": 0}).write(folder / artifacts.cost_of("train", name))
    for address, key in trials_folder.steps(folder, name):
        artifacts.write_json(folder / trials_folder.mark_of(address), key)


def test_the_cost_had_is_that_of_steps_and_a_third_of_looks_with_a_holdouts_own(study):
    laid = study(
        {"warm_ups.irreducible": {"epochs": 3, "holdout": 0.2}}, methods={"rho-loss": "irreducible", "infobatch": "none"}
    )
    folder = laid.of(0)
    counted(folder, "infobatch", examples=100, trained=450, looked=30, kept=10)
    counted(folder, "rho-loss-0.1", examples=100, trained=60, looked=480, kept=60)
    own = {"examples": 20, "drawn": 60, "looked": 100, "kept": 0, "trained": 60, "steps": 6}
    cost_record(counts=own).write(folder / artifacts.cost_of("warm_up", "irreducible"))
    assert controls.cost_had("infobatch", folder) == 4.6
    assert controls.cost_had("rho-loss-0.1", folder) == round((60 + 60 + 580 / 3) / 100, 4)


def test_a_control_after_a_cell_waits_for_it_with_each_seed_and_is_planned_again_the_same(study):
    laid = study()
    assert (0, "short-at-infobatch") in laid.missing()
    assert not (laid.of(0) / artifacts.plan_of("methods", "short-at-infobatch")).exists()
    counted(laid.of(0), "infobatch", examples=100, trained=450, looked=0, kept=0)
    for _ in range(2):
        again = study()
        read = artifacts.read_json(again.of(0) / artifacts.plan_of("methods", "short-at-infobatch"))
        assert read["members"][0]["arguments"] == {"epochs": 4.5}
        assert not (again.of(1) / artifacts.plan_of("methods", "short-at-infobatch")).exists()
    # Another setting of the trial: what it cost is not known any more.
    again = study({"methods.infobatch.prune": 0.25})
    assert not (again.of(0) / artifacts.plan_of("methods", "short-at-infobatch")).exists()
