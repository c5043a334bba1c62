"""Reads what MLflow holds, for tests."""

from pathlib import Path

import mlflow

#: The methods of the finished comparison.
METHODS = ["full", "swiftlearn"]


class Seen:
    """What MLflow holds of the project in the current folder."""

    def __init__(self, database="mlflow.db"):
        self.client = mlflow.MlflowClient(f"sqlite:///{Path(database).resolve()}")
        self.experiment = self.client.get_experiment_by_name("winnow").experiment_id
        self.runs = self.client.search_runs([self.experiment])

    @property
    def parents(self):
        return [r for r in self.runs if "mlflow.parentRunId" not in r.data.tags]

    @property
    def children(self):
        return sorted((r for r in self.runs if "mlflow.parentRunId" in r.data.tags), key=lambda r: r.info.run_name)

    def child(self, name):
        (run,) = [r for r in self.children if r.info.run_name == name]
        return run

    def history(self, run, metric):
        return [(p.step, p.value) for p in self.client.get_metric_history(run.info.run_id, metric)]

    def files(self, run, folder=None):
        return {f.path for f in self.client.list_artifacts(run.info.run_id, folder)}

    def models(self):
        return self.client.search_logged_models([self.experiment])

    def whole(self):
        """Return everything that a second publish must not change."""
        points = {
            (r.info.run_id, m): self.history(r, m) for r in self.runs for m in r.data.metrics
        }  # fmt: skip
        return points, {r.info.run_id: (r.info.status, r.data.params, r.data.tags) for r in self.runs}, len(self.models())


def is_complete(seen, parent_id):
    """Return whether the comparison and its methods are told, each once, finished, and with a model."""
    return (
        [r.info.run_id for r in seen.parents] == [parent_id]
        and [r.info.run_name for r in seen.children] == METHODS
        and {r.info.status for r in seen.runs} == {"FINISHED"}
        and not any("winnow.failed" in r.data.tags for r in seen.runs)
        and len(seen.models()) == len(METHODS)
    )
