"""Trained models of a comparison, logged to MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipelines.config.schema.model import Model
from pipelines.core.artifacts import HERE, TOKENIZER, result
from pipelines.data.manifest import Manifest
from pipelines.tracking.client import Tracker
from pipelines.tracking.flavors import EXPORTED, save

if TYPE_CHECKING:
    import mlflow
    from mlflow.entities import LoggedModel
    from torch import nn
    from torch.export import ExportedProgram


@contextmanager
def models_of(plan: Model, manifest: Manifest, root: Path = HERE) -> Iterator[Models]:
    """Yield the logger of a comparison's trained models, all built from ``plan``."""
    with TemporaryDirectory(prefix="winnow-") as folder:
        yield Models(Path(folder) / "model", plan, manifest, root)


@dataclass
class Models:
    """Logs models that differ only in their weights.

    Signature, input example, requirements and the exported graph of a module, which is the slowest part, are made for the
    first model and reused.

    Attributes:
        folder: where a model is written before it is logged; created by the first.
        root: the folder of the comparison.
    """

    folder: Path
    plan: Model
    manifest: Manifest
    root: Path = HERE

    def log(self, tracker: Tracker, run_id: str, name: str, params: dict[str, str], tags: dict[str, str]) -> str:
        """Log the model of the method ``name`` to its run, and return its id."""
        from mlflow.entities import LoggedModelOutput

        from pipelines.training import models

        folder, tokenizer = self.root / result("train", name, "model"), self.root / TOKENIZER
        with models.whole(folder, self.plan, self.manifest, tokenizer) as trained:
            self._fill(trained)
        logged = tracker.client.create_logged_model(tracker.experiment, "model", run_id, tags, params)
        tracker.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        self._sign(logged, run_id)
        tracker.client.log_model_artifacts(logged.model_id, str(self.folder))
        tracker.client.finalize_logged_model(logged.model_id, "READY")
        return str(logged.model_id)

    def _fill(self, trained: Path) -> None:
        """Write the model in ``trained`` to the folder."""
        if not self.folder.exists():
            save(trained, self.folder, self.plan, self.manifest, self.root)
        elif (self.folder / EXPORTED).exists():
            self._export(trained)
        else:
            for path in trained.glob("*.safetensors"):
                # Of a flavour of MLflow's own in the folder PARTS, of a pyfunc among its artifacts.
                shutil.copyfile(path, next(self.folder.rglob(path.name)))

    def _export(self, trained: Path) -> None:
        """Replace the weights of the exported graph by those in ``trained``."""
        import torch

        from pipelines.training import models

        model, program = self._module
        models.load_weights(model, trained)
        weights = model.state_dict()
        with torch.no_grad():
            for key, value in program.state_dict.items():
                value.copy_(weights[key])
        torch.export.save(program, self.folder / EXPORTED)

    @cached_property
    def _module(self) -> tuple[nn.Module, ExportedProgram]:
        """The planned module, and the graph exported from the first model."""
        import torch

        from pipelines.training import models

        plain = models.without_adapters(self.plan)
        return models.build(plain, self.manifest), torch.export.load(self.folder / EXPORTED)

    def _sign(self, logged: LoggedModel, run_id: str) -> None:
        """Write the ids of model and run into the folder's MLmodel file."""
        description = self._description
        description.model_id = description.model_uuid = logged.model_id
        description.artifact_path, description.run_id = logged.artifact_location, run_id
        description.utc_time_created = str(datetime.now(UTC).replace(tzinfo=None))
        description.save(self.folder / "MLmodel")

    @cached_property
    def _description(self) -> mlflow.models.Model:
        from mlflow import models

        return models.Model.load(str(self.folder))
