"""Why a hub does not answer is told in a line."""

import subprocess
import sys

import pytest

from pipelines.flows.prefect_server import free_port
from pipelines.sources import hub_status


@pytest.mark.slow
def test_a_hub_that_does_not_answer_is_named_in_a_line():
    port = free_port()
    program = f"""
import os
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:{port}"
from pipelines.core.errors import UserError
from pipelines.config.schema.source import FromHub
from pipelines.sources.hub_datasets import from_hub
from tests.pipelines.records import task_plan
source = {{"from": "hub", "id": "nobody/nothing", "revision": "main", "test_split": None}}
try:
    from_hub(FromHub(**source), task_plan(source=source, kind="text"))
except UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    reason = f"the hub cannot be asked: it does not answer at http://127.0.0.1:{port}: [Errno 111] Connection refused"
    client = "Couldn't reach 'nobody/nothing' on the Hub (OfflineModeIsEnabled)"
    said = f"hub data set nobody/nothing at main: cannot be loaded: {client}; {reason}"
    assert (done.stdout.strip(), done.stderr) == (said, "")


def test_what_a_hub_that_answers_says_is_passed_on(monkeypatch, answering):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", answering)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub_status.away.cache_clear()
    assert hub_status.error_text(OSError("no such revision")) == "no such revision"
    hub_status.away.cache_clear()
