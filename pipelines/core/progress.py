"""Progress of a training: a bar on terminals, log lines elsewhere, and a file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging import Logger, LoggerAdapter
from pathlib import Path
from types import TracebackType

from components.epoch_records import EpochRecord, Step, ValidatedEpoch
from pipelines.core.environment import PROGRESS

#: Python's logger, or Prefect's run logger.
Log = Logger | LoggerAdapter[Logger]
#: Seconds between two writes of the progress file.
FILE_SECONDS = 1.0
#: Seconds between two progress lines without a terminal.
LINE_SECONDS = 60.0
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the log lines of stages inside the block, for callers that report stages themselves."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def is_quiet() -> bool:
    """Return whether the log lines of stages are suppressed."""
    return _QUIET.get()


def log_line(line: str) -> None:
    """Write a stage's log line to stderr, unless lines are suppressed."""
    if not _QUIET.get():
        sys.stderr.write(line + "\n")


def duration(seconds: float) -> str:
    """Return a remaining time as text."""
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"


class Lines:
    """Logs percentage and remaining time once a minute, where no terminal shows a bar."""

    def __init__(self, title: str, total: float, *, shown: bool = True) -> None:
        from rich.console import Console

        self._title, self._total, self._shown = title, total, shown and not Console(stderr=True).is_terminal
        self._first: tuple[float, float] | None = None
        self._logged = time.monotonic()

    def see(self, done: float) -> None:
        """Log a line if one is due; ``done`` is in the unit of ``total``."""
        now = time.monotonic()
        began, first = self._first = self._first or (now, done)
        if not self._shown or now - self._logged < LINE_SECONDS or done <= first:
            return
        self._logged = now
        left = (now - began) * (self._total - done) / (done - first)
        log_line(f"{self._title}: {100 * done / self._total:.0f} %, about {duration(left)} left")


class Watch:
    """Shows the steps and epochs of a run on stderr, on one rank only (``shown``)."""

    def __init__(self, title: str, epochs: float, *, shown: bool = True) -> None:
        # Imported here: most stages draw no bar.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._title, self._shown = title, shown
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
            console=console, disable=not (shown and console.is_terminal), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(title, total=epochs)
        self._file = _File(Path(path), title, epochs) if (path := PROGRESS.value()) else None
        self._lines = Lines(title, epochs, shown=shown)

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def see(self, moment: Step | EpochRecord) -> None:
        """Show a step as progress, or an epoch's record as lines."""
        if isinstance(moment, Step):
            reached = moment.epoch + moment.done / moment.total
            self._bar.update(self._task, completed=reached)
            self._lines.see(reached)
            if self._file is not None:
                self._file.see(moment)
            return
        if _QUIET.get() or not self._shown:
            return
        loss = "-" if moment.loss is None else f"{moment.loss:.4f}"
        counts = f"drawn {moment.drawn:,}, looked {moment.looked:,}, trained {moment.trained:,}"
        line = f"{self._title}: epoch {moment.epoch + 1}, {counts}, loss {loss}"
        events = [f"{self._title}: at epoch {e['place']:.2f}, step {e['step']:,}: {e['event']}" for e in moment.events]
        for text in (*events, line, *_validation_lines(self._title, moment)):
            if self._bar.disable:
                sys.stderr.write(text + "\n")
            else:
                self._bar.console.print(text)


def _validation_lines(title: str, record: EpochRecord) -> list[str]:
    """Return the line of an epoch's validation: its first metric, and the loss; none without validation."""
    if not isinstance(record, ValidatedEpoch):
        return []
    first = next(iter(record.validation))
    shown = [f"{name} {record.validation[name]:.4f}" for name in dict.fromkeys((first, "loss"))]
    return [f"{title}: validation after epoch {record.epoch + 1}: {', '.join(shown)}"]


class _File:
    """The last step of a run, written atomically to a file."""

    def __init__(self, path: Path, title: str, epochs: float) -> None:
        self._path, self._title, self._epochs = path, title, epochs
        self._begun: tuple[float, float] | None = None
        self._written = -FILE_SECONDS

    def see(self, step: Step) -> None:
        now, reached = time.monotonic(), step.epoch + step.done / step.total
        if self._begun is None:
            self._begun = now, reached
        if now - self._written < FILE_SECONDS:
            return
        self._written = now
        since, first = self._begun
        left = (now - since) * (self._epochs - reached) / (reached - first) if reached > first else None
        where = {"epoch": step.epoch, "done": step.done, "total": step.total, "seconds_left": left}
        part = self._path.with_name(f".{self._path.name}.part")
        share = {"title": self._title, "epochs": self._epochs, "percent": min(100.0, 100 * reached / self._epochs)}
        part.write_text(json.dumps(share | where), encoding="utf-8")
        part.replace(self._path)
