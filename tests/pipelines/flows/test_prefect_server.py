"""A Prefect server or a hub that does not answer is told in a line, before the library that wants it gives up on it."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from pipelines.core.errors import UserError
from pipelines.flows import prefect_server as servers
from pipelines.flows.prefect_server import free_port, server
from pipelines.sources import hub_status


@pytest.fixture
def answering():
    """A server of HTTP that asks everybody who they are."""

    class Who(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Who) as listening:
        threading.Thread(target=listening.serve_forever).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/api"
        listening.shutdown()


@pytest.mark.parametrize("address", ["http://user:secret@127.0.0.1:{port}/api", "http://127.0.0.1:{port}x/api"])
def test_a_server_that_does_not_answer_is_named_without_its_password(monkeypatch, address):
    monkeypatch.setattr(servers, "ANSWER_SECONDS", 0.6)
    address = address.format(port=free_port())
    with temporary_settings({PREFECT_API_URL: address}), pytest.raises(UserError) as refused, server():
        pytest.fail("entered")
    assert "secret" not in str(refused.value)
    assert "PREFECT_API_URL: no Prefect server answers at http://" in str(refused.value)


def test_one_that_wants_to_know_who_asks_is_there(answering):
    with temporary_settings({PREFECT_API_URL: answering}), server():
        assert PREFECT_API_URL.value() == answering


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
    assert hub_status.told(OSError("no such revision")) == "no such revision"
    hub_status.away.cache_clear()
