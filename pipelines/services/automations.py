"""Prefect automations that end comparisons and studies whose agent is lost."""

from __future__ import annotations

from pydantic import JsonValue

NAME = "winnow: lost comparisons"
#: Flows that no other run watches; a stage is watched by its comparison.
FLOWS = ["winnow", "winnow-study"]
#: Longer than a run waits for an unreachable server (pipelines/agents/prefect_client.py), which gets no heartbeats meanwhile.
SILENCE_SECONDS = 900.0
#: Event of Prefect's own heartbeat of a run, and its period, which must be 30 or more.
BEAT, BEAT_SECONDS = "prefect.flow-run.heartbeat", 30
ENDS = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")]


def lost_comparisons(silence: float = SILENCE_SECONDS) -> dict[str, JsonValue]:
    """Return the automation that ends a run after ``silence`` seconds without a heartbeat."""
    trigger: dict[str, JsonValue] = {
        "type": "event",
        "posture": "Proactive",
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "match_related": {"prefect.resource.role": "flow", "prefect.resource.name": [*FLOWS]},
        "for_each": ["prefect.resource.id"],
        "after": [BEAT],
        "expect": [BEAT, *ENDS],
        "threshold": 1,
        "within": silence,
    }
    message = f"no heartbeat from its agent for {silence:.0f} s; run it again to continue from the finished stages"
    action: dict[str, JsonValue] = {"type": "change-flow-run-state", "state": "CRASHED", "name": "Lost", "message": message}
    return {"name": NAME, "description": "Made by winnow's make up.", "trigger": trigger, "actions": [action]}
