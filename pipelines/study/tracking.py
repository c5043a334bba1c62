"""MLflow runs of a study: a parent run, and a child run for each trial."""

from __future__ import annotations

import json
from contextlib import chdir
from typing import Any

from pipelines.core.artifacts import MANIFEST, STUDY, cost_of, digest, plan_of, read_json
from pipelines.study.report import page
from pipelines.tracking.client import REASON, Tracker, points, told
from pipelines.tracking.description import note
from pipelines.tracking.metrics import metrics_of
from pipelines.tracking.run_facts import chance_of, keep_of, params_of, shared
from pipelines.trials.folder import DATA, Place
from pipelines.trials.rows import Row
from pipelines.trials.search_space import name_of
from pipelines.versioning.provenance import versions

#: What the parent's run has of each method beside its controls, as ``<column>/<method>``.
TOLD = ("gain_over_best_control", "gain_over_best_control_low", "gain_over_best_control_high", "cost_ratio", "cpu_ratio")


def publish(place: Place, written: Row) -> str | None:
    """Tell MLflow what is new in the tables of the study at ``place``, and return the id of its run.

    Returns:
        None where there is no tracker to tell it to: then the next call tells it.
    """
    return told(lambda tracker: _publish(tracker, place, written))


def _publish(tracker: Tracker, place: Place, written: Row) -> str:
    tags = {"task": written["task"], "data": read_json(place.folder / DATA / MANIFEST)["content"], **versions()}
    parent = _parent(tracker, place, tags)
    parent_id = str(parent.info.run_id)
    children = tracker.runs("mlflow.parentRunId", parent_id)
    told_before = {r.data.tags["winnow.key"]: r for r in children if {"winnow.complete", "winnow.failed"} & r.data.tags.keys()}
    keys = {digest(row): row for row in written["cells"]}
    for key, row in keys.items():
        if key not in told_before:
            own = shared(parent.data.tags, "comparison") | {"mlflow.parentRunId": parent_id, "winnow.key": key}
            _tell_cell(tracker, place, row, tags | own)
    _forget_the_old(tracker, children, keys)
    _tell_tables(tracker, parent, written)
    if failed := sum(bool(row["error"]) for row in written["cells"]):
        tracker.failed(parent, f"{failed} of {len(keys)} cells failed")
    else:
        tracker.finish(tracker.client.get_run(parent_id))
    tracker.point_caller("winnow.study", parent_id)
    return parent_id


def key_of(place: Place) -> str:
    """Return what the run of the study at ``place`` is found by."""
    return digest(["study", place.folder.name])


def _parent(tracker: Tracker, place: Place, tags: dict[str, str]) -> Any:  # noqa: ANN401 - mlflow's Run
    key = key_of(place)
    found = tracker.runs("winnow.key", key)
    told = {**tags, "winnow.key": key, "comparison": f"{tags['task']}-{key[:8]}"}
    return found[0] if found else tracker.create(f"{tags['task']} study", told)


def _forget_the_old(tracker: Tracker, children: list[Any], keys: dict[str, Row]) -> None:
    """Delete the runs that another one has replaced, and those that a publish which died left unfinished."""
    now = {(row["cell"], str(row["seed"])) for row in keys.values()}
    for run in children:
        tags = run.data.tags
        replaced = tags["winnow.key"] not in keys and (tags["cell"], tags["seed"]) in now
        if replaced or not {"winnow.complete", "winnow.failed"} & tags.keys():
            tracker.forget(run)


def _tell_cell(tracker: Tracker, place: Place, row: Row, tags: dict[str, str]) -> None:
    """Make the run of one cell; the mark that it is complete comes last."""
    own = {"cell": row["cell"], "role": row["role"], "method": row["method"], "seed": str(row["seed"])}
    name = row["cell"]
    with chdir(place.of(row["seed"])):
        planned = plan_of("methods", name)
        # A control at the cost that another cell had is not planned before that has run.
        plan = read_json(planned) if planned.exists() else {}
        params = params_of(plan, read_json(plan_of("training"))) if plan else {}
        params |= {k: v for k, v in own.items() if k != "role"}
        metrics = [] if row["error"] else [*metrics_of(name), *points(_costs(row), cost_of("train", name))]
    tags |= own | chance_of(row) | (keep_of(plan) if plan else {})
    run = tracker.create(f"{name} seed {row['seed']}", tags)
    if row["error"]:
        tracker.log(run.info.run_id, metrics, params, {})
        tracker.failed(run, row["error"][:REASON])
        return
    tracker.client.set_terminated(run.info.run_id, "FINISHED")
    tracker.log(run.info.run_id, metrics, params, {"winnow.complete": "true"})


def _costs(row: Row) -> list[tuple[str, float, int]]:
    """Return the numbers of a row that no file of the cell says alone; energy with how it was come by in its name."""
    names = {k: k for k, v in row.items() if isinstance(v, int | float) and k not in ("fraction", "seed")}
    names |= {k: f"{k}_{row['energy_label']}" for k in ("energy_kwh", "co2e_kg") if k in names}
    return [(name, row[k], 0) for k, name in names.items() if _is_cost(k)]


def _is_cost(key: str) -> bool:
    kinds = ("examples", "time", "alpha", "speed", "agot")
    return key.startswith(kinds) or key.endswith(("seconds", "kwh", "kg", "counted", "epochs"))


def _called(row: Row) -> str:
    """Return what a method's cell is called in the name of a metric, which takes few signs."""
    settings = json.loads(row["settings"]) if row["settings"] else {}
    return name_of(row["method"], tuple(settings.items()), row["fraction"])


def _tell_tables(tracker: Tracker, parent: Any, written: Row) -> None:  # noqa: ANN401 - mlflow's Run
    """Log the tables, where they are new."""
    told_last = digest(written)
    if parent.data.tags.get("winnow.tables") == told_last:
        return
    run_id, folder = parent.info.run_id, STUDY / written["task"]
    means = [(f"mean_{written['metric']}/{c}", v["mean"], 0) for c, v in written["summary"].items()]
    ranks = [(f"mean_rank/{c}", v["rank"], 0) for c, v in written["summary"].items()]
    told = [(f"{key}/{_called(r)}", r.get(key), 0) for r in written["methods"] for key in TOLD]
    found = [(name, value, step) for name, value, step in means + ranks + told if value is not None]
    seeds = ", ".join(map(str, written["seeds"]))
    tags = {"methods": ", ".join(written["columns"]), "seeds": seeds} | note(*page.summary(written), "study")
    tracker.log(run_id, points(found, folder / "study.json"), {}, tags)
    tracker.client.log_artifacts(run_id, str(folder), "study")
    tracker.client.set_tag(run_id, "winnow.tables", told_last)
