"""Proposal of an advice, its certainty, its cost and when that is paid back."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

from components.arrays import Array
from components.costs.comparison import Metric
from components.costs.cost_ratio import Trained, cost_ratio
from components.costs.halving import Goal, Outcome, full_of, paid_back_after, proposal
from components.costs.paired import CONFIDENCE, LEAST_SEEDS, Gain, paired
from components.evaluation.significance import paired_error
from pipelines.advise.rungs import UNITS, Rung
from pipelines.config.loader import dumped
from pipelines.config.params import Params
from pipelines.core.artifacts import MANIFEST, plan_of, read_json, result
from pipelines.core.tables import read_table
from pipelines.trials.folder import DATA
from pipelines.trials.grid import CONTROLS, Cell
from pipelines.trials.rows import Row
from pipelines.trials.search_space import told
from pipelines.trials.summary import rivals

#: Standard errors on each side of a mean over many examples that make its interval.
QUANTILE = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def advice(params: Params, goal: Goal, unit: str, metric: Metric, rungs: list[Rung]) -> Row:
    """Return what was found, before the winner is tested and costs are added up."""
    last = rungs[-1]
    winner, full = proposal(last.outcomes, goal), full_of(last.outcomes)
    facts = {"task": params.task, "goal": goal.kind, "bound": goal.bound, "unit": unit, "metric": metric.name}
    facts |= {"higher_is_better": metric.higher, "seeds": list(last.place.seeds), "validation_rows": _judges(last)}
    answer = {"kind": "nothing", "name": None} if winner is None else _answer(winner, full, last, goal, metric)
    return {
        **facts,
        "answer": answer,
        "sentence": sentence(answer, goal, UNITS[unit], last, metric),
        "rungs": [_rung(rung) for rung in rungs],
        "trials": [{"share": rung.share, **row} for rung in rungs for row in rung.rows],
        "block": None if winner is None else block(params, last, winner),
    }


def _judges(rung: Rung) -> int:
    return int(read_json(rung.place.folder / DATA / MANIFEST)["counts"]["test"])


def _answer(winner: Outcome, full: Outcome, last: Rung, goal: Goal, metric: Metric) -> Row:
    cell = last.place.grid[winner.name]
    held = {"full": "full"} if winner.role != "full" else {}
    by_name = {o.name: o for o in last.outcomes}
    for kind, names in rivals(cell, last.place.grid).items() if winner.role == "method" else []:
        held |= {kind: max((n for n in names if n in by_name), key=lambda n: goal.gain(by_name[n], full))}
    return {
        "kind": winner.role,
        "name": winner.name,
        "method": cell.method,
        "score": winner.score,
        "cost": winner.cost,
        "full_score": full.score,
        "full_cost": full.cost,
        "cost_ratio": _cost_ratio(last, cell, metric),
        "gains": {k: _gain(last, winner.name, name, goal, metric, k) for k, name in held.items()},
    }


def _cost_ratio(last: Rung, cell: Cell, metric: Metric) -> Row | None:
    """Return what a method costs over what the best control needs for the same metric, in epochs over everything."""
    if cell.role != "method":
        return None
    rows: dict[str, dict[int, Row]] = {}
    for r in last.rows:
        rows.setdefault(r["cell"], {})[r["seed"]] = r
    seeds = last.place.seeds
    trained = {n: Trained([r[s]["cost_epochs"] for s in seeds], [r[s][metric.name] for s in seeds]) for n, r in rows.items()}
    blind = [t for n, t in trained.items() if last.place.grid[n].role != "method"]
    ratio = cost_ratio(trained[cell.name], blind, higher=metric.higher)
    return None if ratio is None else vars(ratio)


def _gain(last: Rung, name: str, other: str, goal: Goal, metric: Metric, held: str) -> Row:
    """Return the gain over another trial, paired by seed, and whether it is surely what it must be.

    Over ``full`` it must be above minus the tolerance, or anything where there is a budget; over a control above 0.
    """
    scores = {(r["cell"], r["seed"]): r[metric.name] for r in last.rows}
    seeds = last.place.seeds
    gain = paired(*([scores[cell, seed] for seed in seeds] for cell in (name, other)), higher=metric.higher)
    least = 0.0 if held != "full" else -goal.bound if goal.kind == "tolerance" else None
    error = paired_error(_predictions(last, name), _predictions(last, other), metric.name)
    return {**vars(gain), "least": least, "sure": surely(gain, error, least), "examples_error": error}


def _predictions(last: Rung, name: str) -> list[dict[str, Array]]:
    """Return what the trial's models of all seeds said of the examples that judge."""
    path = result("evaluate", name, "predictions.parquet")
    return [read_table(last.place.of(seed) / path)[0] for seed in last.place.seeds]


def surely(gain: Gain, error: float, least: float | None) -> bool | None:
    """Return whether a gain is above ``least`` by its whole interval, be it that over seeds or that over the examples.

    Returns:
        None where it need not be anything, and where seeds are too few to say.
    """
    if least is None or gain.pairs < LEAST_SEEDS or gain.low is None or gain.mean is None:
        return None
    return min(gain.low, gain.mean - QUANTILE * error) > least


def sentence(answer: Row, goal: Goal, unit: str, last: Rung, metric: Metric) -> str:
    """Return the answer in words."""
    if answer["kind"] == "nothing":
        cheapest = min(last.outcomes, key=lambda o: o.cost)
        return f"none: nothing fits the budget; the cheapest that was tried, {cheapest.name}, takes {cheapest.cost:.3g} {unit}"
    had = f"{metric.name} {answer['score']:.4f} at {answer['cost']:.3g} {unit}, full {answer['full_score']:.4f}"
    had += f" at {answer['full_cost']:.3g}"
    if answer["kind"] == "full":
        return f"none: train on everything ({had})"
    if answer["kind"] == "control":
        which = {"short": "the short schedule", "uniform": "a fresh random subset every epoch"}[answer["method"]]
        return f"none: use {which}, {answer['name']} ({had})"
    cell = last.place.grid[answer["name"]]
    return f"{answer['name']}{_settings(cell)} ({had})"


def _settings(cell: Cell) -> str:
    kept = [] if cell.fraction is None else [f"{cell.fraction:g} kept"]
    parts = [*kept, *([told(cell.settings)] if cell.settings else [])]
    return f", {', '.join(parts)}" if parts else ""


def _rung(rung: Rung) -> Row:
    outcomes = [{**vars(o), "controls": list(o.controls), "kept": o.name in rung.kept} for o in rung.outcomes]
    failed = [{"cell": r["cell"], "seed": r["seed"], "error": r["error"]} for r in rung.failed]
    return {"share": rung.share, "seeds": list(rung.place.seeds), "outcomes": outcomes, "failed": failed}


def block(params: Params, last: Rung, winner: Outcome) -> str:
    """Return what to put into params.yaml: the proposal, ``full``, and two controls at its cost."""
    grid = last.place.grid
    compare, methods = {"full": grid.start}, dict[str, Any]()
    if winner.role == "control":
        method = grid[winner.name].method
        (member,) = read_json(last.place.of(last.place.seeds[0]) / plan_of("methods", winner.name))["members"]
        compare[method], methods[method] = grid.start, member["arguments"] | member.get("factors", {})
    elif winner.role == "method":
        compare |= {winner.name: grid.params.compare[winner.name], **dict.fromkeys(CONTROLS, grid.start)}
        methods = {winner.name: grid.params.methods[winner.name], **{c: {"controls": winner.name} for c in CONTROLS}}
    lacking = {} if grid.start in params.warm_ups else {"warm_ups": {grid.start: {"epochs": 0}}}
    return dumped(lacking | {"compare": compare} | ({"methods": methods} if methods else {}))


def balance(written: Row, spent: dict[str, dict[str, float]], before: dict[str, dict[str, float]]) -> Row:
    """Return what the advice cost, and after how many trainings that is paid back.

    Args:
        written: what ``advice`` returned.
        spent: costs of all its trials, by record.
        before: of the records that were there when it began.
    """
    kinds = tuple(UNITS)
    now = {path: cost for path, cost in spent.items() if before.get(path) != cost}
    cost = {kind: sum(c[kind] for c in spent.values()) for kind in kinds}
    answer, unit = written["answer"], written["unit"]
    saving = answer["full_cost"] - answer["cost"] if answer["kind"] in ("method", "control") else 0.0
    return {
        "cost": cost,
        "cost_now": {kind: sum(c[kind] for c in now.values()) for kind in kinds},
        "saving": saving,
        "paid_back_after": paid_back_after(cost[unit], saving),
    }
