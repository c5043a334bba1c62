"""What a person sees of a stage that trains: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from components.position import EpochRecord, Step

_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Let stages inside the block write no lines: whoever runs many of them tells of each as a whole."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def is_quiet() -> bool:
    """Return whether stages are to write no lines."""
    return _QUIET.get()


def say(line: str) -> None:
    """Write a line of a stage's own."""
    if not _QUIET.get():
        sys.stderr.write(line + "\n")


class Watch:
    """Shows the moments of a run on standard error; of several ranks, one does."""

    def __init__(self, title: str, epochs: float, *, shown: bool = True) -> None:
        console = Console(stderr=True)
        self._title, self._shown = title, shown
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
            console=console, disable=not (shown and console.is_terminal), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(title, total=epochs)

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def see(self, moment: Step | EpochRecord) -> None:
        """Show where the run is."""
        if isinstance(moment, Step):
            self._bar.update(self._task, completed=moment.epoch + moment.done / moment.total)
            return
        if _QUIET.get() or not self._shown:
            return
        loss = "-" if moment.loss is None else f"{moment.loss:.4f}"
        counts = f"drawn {moment.drawn:,}, looked {moment.looked:,}, trained {moment.trained:,}"
        line = f"{self._title}: epoch {moment.epoch + 1}, {counts}, loss {loss}"
        told = [f"{self._title}: at epoch {e['place']:.2f}, step {e['step']:,}: {e['event']}" for e in moment.events]
        for said in (*told, line):
            if self._bar.disable:
                sys.stderr.write(said + "\n")
            else:
                self._bar.console.print(said)
