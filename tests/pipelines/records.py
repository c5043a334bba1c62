"""Records for tests: the least that is whole, with changes."""

from pydantic import TypeAdapter

from components.epoch_records import EpochRecord
from pipelines.config.plans import ComparisonPlan, MethodPlan, TaskPlan
from pipelines.config.schema.model import Model
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.report.rows import ComparisonRow

DIGITS = {"from": "scikit-learn", "name": "digits"}


def model_plan(**keys):
    """Return the model of these keys, as params.yaml has them."""
    return TypeAdapter(Model).validate_python(keys)


def task_plan(**changes):
    """Return the plan of a task of classes, ``changes`` in the place of its keys (``source`` by its keys in params.yaml)."""
    least = {"name": "toy", "seed": 0, "kind": "table", "source": DIGITS, "licence": "none", "citation": "none"}
    return TaskPlan.of(least | changes)


def comparison_plan(*methods, **changes):
    """Return the plan of a comparison of ``methods``, ``changes`` in the place of its keys."""
    energy = {"country": "DEU", "cpu_watts": 10.0, "memory_watts": 5.0, "gpu_watts": 0.0, "gpus": 0}
    return ComparisonPlan.of({"task": "own", "methods": list(methods), "agot_epsilon": 0.95, "energy": energy} | changes)


def method_plan(name, **changes):
    """Return the plan of a method that is called as its class, ``changes`` in the place of its keys."""
    least = {"name": name, "warm_up": "none", "members": [{"method": name, "arguments": {}}], "length": 10.0, "seed": 0}
    return MethodPlan.of(least | {"planned_cost": 10.0, "cost_known": True} | changes)


def manifest(**changes):
    """Return the manifest of two classes in a table of four columns, ``changes`` in the place of its keys."""
    least = {
        "kind": "table",
        "task": "toy",
        "source": DIGITS,
        "licence": "none",
        "citation": "none",
        "seed": 0,
        "target": "class",
        "metric": "accuracy",
        "higher": True,
        "counts": {"train": 8, "test": 4},
        "content": "abc",
        "files": {},
        "schema": {},
        "classes": ["cat", "dog"],
        "outputs": 2,
        "label_scale": None,
        "label_noise": None,
        "shape": [4],
    }
    return Manifest.of(least | changes)


def cost_record(**changes):
    """Return the cost record of a training of ten examples that took two CPU seconds, ``changes`` in the place of its keys."""
    lap = {"times": 1, "examples": 10, "wall_seconds": 2.0, "cpu_seconds": 2.0}
    energy = {
        "label": "estimated",
        "labels": {"cpu": "estimated", "gpu": "estimated", "memory": "estimated"},
        "reason": "no counters",
        "kwh": 0.003,
        "kwh_by_part": {"cpu": 0.002, "gpu": 0.0, "memory": 0.001},
        "co2e_kg": 0.001,
        "method": "CodeCarbon",
        "intensity_kg_per_kwh": 0.4,
        "country": "DEU",
        "cpu_watts_last": 10.0,
        "cpu_design_watts": None,
        "memory_watts": 5.0,
        "load": 1.0,
        "cpu_model": "a processor",
        "gpu_model": None,
    }
    least = {
        "laps": {"train": lap, "forward": lap | {"cpu_seconds": 0.5}, "backward": lap},
        "counts": {"examples": 10, "drawn": 10, "looked": 0, "kept": 0, "trained": 10, "steps": 5},
        "ends": [],
        "start_up_seconds": 1.0,
        "energy": energy,
        "machine": None,
        "ranks": 1,
    }
    return CostRecord.of(least | changes)


def comparison_row(method="full", score=0.9, metric="accuracy", **changes):
    """Return the row of a method, ``changes`` in the place of its columns; whatever is no other column is a metric."""
    least = {"method": method, metric: score, "examples_trained": 10, "examples_looked": 0}
    return ComparisonRow.of(least | {"time_measured": 1.0, "time_counted": 1.0} | changes, metric)


def epoch_record(epoch=0, **changes):
    """Return the record of an epoch in which ten examples were trained on, ``changes`` in the place of its keys."""
    least = {"drawn": 10, "looked": 0, "kept": 0, "trained": 10, "steps": 5, "loss": 0.5, "accuracy": 0.8, "learning_rate": 0.1}
    return EpochRecord(**{"epoch": epoch, **least, "course": [], "events": []} | changes)
