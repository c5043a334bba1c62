"""Store of shared checkpoints: a folder shared by several machines, or any fsspec URL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pipelines.core.environment import CHECKPOINTS
from pipelines.core.errors import UserError, without_passwords
from pipelines.core.progress import log_line

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

#: Seconds that a training waits for an upload, for a download, and for either after a failure.
PUT_SECONDS, GET_SECONDS, AGAIN_SECONDS = 10.0, 600.0, 1.0


def check(address: str) -> None:
    """Check that ``address`` is valid for agents in other folders, without connecting to it.

    Raises:
        UserError: for a relative path or an unknown scheme, or if a package is missing.
    """
    if not (address.startswith(("/", "~")) or "://" in address):
        raise UserError(f"{CHECKPOINTS.name}: must be an absolute path or a URL like s3://bucket/folder, got {address!r}")
    try:
        _location(address)
    except (ImportError, ValueError) as error:
        raise UserError(f"{CHECKPOINTS.name}: {without_passwords(address)}: {error}") from None


def _location(address: str) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs

    found: tuple[AbstractFileSystem, str] = url_to_fs(address)
    return found


class Shared:
    """Shared copy of one file in the store of ``WINNOW_CHECKPOINTS``; does nothing if that is not set.

    A failing store never stops a training; it is logged once.
    """

    def __init__(self, path: Path) -> None:
        """Use the copy of ``path``."""
        self._path, self._address = path, CHECKPOINTS.value()
        self._thread = threading.Thread()
        self._warned = False

    def put(self) -> None:
        """Upload the file atomically; skipped while the last upload is still running."""
        self._try(self._put, PUT_SECONDS)

    @contextmanager
    def fetched(self) -> Iterator[Path | None]:
        """Yield the path of a downloaded, unchecked copy, or None.

        It is deleted afterwards unless it was moved.
        """
        part = self._path.with_name(f".{self._path.name}.shared")
        try:
            if self._try(self._exists, PUT_SECONDS):
                part.parent.mkdir(parents=True, exist_ok=True)
                self._try(lambda: self._get(part), GET_SECONDS)
            yield part if part.exists() else None
        finally:
            part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the shared copy."""
        if self._thread.is_alive():
            self._thread.join(PUT_SECONDS)
        self._try(self._remove, PUT_SECONDS)

    def warn(self, reason: object) -> None:
        """Log the first failure of the store."""
        if not self._warned:
            message = without_passwords(" ".join(f"{self._address}: {reason}".split()))
            log_line(f"winnow: {CHECKPOINTS.name}: {message}; training continues without it")
        self._warned = True

    def _try(self, work: Callable[[], object], seconds: float) -> object:
        """Return the result of ``work``.

        None if it fails, times out, or an earlier call is still running.
        """
        if not self._address or self._thread.is_alive():
            return None
        found: list[object] = []

        def run() -> None:
            try:
                found.append(work())
            except Exception as error:  # each storage raises its own
                self.warn(f"{type(error).__name__}: {error}")

        # A daemon thread, so that a hanging store does not keep the process alive.
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        self._thread.join(min(seconds, AGAIN_SECONDS) if self._warned else seconds)
        if self._thread.is_alive():
            self.warn(f"did not answer in {seconds:.0f} s")
        return found[0] if found else None

    def _there(self) -> tuple[AbstractFileSystem, str]:
        files, folder = _location(self._address)
        return files, f"{folder.rstrip('/')}/{self._path.name}"

    def _put(self) -> None:
        files, path = self._there()
        part = f"{path}.{uuid4().hex}.part"
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.put_file(str(self._path), part)
        files.mv(part, path)

    def _exists(self) -> bool:
        files, path = self._there()
        files.invalidate_cache()
        return bool(files.exists(path))

    def _get(self, part: Path) -> None:
        files, path = self._there()
        files.get_file(path, str(part))

    def _remove(self) -> None:
        files, path = self._there()
        files.invalidate_cache()
        for found in (path, *files.glob(f"{path}.*.part")):
            if files.exists(found):
                files.rm_file(found)
