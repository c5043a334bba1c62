"""Decoding of pictures on all cores, straight into the prepared file."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue

from components.arrays import Array
from pipelines.core.errors import UserError
from pipelines.processes.machine import cores
from pipelines.sources.picture_decoding import Call, Item, PixelFormat, decoded, write
from pipelines.sources.pixel_writer import PIXELS, blocks

ROOT = Path(__file__).parents[2]
#: Most pictures of one call, and the number of pictures below which no process is started.
MOST, FEW = 256, 512
#: ``picture_decoding.write``, in this or another process.
Write = Callable[[Sequence[Item], PixelFormat, str, int], Counter[str]]


class Pictures:
    """N encoded pictures by id, decoded only when written."""

    form = PIXELS

    def __init__(self, count: int, item: Callable[[int], Item], size: int | None) -> None:
        """Decode ``item(id)`` for ``count`` ids, resized to ``size`` unless it is None."""
        self._count, self._item, self._size = count, item, size

    def __len__(self) -> int:
        return self._count

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """``(channels, height, width)`` of the first picture, which all must have."""
        return decoded(self._item(0), PixelFormat(self._size), Counter()).shape

    def write(self, ids: Array, path: Path, offset: int) -> Counter[str]:
        """Write the pixels of ``ids``.

        Raises:
            UserError: naming the first that cannot be used.
        """
        wanted, changes = PixelFormat(self._size, self.shape), Counter[str]()
        each = self.shape[0] * self.shape[1] * self.shape[2]
        calls = [slice(s, min(s + MOST, b.stop)) for b in blocks(len(ids), self.shape) for s in range(b.start, b.stop, MOST)]

        def run(part: slice, writes: Write) -> Counter[str]:
            return writes([self._item(int(i)) for i in ids[part]], wanted, str(path), offset + part.start * each)

        if len(ids) < FEW or cores() == 1:
            return sum((run(part, write) for part in calls), changes)
        with _processes() as writes, ThreadPoolExecutor(cores()) as threads:
            return sum(threads.map(lambda part: run(part, writes), calls), changes)


def _start() -> subprocess.Popen[bytes]:
    """Start a decoding process; it ends with this one, but not by Ctrl-C."""
    command = [sys.executable, "-m", "pipelines.sources.picture_decoding"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True)


@contextmanager
def _processes() -> Iterator[Write]:
    """Yield a ``write`` for threads that runs in a pool of processes, one per core."""
    started: list[subprocess.Popen[bytes]] = []
    idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()

    def writes(items: Sequence[Item], wanted: PixelFormat, path: str, offset: int) -> Counter[str]:
        process = idle.get()
        try:
            return _call(process, (items, wanted, path, offset))
        finally:
            idle.put(process)

    try:
        for _ in range(cores()):
            started.append(_start())
            idle.put(started[-1])
        yield writes
    finally:
        for process in started:
            process.kill()
            process.communicate()


def _call(process: subprocess.Popen[bytes], call: Call) -> Counter[str]:
    assert process.stdin is not None
    assert process.stdout is not None
    pickle.dump(call, process.stdin)
    process.stdin.flush()
    try:
        answer = pickle.load(process.stdout)
    except EOFError:
        raise RuntimeError(f"a process that decodes images ended with {process.wait()}") from None
    if isinstance(answer, str):
        raise UserError(answer)
    return Counter(answer)
