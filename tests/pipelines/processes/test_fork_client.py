"""Stages alone are handed over."""

import os

from pipelines.processes import fork_client


def test_only_stages_are_handed_over_and_one_that_is_refused_starts_its_own_processes_by_itself(monkeypatch):
    asked = []
    monkeypatch.setattr(fork_client, "hand_over", lambda module, arguments: asked.append((module, arguments)))
    monkeypatch.setenv("WINNOW_FORK_SERVER", "somewhere")
    for line in ([], ["pipelines.flow"], ["pytest", "pipelines.train"]):
        fork_client.hand_over_stage(line)
    assert not asked
    assert "WINNOW_FORK_SERVER" in os.environ
    fork_client.hand_over_stage(["pipelines.train", "full"])
    assert asked == [("pipelines.train", ["full"])]
    assert "WINNOW_FORK_SERVER" not in os.environ
