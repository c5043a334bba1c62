"""Client of MLflow; if it is unreachable, the next publish logs what is missing."""

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
#: Defaults of MLflow's environment variables: no output, no pickles, and a dead server is given up within seconds.
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
#: The most metrics and params that MLflow accepts in one call, and the longest failure reason, in characters.
METRICS_A_CALL, PARAMS_A_CALL, REASON = 1000, 100, 500
#: Set while MLflow is unreachable, so that this is reported once.
AWAY = threading.Event()
#: The most metrics in a call that also has params and tags; MLflow accepts a thousand values in all.
METRICS_BESIDE = 800
#: Lock of a publish: two agents of one clone may publish the same comparison, and the second must find the runs of the first.
PUBLISHING = SCRATCH / "publish.lock"


@dataclass(frozen=True)
class Tracker:
    """MLflow's client, and the experiment that the runs belong to.

    Attributes:
        client: MLflow's client.
        experiment: the experiment's id.
        caller: id of the ``mlflow run`` that started this process, if any.
        lock: dvc.lock of the working copy.
        root: the folder of the working copy.
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
            query = f"tags.`{tag}` = '{value}'"
            page = self.client.search_runs([self.experiment], query, page_token=page and page.token)
            found += page
        return found

    def create(self, name: str, tags: dict[str, str]) -> Run:
        """Create a run with its tags, so that a later call finds it by them."""
        return self.client.create_run(self.experiment, run_name=name, tags=tags)

    def forget(self, run: Run) -> None:
        """Delete a run and its logged models."""
        for model in self.client.search_logged_models([self.experiment], f"source_run_id = '{run.info.run_id}'"):
            self.client.delete_logged_model(model.model_id)
        self.client.delete_run(run.info.run_id)

    def log(self, run_id: str, metrics: list[Metric], params: Mapping[str, object], tags: dict[str, str]) -> None:
        """Log metrics, params and tags, the tags last.

        It makes as few calls as MLflow allows, since each is several transactions.
        """
        from mlflow.entities import Param, RunTag

        listed = [Param(name, str(value)) for name, value in params.items()]
        marks = [RunTag(name, str(value)) for name, value in tags.items()]
        for start in range(PARAMS_A_CALL, len(listed), PARAMS_A_CALL):
            self.client.log_batch(run_id, params=listed[start : start + PARAMS_A_CALL])
        for start in range(METRICS_BESIDE, len(metrics), METRICS_A_CALL):
            self.client.log_batch(run_id, metrics[start : start + METRICS_A_CALL])
        self.client.log_batch(run_id, metrics[:METRICS_BESIDE], listed[:PARAMS_A_CALL], marks)

    def finish(self, run: Run) -> None:
        """Mark a run as complete, also one that had failed before."""
        run_id = run.info.run_id
        if "winnow.failed" in run.data.tags:
            self.client.delete_tag(run_id, "winnow.failed")
        if run.info.status != "FINISHED":
            self.client.set_terminated(run_id, "FINISHED")
            self.client.set_tag(run_id, "winnow.complete", "true")

    def point_caller(self, tag: str, run_id: str) -> None:
        """Tag the ``mlflow run`` that started this process, if any, with ``run_id``."""
        from mlflow.exceptions import MlflowException

        # The caller may be in another MLflow store.
        with suppress(MlflowException):
            if self.caller:
                self.client.set_tag(self.caller, tag, run_id)

    def failed(self, run: Run, reason: str) -> None:
        """Mark a run as failed."""
        self.client.set_tag(run.info.run_id, "winnow.failed", reason)
        self.client.set_terminated(run.info.run_id, "FAILED")


def warn(text: str) -> None:
    """Write to stderr that MLflow could not be reached."""
    sys.stderr.write(f"winnow tracking: {text}\n")


def with_tracker(work: Callable[[Tracker], T], report: Callable[[str], object] = warn, root: Path = HERE) -> T | None:
    """Call ``work`` with the tracker of the working copy ``root``; return its result, or None if MLflow is unreachable.

    That is passed to ``report`` once, until a call succeeds again; the caller continues without MLflow.
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
            report(f"not logged to MLflow; the next publish will log it: {reason}")
        AWAY.set()
        return None
    AWAY.clear()
    return done


@contextmanager
def _tracker(root: Path) -> Iterator[Tracker]:
    """Yield the tracker that the environment names, and restore the environment afterwards."""
    import mlflow

    configured, caller = os.environ.get("MLFLOW_TRACKING_URI"), os.environ.pop("MLFLOW_RUN_ID", None)
    uri = configured or DEFAULT_URI
    if uri.startswith("sqlite:///"):
        uri = f"sqlite:///{(root / uri.removeprefix('sqlite:///')).resolve()}"
    try:
        _knock(uri)
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
        yield Tracker(client, _experiment(client), caller, Lock(root), root)
    finally:
        for name, value in (("MLFLOW_TRACKING_URI", configured), ("MLFLOW_RUN_ID", caller)):
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _knock(uri: str) -> None:
    """Raise if a database server does not answer; MLflow itself would retry for minutes.

    Raises:
        UserError: if ``uri`` is not an address.
        OSError: if the server does not answer.
    """
    try:
        address, _ = urlsplit(uri), urlsplit(uri).port
    except ValueError as error:
        raise UserError(f"MLFLOW_TRACKING_URI: {uri!r} is not an address such as http://127.0.0.1:5000: {error}") from None
    if address.port and not address.scheme.startswith("http"):
        socket.create_connection((address.hostname, address.port), timeout=5).close()


def _experiment(client: MlflowClient) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "winnow"
    found = client.get_experiment_by_name(name)
    # With this tag MLflow opens the experiment at its runs, instead of a page for language model applications.
    kind = {"mlflow.experimentKind": "custom_model_development"}
    if found and found.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {found.experiment_id}"
        raise UserError(f"the experiment {name!r} is deleted; run '{restore}', or set MLFLOW_EXPERIMENT_NAME to another")
    return str(found.experiment_id if found else client.create_experiment(name, tags=kind))


def points(values: Sequence[Point], path: Path, model: str | None = None) -> list[Metric]:
    """Return metrics dated by their file, so that logging a point twice gives one point.

    Args:
        values: name, value and step of each metric.
        path: the file that they were read from.
        model: id of the logged model that they belong to as well.
    """
    from mlflow.entities import Metric

    moment = int(path.stat().st_mtime * 1000)
    return [Metric(name, float(value), moment, step, model_id=model) for name, value, step in values]
