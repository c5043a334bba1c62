"""Requests and open files arrive as they were sent."""

import os
import socket

import pytest

from pipelines.processes import fork_protocol


def test_a_request_arrives_as_it_was_sent():
    request = fork_protocol.Request("m", ["é", ""], "/tmp", {"LONG": "x" * 200_000})
    here, there = socket.socketpair()
    with here, there:
        if not os.fork():
            fork_protocol.send(here, request)
            os._exit(0)
        received, files = fork_protocol.receive(there)
        os.wait()
    assert received == request
    assert len(files) == 3
    for file in files:
        os.close(file)


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\0\0\0\5{}"])
def test_a_request_that_is_cut_off_is_none(content):
    here, there = socket.socketpair()
    with there:
        with here:
            here.sendall(content)
        with pytest.raises(EOFError):
            fork_protocol.receive(there)
