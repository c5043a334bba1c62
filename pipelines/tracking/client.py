"""Client of MLflow; where it is away, the next publish logs what is missing."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pipelines.core.artifacts import HERE, SCRATCH
from pipelines.core.environment import CLONE
from pipelines.core.errors import UserError, without_passwords
from pipelines.core.locks import in_turn
from pipelines.versioning.dvc_lock import Lock

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

    #: For modules that may not import mlflow.
    TrackedRun = Run

#: A metric's name, value and step.
Point = tuple[str, float, int]
T = TypeVar("T")
DEFAULT_URI = "sqlite:///mlflow.db"
#: What MLflow is told where the user has not said otherwise: to be silent, load no pickles, and leave a dead server in seconds.
SETTINGS = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
#: The most values that MLflow takes in one call, and the longest reason for a failure.
METRICS_A_CALL, PARAMS_A_CALL, REASON = 1000, 100, 500
#: Set while the tracker cannot be told.
AWAY = threading.Event()
#: The most metrics beside the most parameters and tags, a thousand in all.
METRICS_BESIDE = 800
#: Who publishes holds it: two comparisons that agents of one clone run may be the same, the second finds what the first told.
PUBLISHING = SCRATCH / "publish.lock"


@dataclass(frozen=True)
class Tracker:
    """Where the runs are.

    Attributes:
        client: MLflow's.
        experiment: the id of ours.
        caller: the run that this process was started under, by ``mlflow run``.
        lock: what DVC has recorded of the working copy that is told of.
        root: the folder of this working copy.
    """

    client: MlflowClient
    experiment: str
    caller: str | None
    lock: Lock
    root: Path = HERE

    def runs(self, tag: str, value: str) -> list[Run]:
        """Return the runs whose ``tag`` is ``value``."""
        found: list[Run] = []
        page = None
        while page is None or page.token:
            asked = f"tags.`{tag}` = '{value}'"
            page = self.client.search_runs([self.experiment], asked, page_token=page and page.token)
            found += page
        return found

    def create(self, name: str, tags: dict[str, str]) -> Run:
        """Return a new run; its tags are there from its first moment, so that no call makes it twice."""
        return self.client.create_run(self.experiment, run_name=name, tags=tags)

    def forget(self, run: Run) -> None:
        """Delete a run, and the model that it has logged."""
        for model in self.client.search_logged_models([self.experiment], f"source_run_id = '{run.info.run_id}'"):
            self.client.delete_logged_model(model.model_id)
        self.client.delete_run(run.info.run_id)

    def log(self, run_id: str, metrics: list[Metric], params: Mapping[str, object], tags: dict[str, str]) -> None:
        """Log values, in as few calls as MLflow allows, since each is several transactions; the tags are the last."""
        from mlflow.entities import Param, RunTag

        listed = [Param(name, str(value)) for name, value in params.items()]
        marks = [RunTag(name, str(value)) for name, value in tags.items()]
        for start in range(PARAMS_A_CALL, len(listed), PARAMS_A_CALL):
            self.client.log_batch(run_id, params=listed[start : start + PARAMS_A_CALL])
        for start in range(METRICS_BESIDE, len(metrics), METRICS_A_CALL):
            self.client.log_batch(run_id, metrics[start : start + METRICS_A_CALL])
        self.client.log_batch(run_id, metrics[:METRICS_BESIDE], listed[:PARAMS_A_CALL], marks)

    def finish(self, run: Run) -> None:
        """Mark a run as complete, whatever it was before."""
        run_id = run.info.run_id
        if "winnow.failed" in run.data.tags:
            self.client.delete_tag(run_id, "winnow.failed")
        if run.info.status != "FINISHED":
            self.client.set_terminated(run_id, "FINISHED")
            self.client.set_tag(run_id, "winnow.complete", "true")

    def point_caller(self, tag: str, run_id: str) -> None:
        """Let the run that this process was started under, if any, say which run has the results."""
        from mlflow.exceptions import MlflowException

        # It may live with another tracker.
        with suppress(MlflowException):
            if self.caller:
                self.client.set_tag(self.caller, tag, run_id)

    def failed(self, run: Run, reason: str) -> None:
        """Mark a run as failed."""
        self.client.set_tag(run.info.run_id, "winnow.failed", reason)
        self.client.set_terminated(run.info.run_id, "FAILED")


def warn(text: str) -> None:
    """Say to whoever started this process that the tracker could not be told."""
    sys.stderr.write(f"winnow tracking: {text}\n")


def with_tracker(work: Callable[[Tracker], T], report: Callable[[str], object] = warn, root: Path = HERE) -> T | None:
    """Return what ``work`` returns; where it cannot be done, ``report`` so, once, and return None: the road goes on without.

    The tracker that it is given is of the working copy ``root``.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with in_turn(Path(CLONE.value()) / PUBLISHING), _tracker(root) as tracker:
            done = work(tracker)
    except (UserError, MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        reason = without_passwords(" ".join(str(error).split()))[:REASON]
        if not AWAY.is_set():
            report(f"not told to MLflow, the next publish will do it: {reason}")
        AWAY.set()
        return None
    AWAY.clear()
    return done


@contextmanager
def _tracker(root: Path) -> Iterator[Tracker]:
    """Give the tracker that the environment names, and leave the environment as it was."""
    import mlflow

    asked, caller = os.environ.get("MLFLOW_TRACKING_URI"), os.environ.pop("MLFLOW_RUN_ID", None)
    uri = asked or DEFAULT_URI
    if uri.startswith("sqlite:///"):
        uri = f"sqlite:///{(root / uri.removeprefix('sqlite:///')).resolve()}"
    try:
        _knock(uri)
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
        yield Tracker(client, _experiment(client), caller, Lock(root), root)
    finally:
        for name, value in (("MLFLOW_TRACKING_URI", asked), ("MLFLOW_RUN_ID", caller)):
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _knock(uri: str) -> None:
    """Raise where a database server does not answer; MLflow itself would try for minutes.

    Raises:
        UserError: for what is no address.
    """
    try:
        address, _ = urlsplit(uri), urlsplit(uri).port
    except ValueError as error:
        raise UserError(f"MLFLOW_TRACKING_URI: {uri!r} is no address, http://127.0.0.1:5000 for example: {error}") from None
    if address.port and not address.scheme.startswith("http"):
        socket.create_connection((address.hostname, address.port), timeout=5).close()


def _experiment(client: MlflowClient) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "winnow"
    found = client.get_experiment_by_name(name)
    # The kind opens the experiment's page with its runs, in place of a page for language model applications.
    kind = {"mlflow.experimentKind": "custom_model_development"}
    if found and found.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {found.experiment_id}"
        raise UserError(f"the experiment {name!r} is deleted; '{restore}' brings it back, MLFLOW_EXPERIMENT_NAME names another")
    return str(found.experiment_id if found else client.create_experiment(name, tags=kind))


def points(values: Sequence[Point], path: Path, model: str | None = None) -> list[Metric]:
    """Return metrics dated by the file that they are from, so that the same point twice is one point.

    Args:
        values: name, value and step of each.
        path: the file.
        model: the id of the logged model that they are of, too.
    """
    from mlflow.entities import Metric

    moment = int(path.stat().st_mtime * 1000)
    return [Metric(name, float(value), moment, step, model_id=model) for name, value, step in values]
