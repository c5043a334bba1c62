"""An agent knows its pool and clone, and says what its environment lacks."""

from pathlib import Path

import pytest

from pipelines.core.errors import UserError
from pipelines.services import worker


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_an_agent_says_what_its_environment_lacks():
    given = {"PREFECT_API_URL": "http://127.0.0.1:4200/api", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}
    for name in given:
        with pytest.raises(UserError, match=f"^{name}: is not set"):
            worker.check({k: v for k, v in given.items() if k != name})
    worker.check(given | {"WINNOW_DVC_REMOTE": "/remote"})


def test_an_agent_of_a_device_runs_one_stage_at_a_time_and_one_of_comparisons_many():
    assert worker.command("gpu-pool")[-2:] == ["--limit", "1"]
    assert worker.command(worker.MAIN_POOL)[-2:] == ["--limit", "8"]
    for wrong in ("", "-x", "a b", "../x"):
        with pytest.raises(UserError, match="POOL: must be the name of a work pool"):
            worker.command(wrong)
    assert worker.settings(Path("/clone"))["WINNOW_CLONE"] == "/clone"
