"""Recorder of a run: counts, events, and evidence for the ledger."""

from __future__ import annotations

from collections.abc import Iterable

from components.costs.clock import Clock
from components.evidence.evidence import Evidence
from components.evidence.ledger import Ledger
from components.run_position import Position
from components.selection.selector import Selector

#: Numbers of outputs that are collected before they are written together, 1 MiB: batch by batch, between steps that evict
#: the processor's caches, the same arithmetic takes several times as long.
WAITING = 2**18
#: Diagnostics recorded per epoch.
COURSE = 16


class Recorder:
    """Counts examples and writes their evidence to the ledger.

    Attributes:
        ledger: behind by the evidence not yet written; ``settle`` brings it up to date.
        position: its tally counts, and its rows are those drawn.
    """

    def __init__(self, ledger: Ledger, clock: Clock, position: Position) -> None:
        self.ledger, self._clock = ledger, clock
        self._looks: list[Evidence] = []
        self._steps: list[Evidence] = []
        self.go_on_from(position)

    def go_on_from(self, position: Position) -> None:
        """Continue from ``position``; rows drawn before it are already counted."""
        self.position, self._counted = position, position.drawn

    def see(self, evidence: Evidence) -> None:
        """Count the evidence of a batch and queue it for the ledger."""
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
        """Record events, and the selector's diagnostics ``COURSE`` times an epoch; called after ``drawn`` more rows."""
        position = self.position
        assert position.rows is not None
        self.record_events(selector.events(), epochs)
        total = len(position.rows)
        if COURSE * position.drawn // total > COURSE * (position.drawn - drawn) // total and (facts := selector.facts()):
            position.tally.course.append({"place": epochs, **facts})

    def record_events(self, events: Iterable[str], epochs: float) -> None:
        """Record ``events`` at a position of ``epochs``."""
        for event in events:
            self.position.tally.events.append({"place": epochs, "step": self.position.steps, "event": event})

    def settle(self) -> None:
        """Write the queued evidence to the ledger, looks before the steps that followed them.

        No example is queued twice among looks or steps, since each epoch and sweep ends with this.
        """
        position = self.position
        if position.rows is not None and self._counted < position.drawn:
            self.ledger.count("drawn", position.rows.index[self._counted : position.drawn])
            self._counted = position.drawn
        for waiting in (self._looks, self._steps):
            if waiting:
                self._write(waiting)

    def _write(self, waiting: list[Evidence]) -> None:
        """Write the queue ``waiting`` to the ledger.

        It is timed once here, since timing each batch costs more than counting it.
        """
        with self._clock.lap("record", sum(map(len, waiting))):
            evidence = Evidence.joined(waiting)
            waiting.clear()
            self.ledger.write(evidence)
            if not evidence.looked:
                self.position.tally.correct += int(evidence.correct.sum())
