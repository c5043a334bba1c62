"""Fork server of stages: has imported their libraries, and runs each in a copy.

``python -m pipelines.processes.fork_server SOCKET MODULE...`` imports the modules and serves until it is killed. A copy has
its client's working directory, environment, stdin, stdout and stderr, and its own process group; it is killed when its client
or the server dies. Nothing may have run that starts threads of libraries or initialises a GPU: neither survives a fork.
"""

from __future__ import annotations

import gc
import importlib
import os
import runpy
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from pipelines.core.command import wait_asleep
from pipelines.core.environment import FORK_SERVER
from pipelines.core.signals import die_with_parent
from pipelines.processes.fork_protocol import FILES, GO, Request, answer, receive

#: Seconds for a client to send its request.
REQUEST_SECONDS = 10.0
#: Times and sizes of files by path.
Versions = dict[str, tuple[int, int]]


def preload(modules: list[str]) -> None:
    """Import ``modules``; one that cannot be imported is left to the process that needs it."""
    for name in modules:
        with suppress(Exception):
            importlib.import_module(name)
    gc.freeze()


def imported_from(folder: str) -> list[str]:
    """Return the files in ``folder`` that modules were imported from, installed packages left out."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return [file for file in files if file and file.startswith(folder + os.sep) and "site-packages" not in file]


def versions_of(files: Iterable[str]) -> Versions:
    """Return the files' modification times in nanoseconds and sizes in bytes; those that are gone are left out."""
    found = {}
    for file in files:
        with suppress(OSError):
            stat = os.stat(file)
            found[file] = (stat.st_mtime_ns, stat.st_size)
    return found


@dataclass(frozen=True)
class _Client:
    """A client's connection, and the pipe by which its process learns that it may begin."""

    connection: socket.socket
    begin: int

    def close(self) -> None:
        """Close both."""
        self.connection.close()
        os.close(self.begin)


class _Server:
    """Clients that wait for their process to end, by its pid."""

    def __init__(self, listener: socket.socket, versions: Versions) -> None:
        self._listener, self._versions = listener, versions
        self._clients: dict[int, _Client] = {}
        self._select = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)
        self._select.register(listener, selectors.EVENT_READ)
        self._select.register(self._woken, selectors.EVENT_READ)

    def next_process(self) -> Request:
        """Serve; return only in a copy of this process, with what it is to run."""
        signal.set_wakeup_fd(self._wake.fileno())
        signal.signal(signal.SIGCHLD, _wake_up)
        while True:
            for key, _ in self._select.select():
                if key.fileobj is self._listener:
                    if request := self._accept():
                        return request
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                    self._reap()
                else:
                    self._hear(int(key.data))

    def _accept(self) -> Request | None:
        """Start a process for a new client; return its request in that process, None in this one."""
        client, _ = self._listener.accept()
        client.settimeout(REQUEST_SECONDS)
        files: list[int] = []
        try:
            request, files = receive(client)
            if self._serves(request):
                return self._fork(client, request, files)
            answer(client, pid=0)
            client.close()
        except (OSError, EOFError, ValueError, TypeError):
            client.close()
        finally:
            for file in files:
                os.close(file)
        return None

    def _fork(self, client: socket.socket, request: Request, files: list[int]) -> Request | None:
        """Return ``request`` in a new process, once the client is ready; return None in this one."""
        server = os.getpid()
        wait, begin = os.pipe()
        if not (pid := os.fork()):
            try:
                os.close(begin)
                self._leave(client)
                _become(request, files, server)
                os.read(wait, 1)
                os.close(wait)
            except BaseException:
                os._exit(1)
            return request
        os.close(wait)
        _group(pid)
        self._clients[pid] = _Client(client, begin)
        self._select.register(client, selectors.EVENT_READ, pid)
        with suppress(OSError):
            answer(client, pid=pid)
        return None

    def _serves(self, request: Request) -> bool:
        """Return whether the code that was imported is the code that the request would run."""
        return request.folder == os.getcwd() and versions_of(self._versions) == self._versions

    def _leave(self, client: socket.socket) -> None:
        """Close in a new process what belongs to the server."""
        signal.set_wakeup_fd(-1)
        self._select.close()
        for end in (client, self._listener, self._woken, self._wake):
            end.close()
        for other in self._clients.values():
            other.close()

    def _reap(self) -> None:
        """Tell the clients of processes that have ended their exit status, negative for a signal."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                client = self._clients.pop(ended[0])
                with suppress(KeyError):
                    self._select.unregister(client.connection)
                with suppress(OSError):
                    answer(client.connection, status=os.waitstatus_to_exitcode(ended[1]))
                client.close()

    def _hear(self, pid: int) -> None:
        """Let a process begin when its client is ready; kill it, and its group, when its client has gone."""
        if not (client := self._clients.get(pid)):
            return
        with suppress(OSError):
            if client.connection.recv(1):
                os.write(client.begin, GO)
                return
        self._select.unregister(client.connection)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _group(pid: int) -> None:
    """Give a process a group of its own; the server and the process do so, since either may be first."""
    with suppress(OSError):
        os.setpgid(pid, 0)


def _wake_up(number: int, frame: FrameType | None) -> None:
    """Let a signal interrupt the wait."""


def _become(request: Request, files: list[int], server: int) -> None:
    """Give this new process the client's group, files, directory and environment."""
    _group(0)
    die_with_parent()
    if os.getppid() != server:
        os._exit(1)
    for file, number in zip(files, FILES, strict=True):
        os.dup2(file, number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request.environment)
    if request.module.startswith("pipelines."):
        # Processes that a stage starts are its own. DVC's, which is no stage, starts stages.
        os.environ.pop(FORK_SERVER.name, None)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)


def _run(request: Request) -> NoReturn:
    """Run the module as ``python -m`` does, and exit."""
    sys.argv = [request.module, *request.arguments]
    # Run afresh, as the program, even if another module has imported it; of a package, its __main__ is the program.
    if not hasattr(sys.modules.get(request.module), "__path__"):
        sys.modules.pop(request.module, None)
    try:
        runpy.run_module(request.module, run_name="__main__", alter_sys=True)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    sys.exit(0)


def main() -> None:
    """Listen on the socket that the command line names, import the modules that it names, and serve."""
    address, *modules = sys.argv[1:]
    wait_asleep()
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    preload(modules)
    _run(_Server(listener, versions_of(imported_from(os.getcwd()))).next_process())


if __name__ == "__main__":
    main()
