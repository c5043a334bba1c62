"""Prefect automations that end comparisons and studies whose agent is lost."""

from __future__ import annotations

from pydantic import JsonValue

NAME = "winnow: lost comparisons"
#: The flows that nobody watches; a stage is watched by its comparison.
FLOWS = ["winnow", "winnow-study"]
#: Longer than a run waits for a server that is away (pipelines/agents/prefect_client.py), which hears no beats meanwhile.
SILENCE_SECONDS = 900.0
#: Prefect's own heartbeat of a run, the event, and how often there is one; no less than 30 can be asked for.
BEAT, BEAT_SECONDS = "prefect.flow-run.heartbeat", 30
ENDS = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")]


def lost_comparisons(silence: float = SILENCE_SECONDS) -> dict[str, JsonValue]:
    """Return the automation, in the words of Prefect's API, that ends a run after ``silence`` seconds without a beat."""
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
    message = f"its agent was not heard of for {silence:.0f} s; run it again, and it goes on from what is done"
    action: dict[str, JsonValue] = {"type": "change-flow-run-state", "state": "CRASHED", "name": "Lost", "message": message}
    return {"name": NAME, "description": "Made by winnow's make up.", "trigger": trigger, "actions": [action]}
