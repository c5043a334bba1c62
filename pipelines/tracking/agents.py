"""Agents, devices and waits of a method's stages in MLflow."""

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

#: What the flow that sent the stages writes, never among results: by stage, how it was ended.
SENT = artifacts.SCRATCH / "sent.json"


class AgentResult(Record):
    """How an agent ended what it was sent: its name, the wait before it began, and why parts ``failed``, by name."""

    agent: str | None
    queued_seconds: float
    failed: dict[str, str] = Field(default_factory=dict)


def write_agent_results(sent: dict[str, AgentResult], root: Path = HERE) -> None:
    """Write into ``root`` how the stages that were ``sent`` have ended."""
    write_json(root / SENT, {stage: ended.dumped() for stage, ended in sent.items()})


def _read_agent_results(root: Path) -> dict[str, AgentResult]:
    return {stage: AgentResult.of(ended) for stage, ended in read_json(root / SENT).items()}


def log_agents(tracker: Tracker, runs: dict[str, str]) -> None:
    """Log, once, who ran the stages of the methods whose MLflow runs are ``runs``; of what was restored nothing is known."""
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
    """Return the pages of the comparison's run and of its methods' runs, by name; none where MLflow is not on the web."""
    return with_tracker(lambda tracker: _links(tracker, comparison), root=root) or {}


def _links(tracker: Tracker, comparison: str) -> dict[str, str]:
    address = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    if not address.startswith(("http://", "https://")):
        return {}
    page = f"{address}/#/experiments/{tracker.experiment}/runs"
    children = tracker.runs("mlflow.parentRunId", comparison)
    named = {run.data.tags["method"]: run.info.run_id for run in children if "method" in run.data.tags}
    return {"comparison": f"{page}/{comparison}", **{name: f"{page}/{run_id}" for name, run_id in named.items()}}
