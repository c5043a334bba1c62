"""A proxy that is away keeps nobody from the servers of this machine."""

import os
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest
import requests

from pipelines.core.no_proxy import LOOPBACK, bypass_proxy
from pipelines.flows.prefect_server import free_port


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def address():
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("spelling", ["http_proxy", "HTTP_PROXY"])
def test_clients_ask_servers_of_this_machine_past_the_proxy(address, spelling, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(spelling, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    bypass_proxy()
    assert httpx.get(address).status_code == 204
    assert requests.get(address, timeout=5).status_code == 204
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 204


@pytest.mark.parametrize(
    ("lower", "upper", "both"),
    [
        ("", "", ",".join(LOOPBACK)),
        ("", "a.example, localhost", "a.example,localhost,127.0.0.1,::1"),
        ("b.example", "a.example", "b.example,a.example,127.0.0.1,localhost,::1"),
    ],
)
def test_what_was_said_before_is_kept_in_both_spellings(lower, upper, both, monkeypatch):
    monkeypatch.setenv("no_proxy", lower)
    monkeypatch.setenv("NO_PROXY", upper)
    bypass_proxy()
    bypass_proxy()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == both


def test_where_no_proxy_is_for_anybody_nothing_is_added(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("NO_PROXY", raising=False)
    bypass_proxy()
    assert "NO_PROXY" not in os.environ
