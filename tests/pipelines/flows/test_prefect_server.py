"""A Prefect server that does not answer is told in a line."""

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from pipelines.core.errors import StageFailedError, UserError
from pipelines.flows import prefect_server as servers
from pipelines.flows.prefect_server import free_port, server


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


def test_one_that_does_not_start_is_an_error_that_names_its_log(monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(servers, "APPLICATION", ("-c", "import sys; sys.exit('no such table')"))
    with pytest.raises(StageFailedError, match=r"its log is in \.winnow/prefect-server\.log"), server():
        pytest.fail("entered")
    assert (tmp_path / ".winnow/prefect-server.log").read_text() == "no such table\n"
    assert capfd.readouterr().err == ""
