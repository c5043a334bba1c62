"""MLflow runs of a comparison's methods, each created once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.config.plans import MethodPlan, TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import plan_of, result
from pipelines.costs.history import history_of
from pipelines.data.manifest import Manifest
from pipelines.tracking.client import Tracker
from pipelines.tracking.metrics import CostMetrics, final_metrics, metrics_of
from pipelines.tracking.models import Models
from pipelines.tracking.run_facts import TOLD, chance_of, events_of, files_of, params_of, shared, tags_of
from pipelines.versioning.dvc_lock import md5_of
from pipelines.versioning.provenance import versions

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run

#: MLflow's name for the use of each split.
CONTEXTS = {"train": "training", "test": "testing"}
#: Tags that a logged model takes from its run.
OF_MODEL = ("task", "seed", "method", "comparison", "data", "mlflow.source.git.commit")


@dataclass
class Methods:
    """Logs methods to MLflow; what they have in common is read once.

    Attributes:
        parent: the run of the comparison.
        children: its existing child runs.
    """

    tracker: Tracker
    parent: Run
    children: list[Run]
    models: Models

    def log_method(self, name: str) -> str | None:
        """Return the id of a method's run, created if missing; None if results are missing."""
        lock, stages = self.tracker.lock, [f"{stage}@{name}" for stage in TOLD]
        if not all(lock.holds(stage) for stage in stages):
            return None
        key, mine = str(lock.key(*stages)), [run for run in self.children if run.data.tags.get("method") == name]
        done = [r for r in mine if r.data.tags.get("winnow.complete") and r.data.tags.get("winnow.key") == key]
        if not done and not all(lock.holds(stage, bytes_too=True) for stage in stages):
            return None
        run_id = self._log_costs(name, done[0]) if done else self._make(name, key)
        for run in mine:
            if "winnow.failed" in run.data.tags:
                self.tracker.forget(run)
        return run_id

    def _log_costs(self, name: str, run: Run) -> str:
        """Log a method's costs to its ``run``, if they are new; return its id."""
        metrics, tags = self._costs.of(name)
        if not tags.items() <= run.data.tags.items():
            self.tracker.log(run.info.run_id, metrics, {}, tags)
        return str(run.info.run_id)

    def _make(self, name: str, key: str) -> str:
        """Create a method's run and return its id; the tag ``winnow.complete`` is set last."""
        root, client = self.tracker.root, self.tracker.client
        plan = MethodPlan.read(root / plan_of("methods", name))
        tags = tags_of(self.tracker.lock, self.parent.info.run_id, plan, self._manifest) | self._versions
        tags |= events_of(history_of(root / result("train", name, "history.json")))
        tags |= shared(self.parent.data.tags, "comparison") | chance_of(final_metrics(name, root).get("above_chance"))
        params = params_of(plan, self._training)
        run_id = str(self.tracker.create(name, {**tags, "winnow.key": key}).info.run_id)
        client.log_inputs(run_id, self._datasets)
        for folder, paths in files_of(name, plan.warm_up, root).items():
            for path in paths:
                client.log_artifact(run_id, str(path), folder)
        model = self.models.log(self.tracker, run_id, name, params, shared(tags, *OF_MODEL))
        metrics, marks = self._costs.of(name)
        client.set_terminated(run_id, "FINISHED")
        self.tracker.log(run_id, [*metrics_of(name, model, root), *metrics], params, {**marks, "winnow.complete": "true"})
        return run_id

    @cached_property
    def _costs(self) -> CostMetrics:
        return CostMetrics(self.tracker)

    @cached_property
    def _versions(self) -> dict[str, str]:
        return versions(self.tracker.root)

    @cached_property
    def _manifest(self) -> Manifest:
        return Manifest.prepared(self.tracker.root)

    @cached_property
    def _training(self) -> TrainingPlan:
        return TrainingPlan.read(self.tracker.root / plan_of("training"))

    @cached_property
    def _datasets(self) -> list[DatasetInput]:
        """The prepared splits as inputs of a run."""
        return [_dataset(self.tracker, self._manifest, split) for split in CONTEXTS]


def _dataset(tracker: Tracker, manifest: Manifest, split: str) -> DatasetInput:
    """Return one prepared split as a run's input, with the hash of its file.

    The tag "data" of the run has the hash of both splits.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    path = tracker.root / artifacts.PREPARED / f"{split}.arrow"
    source = json.dumps({"uri": str(path.resolve())})
    known = ("counts", "target", "classes", "licence", "label_noise", "long_tail", "duplicates")
    # With the keys in the order of the file.
    facts = json.loads(json.dumps(manifest.dumped(), sort_keys=True))
    profile = json.dumps({key: facts[key] for key in known if key in facts})
    data = Dataset(f"{manifest.task} {split}", md5_of(path) or "", "local", source, profile=profile)
    tags = {"mlflow.data.context": CONTEXTS[split], "dvc.md5": tracker.lock.outs[str(artifacts.PREPARED)]}
    return DatasetInput(data, [InputTag(k, v) for k, v in tags.items()])
