"""The one road from an example to the weights of the model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from components.arrays import stream
from components.batch import Batch, Refill, Rows, epoch_order
from components.evidence import Evidence, Ledger
from components.learner import Learner
from components.position import EpochRecord, Plan, Position, Step, Tally
from components.selection.selector import Epoch, Selector
from components.selection.short import epochs_begun
from components.tasks.examples import Examples

#: Examples whose evidence waits to be written at once: batch by batch, between steps that empty the processor's caches, the
#: same arithmetic takes several times as long.
WAITING = 4096


class Training:
    """A run under way: a learner, the examples, a selector at the three doors and the ledger behind them."""

    def __init__(
        self,
        learner: Learner,
        examples: Examples,
        selector: Selector,
        ledger: Ledger,
        plan: Plan,
        position: Position | None = None,
    ) -> None:
        self.learner, self.examples, self.selector, self._ledger, self.plan = learner, examples, selector, ledger, plan
        self._sights: list[Evidence] = []
        self.clock = learner.clock
        self.length = selector.length(plan.epochs)
        self.go_on_from(position or Position())

    @property
    def ledger(self) -> Ledger:
        """The ledger, with everything that was drawn and seen so far written into it."""
        self._settle()
        return self._ledger

    def settled(self) -> Position:
        """Return where this run stands, with everything seen so far counted and written, to be saved."""
        self._settle()
        return self.position

    def until(self, end: float | None = None) -> Iterator[Step | EpochRecord]:
        """Train in place up to epoch ``end``, by default the method's own length.

        Yields a ``Step`` after each batch that was drawn and an ``EpochRecord`` after each epoch, outside what the
        clock times. An ``end`` inside an epoch stops there, and the next call goes on at the next example.
        """
        end = self.length if end is None else end
        while self.position.epoch < epochs_begun(end):
            if self.position.rows is None:
                with self.clock.lap("train"):
                    self.position.rows = self._begin_epoch()
            rows = self.position.rows
            stop = min(len(rows), round((end - self.position.epoch) / self._span() * len(rows)))
            for part in rows.between(self.position.drawn, stop).split(self.plan.batch_size):
                with self.clock.lap("train"):
                    self._draw(part)
                yield Step(self.position.epoch, self.position.drawn, len(rows))
            if self.position.drawn < len(rows):
                return
            with self.clock.lap("train"):
                self._flush()
            yield self._end_epoch()

    def _span(self) -> float:
        """Return how much of an epoch the epoch under way is: 1, or what is left of the run."""
        return min(1.0, self.length - self.position.epoch)

    def _now(self, size: int) -> float:
        """Return the place on the schedule, in epochs, of the middle of the last ``size`` rows drawn."""
        rows = self.position.rows
        assert rows is not None
        done = max(0.0, self.position.drawn - size / 2) / len(rows)
        return self.position.epoch + self._span() * done

    def go_on_from(self, position: Position) -> None:
        """Take ``position`` for where this run stands."""
        self.position, self._counted = position, position.drawn
        self._queues()

    def _queues(self) -> None:
        self._looking = Refill(self.plan.look_size, self.position.looking)
        self._training = Refill(self.plan.batch_size, self.position.training)

    def _begin_epoch(self) -> Rows:
        epoch = Epoch(self.position.epoch, self.length, self.plan.first)
        self.position.tally = Tally()
        if self.selector.sweeps(epoch):
            self._look_at_all()
        with self.clock.lap("select"):
            self.selector.review(epoch, self.ledger, self._stream("review"))
            weight = self.selector.draw(epoch, self.ledger, self._stream("draw"))
        order = self._stream("order")
        self.position.drawn = self._counted = 0
        return epoch_order(weight, self.examples.lengths, self.plan.batch_size, order)

    def sweep(self) -> None:
        """Look at every example, in the order of length, without training."""
        with self.clock.lap("train"):
            self._look_at_all()

    def _look_at_all(self) -> None:
        lengths = self.examples.lengths
        order = np.arange(len(self.examples)) if lengths is None else np.argsort(lengths, kind="stable")
        index = torch.from_numpy(order)
        for rows in Rows(index, torch.ones(len(index))).split(self.plan.look_size):
            self._write(self.learner.look(self._fetch(rows)))
        self._settle()

    def _draw(self, rows: Rows) -> None:
        """Take rows that passed door 1 through the other two."""
        self.position.drawn += len(rows)
        self.position.tally.drawn += len(rows)
        if self.selector.admits:
            with self.clock.lap("select"):
                rows = rows.through(self.selector.admit(rows, self.examples, self._stream("admit", self.position.drawn)))
        if self.selector.looks:
            for ready in self._looking.push(rows):
                self._look(ready)
        else:
            for ready in self._training.push(rows):
                self._step(ready)
        self.position.looking, self.position.training = self._looking.waiting, self._training.waiting

    def _flush(self) -> None:
        for ready in self._looking.flush():
            self._look(ready)
        for ready in self._training.flush():
            self._step(ready)
        self._settle()

    def _look(self, rows: Rows) -> None:
        batch = self._fetch(rows)
        evidence = self.learner.look(batch)
        self._write(evidence)
        with self.clock.lap("select"):
            weight = self.selector.keep(evidence, self._stream("keep", self.position.tally.looked)).cpu()
            self.selector.learn(batch, evidence)
        for ready in self._training.push(rows.through(weight)):
            self._step(ready)

    def _step(self, rows: Rows) -> None:
        batch = self._fetch(rows)
        evidence = self.learner.step(batch, self._now(len(rows)))
        self.position.steps += 1
        self.position.tally.learning_rate = self.learner.optimizer.param_groups[0]["lr"]
        self._write(evidence)
        if not self.selector.looks:
            with self.clock.lap("select"):
                self.selector.learn(batch, evidence)

    def _fetch(self, rows: Rows) -> Batch:
        with self.clock.lap("fetch", len(rows)):
            return self.examples.fetch(rows, self.learner.device)

    def _write(self, evidence: Evidence) -> None:
        """Count a sight, and let it wait to be written into the ledger with others of its kind."""
        with self.clock.lap("record", len(evidence)):
            tally = self.position.tally
            if evidence.looked:
                tally.looked += len(evidence)
            else:
                tally.trained += len(evidence)
                tally.steps += 1
                tally.loss += evidence.total_loss
            if self._sights and self._sights[0].looked != evidence.looked:
                self._settle()
            self._sights.append(evidence)
            if len(self._sights) * len(evidence) >= WAITING:
                self._settle()

    def _settle(self) -> None:
        """Write what waits. No example waits twice: an epoch, a sweep and a change of kind each end in this."""
        position, sights = self.position, self._sights
        if position.rows is not None and self._counted < position.drawn:
            drawn = position.rows.index[self._counted : position.drawn]
            self._ledger.count("drawn", drawn.to(self.learner.device))
            self._counted = position.drawn
        if sights:
            evidence, self._sights = Evidence.joined(sights), []
            self._ledger.write(evidence)
            if not evidence.looked:
                position.tally.correct += int(evidence.correct.sum())

    def _end_epoch(self) -> EpochRecord:
        tally, epoch = self.position.tally, self.position.epoch
        self.go_on_from(Position(epoch=epoch + 1, steps=self.position.steps))
        return tally.closed(epoch)

    def _stream(self, purpose: str, *place: int) -> np.random.Generator:
        return stream(self.plan.seed, purpose, self.position.epoch, *place)
