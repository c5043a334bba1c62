"""Agents, devices and queue times of a method's stages in MLflow."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from pipelines.config.plans import MethodPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import HERE, cost_of, plan_of, read_json, write_json
from pipelines.core.records import Record
from pipelines.costs.records import CostRecord
from pipelines.tracking.client import Tracker, points, with_tracker
from pipelines.tracking.run_facts import TOLD

#: Written by the flow that submits the stages: each stage's result by name. It is no result and is never versioned.
SENT = artifacts.SCRATCH / "sent.json"


class AgentResult(Record):
    """Result of work that an agent ran.

    Attributes:
        agent: its name.
        queued_seconds: from submission to start.
        failed: reasons of the parts that failed, by name.
    """

    agent: str | None
    queued_seconds: float
    failed: dict[str, str] = Field(default_factory=dict)


def write_agent_results(sent: dict[str, AgentResult], root: Path = HERE) -> None:
    """Write the agents' results by stage."""
    write_json(root / SENT, {stage: ended.dumped() for stage, ended in sent.items()})


def _read_agent_results(root: Path) -> dict[str, AgentResult]:
    return {stage: AgentResult.of(ended) for stage, ended in read_json(root / SENT).items()}


def log_agents(tracker: Tracker, runs: dict[str, str]) -> None:
    """Log the agents, devices and queue times of the methods' stages, each once.

    A stage whose outputs were restored from a cache has none.

    Args:
        tracker: where to log.
        runs: MLflow run ids by method.
    """
    root = tracker.root
    if not (root / SENT).exists():
        return
    sent = _read_agent_results(root)
    for method, run_id in runs.items():
        known = tracker.client.get_run(run_id).data.tags
        warm_up = MethodPlan.read(root / plan_of("methods", method)).warm_up
        names = {"warm_up": warm_up, **dict.fromkeys(TOLD, method)}
        new = {k: n for k, n in names.items() if f"{k}@{n}" in sent and f"agent.{k}" not in known}
        tags = {tag: value for k, n in new.items() for tag, value in _tags(k, n, sent[f"{k}@{n}"], root).items()}
        waits = [(f"queued_seconds_{k}", sent[f"{k}@{n}"].queued_seconds, 0) for k, n in new.items()]
        if new:
            tracker.log(run_id, points(waits, root / SENT), {}, tags)


def _tags(kind: str, name: str, ended: AgentResult, root: Path) -> dict[str, str]:
    machine = CostRecord.of_stage(kind, name, root).machine if (root / cost_of(kind, name)).exists() else None
    device = {f"device.{kind}": machine.device} if machine else {}
    return {f"agent.{kind}": ended.agent or "unknown", **device}


def links(comparison: str, root: Path = HERE) -> dict[str, str]:
    """Return the web addresses of a comparison's runs by name; none without an MLflow server."""
    return with_tracker(lambda tracker: _links(tracker, comparison), root=root) or {}


def _links(tracker: Tracker, comparison: str) -> dict[str, str]:
    address = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    if not address.startswith(("http://", "https://")):
        return {}
    page = f"{address}/#/experiments/{tracker.experiment}/runs"
    children = tracker.runs("mlflow.parentRunId", comparison)
    named = {run.data.tags["method"]: run.info.run_id for run in children if "method" in run.data.tags}
    return {"comparison": f"{page}/{comparison}", **{name: f"{page}/{run_id}" for name, run_id in named.items()}}
