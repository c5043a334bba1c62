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

#: Characters of a tag that MLflow takes.
LONGEST_TAG = 5000
#: The stages that a child run tells of; each is named ``<stage>@<method>`` in dvc.lock.
TOLD = ("subset", "train", "evaluate")


def tags_of(lock: Lock, parent: str, plan: MethodPlan, manifest: Manifest) -> dict[str, str]:
    """Return the tags of a method's run: what it is found by, and the hashes of what it was made of."""
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
    """Return those of ``tags`` that a parent run hands on, where it has them."""
    return {name: tags[name] for name in names if name in tags}


def keep_of(plan: MethodPlan) -> dict[str, str]:
    """Return the fraction that a method was planned to keep: 1 for full, none where it finds out by itself."""
    fractions = [member.arguments.get("fraction") for member in plan.members]
    planned = [fraction for fraction in fractions if isinstance(fraction, int | float)]
    if not planned and [member.method for member in plan.members] != ["full"]:
        return {}
    return {"keep": f"{math.prod(planned):g}"}


def params_of(plan: MethodPlan, training: TrainingPlan) -> dict[str, str]:
    """Return the settings of a method's run, flat, as MLflow keeps them."""
    members = {member.method: member.arguments for member in plan.members}
    of_all = training.dumped()
    flat = {"method": "+".join(members), "warm_up": plan.warm_up, "epochs": str(plan.length), "seed": str(plan.seed)}
    return flat | keep_of(plan) | _flat(members) | _flat({key: of_all[key] for key in ("training", "model")})


def _flat(values: Mapping[str, object], before: str = "") -> dict[str, str]:
    """Return nested values under dotted names, without those that are not set."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        elif value is not None:
            flat[f"{before}{name}"] = str(value)
    return flat


def events_of(history: list[EpochRecord]) -> dict[str, str]:
    """Return a tag that tells what happened to the method, if anything did."""
    told = [f"epoch {e['place']:.3f}: {e['event']}" for record in history for e in record.events]
    return {"events": "\n".join(told)[:LONGEST_TAG]} if told else {}


def chance_of(above: float | None) -> dict[str, str]:
    """Return a tag that says so if a model is not surely above chance; ``above`` is how far it is, None where not known."""
    return {"winnow.at_chance": "true"} if at_chance(above) else {}


def course_of(history: list[EpochRecord]) -> list[Point]:
    """Return what a method said of itself while it trained: name, value, and the place in thousandths of an epoch."""
    told = [facts for record in history for facts in record.course]
    return [(k, v, round(1000 * facts["place"])) for facts in told for k, v in facts.items() if k != "place"]


def files_of(name: str, warm_up: str, root: Path = HERE) -> dict[str, list[Path]]:
    """Return the files in ``root`` that go with a method's run, by the folder they are kept in there."""
    files = {
        "cost": [cost_of("warm_up", warm_up), *(cost_of(stage, name) for stage in TOLD)],
        "tables": [result("subset", name, "subset.parquet"), result("train", name, "ledger.parquet")],
        "history": [result("train", name, "history.json"), result("evaluate", name, "metrics.json")],
    }
    return {folder: [root / path for path in paths] for folder, paths in files.items()}
