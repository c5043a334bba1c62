"""Metrics of a method's MLflow run: by epoch, on the test split, costs."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, read_json, result
from pipelines.tracking.client import Tracker, points
from pipelines.tracking.run_facts import course_of

Values = list[tuple[str, float, int]]
EACH_EPOCH = ("loss", "accuracy", "drawn", "looked", "trained", "learning_rate")
#: Begin the names of metrics that are not of the trained model on the test split.
UNTESTED = ("base_", "chance_", "above_chance")
IN_ACCOUNT = (
    "alpha_b", "alpha_fb", "paper_cpu_seconds", "counted_cpu_seconds", "time_paper", "time_counted", "time_measured",
    "measured_over_counted", "speed_reached", "speed_ceiling", "speed_share", "speed_formula",
)  # fmt: skip


def metrics_of(name: str, model: str | None = None) -> list[Any]:
    """Return the metrics of every epoch, what the method said of itself, and those of the test split.

    These are of the logged model too, where there is one of id ``model``.
    """
    path = result("train", name, "history.json")
    history = read_json(path)
    each = [(k, r[k], r["epoch"]) for r in history for k in EACH_EPOCH if r[k] is not None]
    each += [(f"course_{k}", v, step) for k, v, step in course_of(history)]
    each += _so_far("examples_trained", history, trained=1) + _so_far("examples_looked", history, looked=1)
    tested = result("evaluate", name, "metrics.json")
    final = [(k if k.startswith(UNTESTED) else f"test_{k}", v, 0) for k, v in read_json(tested).items()]
    return [*points(each, path), *points(final, tested, model)]


def _so_far(name: str, history: list[dict[str, Any]], **weights: float) -> Values:
    """Return the running sum of the counts in ``weights``, each times its weight, after each epoch.

    MLflow's charts take the step, a clock or another metric for their x-axis: here the others are drawn against examples or
    seconds, in the place of epochs.
    """
    sums = accumulate(sum(r[count] * weight for count, weight in weights.items()) for r in history)
    return [(f"{name}_so_far", value, r["epoch"]) for r, value in zip(history, sums, strict=True)]


class Account:
    """What methods cost and gained: all of it where the account is of what is here, and nothing where it is not."""

    def __init__(self, tracker: Tracker) -> None:
        known = artifacts.ACCOUNT.exists() and tracker.lock.holds("account")
        self._held = read_json(artifacts.ACCOUNT) if known else None
        self._gains = _gains(tracker)

    def of(self, name: str) -> tuple[list[Any], dict[str, str]]:
        """Return the metrics of the method ``name``, and the tag that says that these were told."""
        if self._held is None:
            return [], {}
        values = [*_costs(name, self._held), *_counted(name, self._held), *self._gains.get(name, [])]
        return points(values, artifacts.ACCOUNT), {"winnow.account": artifacts.digest(values)}


def _gains(tracker: Tracker) -> dict[str, Values]:
    """Return the AGOT of each method of the comparison, where there is one and it is known."""
    if not tracker.lock.holds("compare"):
        return {}
    rows = read_json(artifacts.COMPARISON / "comparison.json")["rows"]
    return {r["method"]: [(k, r[k], 0) for k in ("agot", "agot_paper") if r[k] is not None] for r in rows}


def _costs(name: str, held: dict[str, Any]) -> Values:
    """Return what a method cost; energy with its unit and how it was come by in its name."""
    account, full = held["methods"][name], held["methods"]["full"]
    costs = {k: account[k] for k in IN_ACCOUNT} | {"cpu_seconds": account["measured_cpu_seconds"]}
    costs |= {"wall_seconds": account["spent"]["total"]["wall_seconds"]}
    costs |= {"selection_cpu_seconds": account["spent"]["selection"]["cpu_seconds"]}
    costs |= {"saved_cpu_seconds": full["measured_cpu_seconds"] - account["measured_cpu_seconds"]}
    for kind in ("energy", "energy_modelled"):
        energy, whole = account[kind], full[kind]
        costs |= {f"energy_kwh_{energy['label']}": energy["kwh"], f"co2e_kg_{energy['label']}": energy["co2e_kg"]}
        # What was measured on one machine and estimated on another has no difference.
        if energy["label"] == whole["label"]:
            costs[f"saved_energy_kwh_{energy['label']}"] = whole["kwh"] - energy["kwh"]
    laps = read_json(cost_of("train", name))["laps"]
    costs |= {f"train_cpu_seconds_{lap}": spent["cpu_seconds"] for lap, spent in laps.items()}
    return [(k, v, 0) for k, v in costs.items() if v is not None]


def _counted(name: str, held: dict[str, Any]) -> Values:
    """Return the seconds that the passes done should have taken, after each epoch: nobody times epochs apart."""
    unit = held["unit_cpu_seconds"]
    seconds = {"looked": unit["forward"], "trained": unit["forward"] + unit["backward"]}
    return _so_far("counted_cpu_seconds", read_json(result("train", name, "history.json")), **seconds)
