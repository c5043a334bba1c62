"""Tags, params and artifact paths of a run, from stage outputs and dvc.lock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from components.epoch_records import EpochRecord
from pipelines.config.plans import MethodPlan, TrainingPlan
from pipelines.core.artifacts import HERE, cost_of, result
from pipelines.costs.at_chance import at_chance
from pipelines.data.manifest import Manifest
from pipelines.tracking.client import Point
from pipelines.versioning.dvc_lock import Lock

#: Length that MLflow allows for a tag, in characters.
LONGEST_TAG = 5000
#: The stages of a child run; each is named ``<stage>@<method>`` in dvc.lock.
TOLD = ("subset", "train", "evaluate")


def tags_of(lock: Lock, parent: str, plan: MethodPlan, manifest: Manifest) -> dict[str, str]:
    """Return the tags of a method's run: names, and hashes of inputs and outputs."""
    name = plan.name
    hashes = {
        "scores": result("warm_up", plan.warm_up, "scores.parquet"),
        "subset": result("subset", name, "subset.parquet"),
        "model": result("train", name, "model"),
    }
    tags = {"mlflow.parentRunId": parent, "task": manifest.task, "method": name, "warm_up": plan.warm_up}
    tags |= {"seed": str(plan.seed), "data": manifest.content, **keep_of(plan)}
    return tags | {kind: lock.outs[str(path)] for kind, path in hashes.items()}


def shared(tags: dict[str, str], *names: str) -> dict[str, str]:
    """Return those of ``tags`` that are among ``names``."""
    return {name: tags[name] for name in names if name in tags}


def keep_of(plan: MethodPlan) -> dict[str, str]:
    """Return the planned fraction as the tag ``keep``; no tag if the method has none."""
    fractions = [member.arguments.get("fraction") for member in plan.members]
    planned = [fraction for fraction in fractions if isinstance(fraction, int | float)]
    if not planned and [member.method for member in plan.members] != ["full"]:
        return {}
    return {"keep": f"{math.prod(planned):g}"}


def params_of(plan: MethodPlan, training: TrainingPlan) -> dict[str, str]:
    """Return the settings of a method's run under dotted names, as MLflow's params."""
    members = {member.method: member.block() for member in plan.members}
    of_all = training.dumped()
    flat = {"method": "+".join(members), "warm_up": plan.warm_up, "epochs": str(plan.length), "seed": str(plan.seed)}
    return flat | keep_of(plan) | _flat(members) | _flat({key: of_all[key] for key in ("training", "model")})


def _flat(values: Mapping[str, object], before: str = "") -> dict[str, str]:
    """Return nested values under dotted names, leaving out None."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        elif value is not None:
            flat[f"{before}{name}"] = str(value)
    return flat


def events_of(history: list[EpochRecord]) -> dict[str, str]:
    """Return a tag that lists the method's events, if it has any."""
    lines = [f"epoch {e['place']:.3f}: {e['event']}" for record in history for e in record.events]
    return {"events": "\n".join(lines)[:LONGEST_TAG]} if lines else {}


def chance_of(above: float | None) -> dict[str, str]:
    """Return a tag if a model is not surely above chance.

    Args:
        above: how far the model is above chance, None if not known.
    """
    return {"winnow.at_chance": "true"} if at_chance(above) else {}


def course_of(history: list[EpochRecord]) -> list[Point]:
    """Return a method's own figures: name, value, and step in thousandths of an epoch."""
    records = [facts for record in history for facts in record.course]
    return [(k, v, round(1000 * facts["place"])) for facts in records for k, v in facts.items() if k != "place"]


def files_of(name: str, warm_up: str, root: Path = HERE) -> dict[str, list[Path]]:
    """Return the files to log to a method's run, by artifact folder."""
    files = {
        "cost": [cost_of("warm_up", warm_up), *(cost_of(stage, name) for stage in TOLD)],
        "tables": [result("subset", name, "subset.parquet"), result("train", name, "ledger.parquet")],
        "history": [result("train", name, "history.json"), result("evaluate", name, "metrics.json")],
    }
    return {folder: [root / path for path in paths] for folder, paths in files.items()}
