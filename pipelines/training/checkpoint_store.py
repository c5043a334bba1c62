"""Store of shared checkpoints: a folder of several machines, or any fsspec address."""

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

#: How long a training waits for a copy on its way there, for one to go on from, and for either where there was trouble.
PUT_SECONDS, GET_SECONDS, AGAIN_SECONDS = 10.0, 600.0, 1.0


def check(address: str) -> None:
    """Check that agents in other folders can mean the same by ``address``; whether it answers shows later.

    Raises:
        UserError: where they cannot, or where a package is missing.
    """
    if not (address.startswith(("/", "~")) or "://" in address):
        raise UserError(f"{CHECKPOINTS.name}: must be a whole path or an address like s3://bucket/folder, got {address!r}")
    try:
        _location(address)
    except (ImportError, ValueError) as error:
        raise UserError(f"{CHECKPOINTS.name}: {without_passwords(address)}: {error}") from None


def _location(address: str) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs

    found: tuple[AbstractFileSystem, str] = url_to_fs(address)
    return found


class Shared:
    """The copy of one file, where the environment names a place for it; without one, nothing is done.

    No trouble with the place stops a training: it costs one line.
    """

    def __init__(self, path: Path) -> None:
        """Let it be the copy of ``path``."""
        self._path, self._address = path, CHECKPOINTS.value()
        self._thread = threading.Thread()
        self._warned = False

    def put(self) -> None:
        """Copy the file there, whole or not at all; where the last copy is still on its way, leave this one to the next."""
        self._try(self._put, PUT_SECONDS)

    @contextmanager
    def fetched(self) -> Iterator[Path | None]:
        """Give what lies there, unchecked, in a file of this machine which is gone afterwards, unless it was moved."""
        part = self._path.with_name(f".{self._path.name}.shared")
        try:
            if self._try(self._exists, PUT_SECONDS):
                part.parent.mkdir(parents=True, exist_ok=True)
                self._try(lambda: self._get(part), GET_SECONDS)
            yield part if part.exists() else None
        finally:
            part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove what lies there."""
        if self._thread.is_alive():
            self._thread.join(PUT_SECONDS)
        self._try(self._remove, PUT_SECONDS)

    def warn(self, reason: object) -> None:
        """Say once what is wrong."""
        if not self._warned:
            said = without_passwords(" ".join(f"{self._address}: {reason}".split()))
            log_line(f"winnow: {CHECKPOINTS.name}: {said}; training goes on without")
        self._warned = True

    def _try(self, work: Callable[[], object], seconds: float) -> object:
        """Return what ``work`` returns; None where it fails, lasts longer, or another one is under way."""
        if not self._address or self._thread.is_alive():
            return None
        found: list[object] = []

        def run() -> None:
            try:
                found.append(work())
            except Exception as error:  # every kind of storage has its own
                self.warn(f"{type(error).__name__}: {error}")

        # A daemon: what hangs must not keep the process from ending.
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
