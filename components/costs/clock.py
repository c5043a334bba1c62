"""Stopwatch of a run: laps by name, with wall and CPU seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace


@dataclass
class Lap:
    """Total cost of one kind of work: laps, examples, wall seconds, CPU seconds of all threads."""

    times: int = 0
    examples: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


class Window:
    """Context manager that times a block as one lap; ``contextmanager`` would cost three times as much."""

    __slots__ = ("_cpu", "_examples", "_lap", "_wall")

    def __init__(self, lap: Lap, examples: int) -> None:
        self._lap, self._examples = lap, examples

    def __enter__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None:
            lap = self._lap
            lap.times += 1
            lap.examples += self._examples
            lap.wall_seconds += time.perf_counter() - self._wall
            lap.cpu_seconds += time.process_time() - self._cpu


@dataclass
class Clock:
    """Stopwatch that sums laps by name; nested laps count in both."""

    laps: dict[str, Lap] = field(default_factory=dict)

    def lap(self, name: str, examples: int = 0) -> Window:
        """Return a context manager that times one lap of ``name`` over ``examples``.

        A block that raises does not count.
        """
        return Window(self.laps.get(name) or self.laps.setdefault(name, Lap()), examples)

    def record(self) -> dict[str, dict[str, float]]:
        """Return the laps as a dictionary of numbers."""
        return {name: asdict(lap) for name, lap in self.laps.items()}

    @staticmethod
    def together(clocks: Sequence[Clock]) -> Clock:
        """Return one clock for all ranks: summed CPU seconds, and the slowest rank's wall seconds.

        All ranks do the same laps over the same examples.
        """
        first = clocks[0]
        if len(clocks) == 1:
            return first
        laps = {name: [c.laps[name] for c in clocks if name in c.laps] for name in first.laps}
        return Clock(
            {
                name: replace(
                    first.laps[name],
                    wall_seconds=max(lap.wall_seconds for lap in each),
                    cpu_seconds=sum(lap.cpu_seconds for lap in each),
                )
                for name, each in laps.items()
            }
        )

    @staticmethod
    def of(record: dict[str, dict[str, float]]) -> Clock:
        """Return the clock saved by ``record``."""
        return Clock({name: Lap(**lap) for name, lap in record.items()})  # type: ignore[arg-type]
