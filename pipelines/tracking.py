"""tracking: what the stages' files say, told to MLflow once: a parent run a comparison, a child run a method.

Everything is read from files, so that a stage that DVC restored, or that ran while the tracker was down, is told of too.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines import artifacts
from pipelines.artifacts import MANIFEST, plan_of, read_json, result
from pipelines.errors import UserError
from pipelines.facts import TOLD, Lock, files_of, params_of, tags_of, versions
from pipelines.stage import alone, main

DEFAULT_URI = "sqlite:///mlflow.db"
#: What MLflow is told where the user has not said otherwise: to be silent, and to give up on a dead server in seconds.
SETTINGS = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
#: The key of a comparison that failed before its data were prepared.
UNPREPARED = "unprepared"
#: What of the manifest a user of a logged model needs: how its input is made, and what its output means.
TO_READ_BY = ("target", "classes", "mean", "deviation", "features", "label_scale")
EACH_EPOCH = ("loss", "accuracy", "drawn", "looked", "trained", "learning_rate")
IN_ACCOUNT = ("time_counted", "time_measured", "measured_over_counted", "alpha_b", "alpha_fb")
#: The most values that MLflow takes in one call, and the longest reason for a failure.
METRICS_A_CALL, PARAMS_A_CALL, REASON = 1000, 100, 500


def publish() -> str | None:
    """Tell MLflow of everything that is finished and not yet told, and return the id of the comparison's run.

    Returns:
        None where there is nothing to tell yet, or no tracker to tell it to: then the next call tells it.
    """
    return _told(_publish)


def fail(stage: str, message: str) -> None:
    """Mark the comparison as failed, and the method too where ``stage`` (``train@full``, say) belongs to one."""
    _told(lambda tracker: _fail(tracker, stage, message))


@dataclass(frozen=True)
class Tracker:
    """Where the runs are.

    Attributes:
        client: MLflow's.
        experiment: the id of ours.
        caller: the run that this process was started under, by ``mlflow run``.
    """

    client: Any
    experiment: str
    caller: str | None
    lock: Lock = field(default_factory=Lock)

    def runs(self, tag: str, value: str) -> list[Any]:
        """Return the runs whose ``tag`` is ``value``."""
        return list(self.client.search_runs([self.experiment], f"tags.`{tag}` = '{value}'"))

    def create(self, name: str, tags: dict[str, str]) -> Any:  # noqa: ANN401 - mlflow's Run
        """Return a new run; its tags are there from its first moment, so that no call makes it twice."""
        return self.client.create_run(self.experiment, run_name=name, tags=tags)

    def forget(self, run: Any) -> None:  # noqa: ANN401 - mlflow's Run
        """Delete a run, and the model that it has logged."""
        for model in self.client.search_logged_models([self.experiment], f"source_run_id = '{run.info.run_id}'"):
            self.client.delete_logged_model(model.model_id)
        self.client.delete_run(run.info.run_id)

    def log(self, run_id: str, metrics: list[Any], params: dict[str, Any], tags: dict[str, str]) -> None:
        """Log values, in as many calls as MLflow needs."""
        listed = _entities("Param", params)
        self.client.log_batch(run_id, tags=_entities("RunTag", tags))
        for start in range(0, len(listed), PARAMS_A_CALL):
            self.client.log_batch(run_id, params=listed[start : start + PARAMS_A_CALL])
        for start in range(0, len(metrics), METRICS_A_CALL):
            self.client.log_batch(run_id, metrics[start : start + METRICS_A_CALL])

    def failed(self, run: Any, reason: str) -> None:  # noqa: ANN401 - mlflow's Run
        """Mark a run as failed."""
        self.client.set_tag(run.info.run_id, "winnow.failed", reason)
        self.client.set_terminated(run.info.run_id, "FAILED")


def _told(work: Callable[[Tracker], str | None]) -> str | None:
    """Return what ``work`` returns; where it cannot be done, say so and return None: the road goes on without a tracker."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with alone("publish"), _tracker() as tracker:
            return work(tracker)
    except (UserError, MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        # An address may hold a password.
        reason = re.sub(r"//[^@/\s]*@", "//", " ".join(str(error).split()))[:REASON]
        sys.stderr.write(f"winnow tracking: not told to MLflow, the next publish will do it: {reason}\n")
        return None


@contextmanager
def _tracker() -> Iterator[Tracker]:
    """Give the tracker that the environment names, and leave the environment as it was."""
    import mlflow

    asked, caller = os.environ.get("MLFLOW_TRACKING_URI"), os.environ.pop("MLFLOW_RUN_ID", None)
    uri = asked or DEFAULT_URI
    if uri.startswith("sqlite:///"):
        uri = f"sqlite:///{Path(uri.removeprefix('sqlite:///')).resolve()}"
    try:
        _knock(uri)
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
        yield Tracker(client, _experiment(client), caller)
    finally:
        for name, value in (("MLFLOW_TRACKING_URI", asked), ("MLFLOW_RUN_ID", caller)):
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _knock(uri: str) -> None:
    """Raise where a database server does not answer; MLflow itself would try for minutes."""
    address = urlsplit(uri)
    if address.port and not address.scheme.startswith("http"):
        socket.create_connection((address.hostname, address.port), timeout=5).close()


def _experiment(client: Any) -> str:  # noqa: ANN401 - an MlflowClient
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "winnow"
    found = client.get_experiment_by_name(name)
    # The kind opens the experiment's page with its runs, in place of a page for language model applications.
    kind = {"mlflow.experimentKind": "custom_model_development"}
    return str(found.experiment_id if found else client.create_experiment(name, tags=kind))


def _publish(tracker: Tracker) -> str | None:
    lock = tracker.lock
    if not (lock.holds("plan") and lock.holds("prepare")):
        return None
    parent = _parent(tracker, prepared=True)
    parent_id = str(parent.info.run_id)
    children = tracker.runs("mlflow.parentRunId", parent_id)
    for run in children:
        if not {"winnow.complete", "winnow.failed"} & run.data.tags.keys():
            tracker.forget(run)
    methods = read_json(plan_of("comparison"))["methods"]
    runs = {m: _child(tracker, parent_id, m, children) for m in methods}
    _tell_costs(tracker, {m: run for m, run in runs.items() if run})
    if _tell_comparison(tracker, parent) and all(runs.values()):
        _finish(tracker, parent)
    if tracker.caller:
        _tag_caller(tracker, parent_id)
    return parent_id


def _tag_caller(tracker: Tracker, parent: str) -> None:
    from mlflow.exceptions import MlflowException

    # It may live with another tracker.
    with suppress(MlflowException):
        tracker.client.set_tag(tracker.caller, "winnow.comparison", parent)


def _parent(tracker: Tracker, *, prepared: bool) -> Any:  # noqa: ANN401 - mlflow's Run
    """Return the run of the comparison; one that failed before its data were prepared becomes it."""
    made_of = [tracker.lock.outs.get(str(path)) for path in (artifacts.PLAN, artifacts.PREPARED)]
    key = artifacts.digest(made_of) if prepared else UNPREPARED
    task = read_json(plan_of("task")) if plan_of("task").exists() else {"name": "winnow", "seed": ""}
    name = f"{task['name']} comparison"
    if runs := tracker.runs("winnow.key", key):
        return runs[0]
    tags = {"winnow.key": key, "task": task["name"], "seed": str(task["seed"]), **versions()}
    if prepared:
        tags["data"] = read_json(MANIFEST)["content"]
    early = tracker.runs("winnow.key", UNPREPARED)
    if not early:
        return tracker.create(name, tags)
    run_id = early[0].info.run_id
    tracker.log(run_id, [], {}, {**tags, "mlflow.runName": name})
    return tracker.client.get_run(run_id)


def _entities(kind: str, values: dict[str, Any]) -> list[Any]:
    from mlflow import entities

    return [getattr(entities, kind)(name, str(value)) for name, value in values.items()]


def _tell_comparison(tracker: Tracker, parent: Any) -> bool:  # noqa: ANN401 - mlflow's Run
    """Log the table and the figure where they are new; return whether there are any."""
    md5 = tracker.lock.outs.get(str(artifacts.COMPARISON))
    if not (md5 and tracker.lock.holds("account") and tracker.lock.holds("compare")):
        return False
    if parent.data.tags.get("winnow.compare") != md5:
        run_id = parent.info.run_id
        plan = read_json(plan_of("comparison"))
        params = {"task": plan["task"], "methods": ", ".join(plan["methods"])}
        tracker.log(run_id, [], params, versions())
        tracker.client.log_artifacts(run_id, str(artifacts.COMPARISON), "compare")
        tracker.client.log_artifact(run_id, str(artifacts.ACCOUNT))
        tracker.client.set_tag(run_id, "winnow.compare", md5)
    return True


def _finish(tracker: Tracker, parent: Any) -> None:  # noqa: ANN401 - mlflow's Run
    run_id = parent.info.run_id
    if "winnow.failed" in parent.data.tags:
        tracker.client.delete_tag(run_id, "winnow.failed")
    if parent.info.status != "FINISHED":
        tracker.client.set_terminated(run_id, "FINISHED")
        tracker.client.set_tag(run_id, "winnow.complete", "true")


def _child(tracker: Tracker, parent: str, name: str, children: list[Any]) -> str | None:
    """Return the run of the method ``name``, made where there is none; None where its results are not all there."""
    lock, stages = tracker.lock, [f"{stage}@{name}" for stage in TOLD]
    if not all(lock.holds(stage) for stage in stages):
        return None
    mine = [run for run in children if run.data.tags.get("method") == name]
    done = [r for r in mine if r.data.tags.get("winnow.complete") and r.data.tags.get("winnow.key") == lock.key(*stages)]
    if not done and not all(lock.holds(stage, bytes_too=True) for stage in stages):
        return None
    run_id = done[0].info.run_id if done else _tell_method(tracker, parent, name, str(lock.key(*stages)))
    for run in mine:
        if "winnow.failed" in run.data.tags:
            tracker.forget(run)
    return str(run_id)


def _tell_method(tracker: Tracker, parent: str, name: str, key: str) -> str:
    """Make the run of one method; the mark that it is complete comes last."""
    plan, training = read_json(plan_of("methods", name)), read_json(plan_of("training"))
    manifest = read_json(MANIFEST)
    tags = tags_of(tracker.lock, parent, plan, manifest)
    run_id = str(tracker.create(name, {**tags, "winnow.key": key}).info.run_id)
    tracker.log(run_id, _metrics(name), params_of(plan, training), {})
    tracker.client.log_inputs(run_id, [_dataset(tracker.lock, manifest)])
    for folder, paths in files_of(name, plan["warm_up"]).items():
        for path in paths:
            tracker.client.log_artifact(run_id, str(path), folder)
    _log_model(run_id, name, training["model"], manifest)
    tracker.client.set_terminated(run_id, "FINISHED")
    tracker.client.set_tag(run_id, "winnow.complete", "true")
    return run_id


def _metrics(name: str) -> list[Any]:
    """Return the metrics of every epoch, and those of the test split."""
    path = result("train", name, "history.json")
    points = [(k, r[k], r["epoch"]) for r in read_json(path) for k in EACH_EPOCH if r[k] is not None]
    tested = result("evaluate", name, "metrics.json")
    final = [(k if k.startswith("base_") else f"test_{k}", v, 0) for k, v in read_json(tested).items()]
    return [*_points(points, path), *_points(final, tested)]


def _points(points: list[tuple[str, float, int]], path: Path) -> list[Any]:
    """Return metrics dated by the file that they are from, so that the same point twice is one point."""
    from mlflow.entities import Metric

    moment = int(path.stat().st_mtime * 1000)
    return [Metric(name, float(value), moment, step) for name, value, step in points]


def _dataset(lock: Lock, manifest: dict[str, Any]) -> Any:  # noqa: ANN401 - a DatasetInput
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"uri": str(artifacts.PREPARED.resolve())})
    profile = json.dumps({k: manifest[k] for k in ("counts", "target", "classes", "licence", "label_noise")})
    # MLflow takes 36 characters of a digest; the tag "data" has them all.
    data = Dataset(manifest["task"], manifest["content"][:36], "local", source, profile=profile)
    tags = {"mlflow.data.context": "training", "dvc.md5": lock.outs[str(artifacts.PREPARED)]}
    return DatasetInput(data, [InputTag(k, v) for k, v in tags.items()])


def _tell_costs(tracker: Tracker, runs: dict[str, str]) -> None:
    """Log what each method cost, where the account of it is new."""
    if not (artifacts.ACCOUNT.exists() and tracker.lock.holds("account")):
        return
    accounts = read_json(artifacts.ACCOUNT)["methods"]
    for name, run_id in runs.items():
        account, md5 = accounts[name], artifacts.digest(accounts[name])
        if tracker.client.get_run(run_id).data.tags.get("winnow.account") == md5:
            continue
        costs = {k: account[k] for k in IN_ACCOUNT} | {"cpu_seconds": account["measured_cpu_seconds"]}
        for energy in (account["energy"], account["energy_modelled"]):
            costs |= {f"{unit}_{energy['label']}": energy[unit] for unit in ("kwh", "co2e_kg")}
        points = [(f"energy_{k}" if k.startswith("kwh") else k, v, 0) for k, v in costs.items()]
        tracker.log(run_id, _points(points, artifacts.ACCOUNT), {}, {})
        tracker.client.set_tag(run_id, "winnow.account", md5)


def _log_model(run_id: str, name: str, plan: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Log the model in its native flavour: nothing of it is pickled, and nothing about it is fetched or guessed."""
    import mlflow

    folder = result("train", name, "model")
    log = _log_transformer if plan["family"] == "transformers" else _log_module
    if manifest["kind"] == "language":
        log = _log_language_model
    with mlflow.start_run(run_id, nested=True, log_system_metrics=False):
        log(folder, plan, manifest)


def _log_transformer(folder: Path, plan: dict[str, Any], manifest: dict[str, Any]) -> None:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from pipelines.splits import read_split

    parts = _parts("AutoModelForSequenceClassification", folder)
    model = parts["model"]
    names = manifest["classes"] or [read_json(plan_of("task"))["columns"]["label"]]
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: i for i, name in enumerate(names)}
    table = read_split("test", manifest).table
    columns = [c for c in ("text", "text_pair") if c in table.column_names]
    texts = {c: table[c][0].as_py() for c in columns}
    mlflow.transformers.log_model(
        parts,
        name="model",
        task="text-classification",
        signature=ModelSignature(
            Schema([ColSpec("string", c if len(columns) > 1 else None) for c in columns]),
            Schema([ColSpec("string", "label"), ColSpec("double", "score")]),
        ),
        input_example=texts if len(columns) > 1 else list(texts.values()),
        pip_requirements=_requirements("mlflow", "torch", "transformers"),
        metadata={k: manifest[k] for k in TO_READ_BY if k in manifest},
        model_config={"truncation": True, "max_length": read_json(plan_of("task"))["max_length"]},
    )


def _log_language_model(folder: Path, plan: dict[str, Any], manifest: dict[str, Any]) -> None:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from pipelines.splits import read_split

    parts, block = _parts("AutoModelForCausalLM", folder), manifest["block"]
    first = read_split("test", manifest).table["tokens"][0].as_py()
    mlflow.transformers.log_model(
        parts,
        name="model",
        task="text-generation",
        signature=ModelSignature(Schema([ColSpec("string")]), Schema([ColSpec("string")])),
        input_example=[parts["tokenizer"].decode(first[: block // 4])],
        pip_requirements=_requirements("mlflow", "torch", "transformers"),
        metadata={k: manifest[k] for k in ("target", "block", "vocabulary")},
        # A prompt and what is written after it fit into what the model can read.
        model_config={"max_new_tokens": max(1, block // 2), "do_sample": False},
    )


def _parts(kind: str, folder: Path) -> dict[str, Any]:
    """Return model and tokenizer out of ``folder``, which holds all of both: their source may be far away."""
    import transformers

    from pipelines import pretrained

    pretrained.quiet()
    pretrained.silence()
    model = getattr(transformers, kind).from_pretrained(folder, trust_remote_code=False, use_safetensors=True)
    return {"model": model, "tokenizer": pretrained.tokenizer_in(folder)}


def _log_module(folder: Path, plan: dict[str, Any], manifest: dict[str, Any]) -> None:
    import mlflow
    import torch
    from mlflow.models import infer_signature

    from components.batch import Rows
    from pipelines import models
    from pipelines.splits import read_split

    model = models.build(plan, manifest)
    models.load_weights(model, folder)
    model.eval()
    examples = read_split("test", manifest).examples
    # From a batch of one, the exported graph would take no other size.
    index = torch.arange(min(4, len(examples)))
    given = examples.fetch(Rows(index, torch.ones(len(index))), torch.device("cpu")).inputs["input"]
    with torch.inference_mode():
        output = model(given)
    mlflow.pytorch.log_model(
        model,
        name="model",
        serialization_format="pt2",
        signature=infer_signature(given.numpy(), output.numpy()),
        input_example=given.numpy(),
        pip_requirements=_requirements("mlflow", "numpy", "torch"),
        metadata={k: manifest[k] for k in TO_READ_BY if k in manifest},
        validate_serving_input=False,
    )


def _requirements(*packages: str) -> list[str]:
    return [f"{package}=={version(package).split('+')[0]}" for package in packages]


def _fail(tracker: Tracker, stage: str, message: str) -> None:
    lock, reason = tracker.lock, f"{stage}: {message.removeprefix(f'{stage}: ')}"[:REASON]
    prepared = stage != "plan" and lock.holds("plan") and lock.holds("prepare")
    parent = _parent(tracker, prepared=prepared)
    tracker.failed(parent, reason)
    kind, _, name = stage.partition("@")
    if kind not in TOLD or not name:
        return
    for run in tracker.runs("mlflow.parentRunId", parent.info.run_id):
        if run.data.tags.get("method") == name and "winnow.complete" not in run.data.tags:
            tracker.forget(run)
    tags = {"mlflow.parentRunId": parent.info.run_id, "method": name, **versions()}
    tracker.failed(tracker.create(name, tags), reason)


def command() -> None:
    """Publish, as a command."""
    publish()


if __name__ == "__main__":
    main("tracking", command)
