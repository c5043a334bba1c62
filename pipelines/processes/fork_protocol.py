"""Messages of a fork server and its clients."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import asdict, dataclass

#: Length of a request in bytes, as it is sent first.
LENGTH = struct.Struct("!I")
#: Sent by the client when it is ready to pass signals on.
GO = b"."
#: The client's stdin, stdout and stderr.
FILES = (0, 1, 2)


@dataclass(frozen=True)
class Request:
    """A Python module to run as a program, with arguments, working directory and environment."""

    module: str
    arguments: list[str]
    folder: str
    environment: dict[str, str]


def send(connection: socket.socket, request: Request) -> None:
    """Send a request and this process's ``FILES``."""
    content = json.dumps(asdict(request)).encode()
    socket.send_fds(connection, [LENGTH.pack(len(content))], FILES)
    connection.sendall(content)


def receive(connection: socket.socket) -> tuple[Request, list[int]]:
    """Return a request and the descriptors of its client's files.

    Raises:
        EOFError: if the client has gone.
    """
    head, files, _, _ = socket.recv_fds(connection, LENGTH.size, len(FILES))
    if len(head) < LENGTH.size:
        raise EOFError
    content, (left,) = bytearray(), LENGTH.unpack(head)
    while left > len(content):
        if not (part := connection.recv(left - len(content))):
            raise EOFError
        content += part
    return Request(**json.loads(content)), files


def answer(connection: socket.socket, **content: int) -> None:
    """Send a line: the ``pid`` of the process that runs the request, 0 for none, or its exit ``status``."""
    connection.sendall(json.dumps(content).encode() + b"\n")
