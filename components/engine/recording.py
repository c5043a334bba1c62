"""Recorder of a run: counts, events, and sights for the ledger."""

from __future__ import annotations

from collections.abc import Iterable

from components.costs.energy import Clock
from components.evidence.evidence import Evidence
from components.evidence.ledger import Ledger
from components.run_position import Position
from components.selection.selector import Selector

#: Numbers of outputs that wait to be written at once, 1 MiB: batch by batch, between steps that empty the processor's caches,
#: the same arithmetic takes several times as long.
WAITING = 2**18
#: How often an epoch a method is asked for figures of its own.
COURSE = 16


class Recorder:
    """Stands behind the doors and counts.

    Attributes:
        ledger: may be behind by what waits; ``settle`` brings it up to date.
        position: whose tally counts, and whose rows were drawn.
    """

    def __init__(self, ledger: Ledger, clock: Clock, position: Position) -> None:
        self.ledger, self._clock = ledger, clock
        self._looks: list[Evidence] = []
        self._steps: list[Evidence] = []
        self.go_on_from(position)

    def go_on_from(self, position: Position) -> None:
        """Take ``position`` for where the run stands; what was drawn before it has been counted."""
        self.position, self._counted = position, position.drawn

    def see(self, evidence: Evidence) -> None:
        """Count a sight, and let it wait to be written into the ledger with others."""
        tally = self.position.tally
        if evidence.looked:
            tally.looked += len(evidence)
        else:
            tally.trained += len(evidence)
            tally.steps += 1
            tally.loss += evidence.total_loss
        waiting = self._looks if evidence.looked else self._steps
        waiting.append(evidence)
        if len(waiting) * evidence.output.numel() >= WAITING:
            self.settle()

    def note(self, selector: Selector, drawn: int, epochs: float) -> None:
        """Record events, and ``COURSE`` times an epoch its figures, when ``epochs`` are done, ``drawn`` rows later."""
        position = self.position
        assert position.rows is not None
        self.record_events(selector.events(), epochs)
        total = len(position.rows)
        if COURSE * position.drawn // total > COURSE * (position.drawn - drawn) // total and (facts := selector.facts()):
            position.tally.course.append({"place": epochs, **facts})

    def record_events(self, events: Iterable[str], epochs: float) -> None:
        """Record ``events`` that happened after so many ``epochs``."""
        for event in events:
            self.position.tally.events.append({"place": epochs, "step": self.position.steps, "event": event})

    def settle(self) -> None:
        """Write what waits: looks first, since a step on the same example follows its look.

        No example waits twice in one of the two: an epoch and a sweep each end in this.
        """
        position = self.position
        if position.rows is not None and self._counted < position.drawn:
            self.ledger.count("drawn", position.rows.index[self._counted : position.drawn])
            self._counted = position.drawn
        for waiting in (self._looks, self._steps):
            if waiting:
                self._write(waiting)

    def _write(self, waiting: list[Evidence]) -> None:
        """Empty ``waiting`` into the ledger; timed here, since to time each sight takes longer than to count it."""
        with self._clock.lap("record", sum(map(len, waiting))):
            evidence = Evidence.joined(waiting)
            waiting.clear()
            self.ledger.write(evidence)
            if not evidence.looked:
                self.position.tally.correct += int(evidence.correct.sum())
