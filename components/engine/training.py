"""The training loop: draw, admit, look, keep, refill, step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import torch

from components.arrays import Array
from components.engine.learner import Learner
from components.engine.recording import Recorder
from components.epoch_records import EpochRecord, Step, Tally
from components.evidence.evidence import Evidence
from components.evidence.ledger import Ledger
from components.rng import Streams
from components.run_position import Plan, Position
from components.selection.draw.short import epochs_begun
from components.selection.selector import Epoch, Look, Selector
from components.tasks.batch import Batch, Refill, Rows, Shuffle, epoch_order, leaves_one
from components.tasks.examples import Examples


class Training:
    """A run: a learner, examples, a selector with the three doors, and the ledger."""

    def __init__(
        self,
        learner: Learner,
        examples: Examples,
        selector: Selector,
        ledger: Ledger,
        plan: Plan,
        augmented: Callable[[int], Examples] | None = None,
    ) -> None:
        """Prepare a run; ``augmented`` gives the examples as steps of an epoch see them, which looks do not."""
        self.learner, self.examples, self.selector, self.plan = learner, examples, selector, plan
        self.clock, self.length = learner.clock, selector.length(plan.epochs)
        self._learns, self._augmented = type(selector).learn is not Selector.learn, augmented
        # A look's batch serves the step too, but a text's has the padding of rows turned away, and a step may be augmented.
        self._reuses = examples.lengths is None and augmented is None
        self._recorder = Recorder(ledger, self.clock, Position())
        self.go_on_from(self._recorder.position)

    @property
    def ledger(self) -> Ledger:
        """The ledger, up to date with everything drawn and seen so far."""
        self._recorder.settle()
        return self._recorder.ledger

    def settled(self) -> Position:
        """Return the run's position to be saved, after writing all evidence to the ledger."""
        self._recorder.settle()
        return self.position

    def until(self, end: float | None = None) -> Iterator[Step | EpochRecord]:
        """Train in place up to epoch ``end``, by default to the method's own length.

        Yields a ``Step`` after each drawn batch or look and an ``EpochRecord`` after each epoch, outside the clock's laps. An
        ``end`` inside an epoch stops there; the next call continues with the next example.
        """
        end = self.length if end is None else end
        while self.position.epoch < epochs_begun(end):
            if self.position.rows is None:
                with self.clock.lap("train"):
                    self.position.rows = self._begin_epoch()
            rows = self.position.rows
            stop = min(len(rows), round((end - self.position.epoch) / self._span() * len(rows)))
            while self.position.drawn < stop:
                with self.clock.lap("train"):
                    self._draw(rows.between(self.position.drawn, min(stop, self._next_stop(rows))))
                yield Step(self.position.epoch, self.position.drawn, len(rows))
            if self.position.drawn < len(rows):
                return
            with self.clock.lap("train"):
                self._flush()
            yield self._end_epoch()

    def go_on_from(self, position: Position) -> None:
        """Continue from ``position``."""
        self.position = position
        self._recorder.go_on_from(position)
        self._in_steps = self.examples if self._augmented is None else self._augmented(position.epoch)
        self._streams = Streams(self.plan.seed, position.epoch)
        pool = self.plan.look_size if self.selector.pooled else self.plan.look_batch
        self._looking = Refill(pool, position.looking)
        size = self.plan.batch_size if position.rows is None else self._batch_in(len(position.rows))
        self._training = Refill(size, position.training, self.examples.lengths)

    def sweep(self, see: Callable[[Evidence], None] | None = None) -> None:
        """Look at every example, sorted by length, without training; ``see`` gets the evidence of each look."""
        with self.clock.lap("train"):
            self._look_at_all(see)

    def _span(self) -> float:
        """Return the length of the current epoch, which is below 1 at a run's fractional end."""
        return min(1.0, self.length - self.position.epoch)

    def _stride(self) -> int:
        """Return the number of rows to draw at once: those of a look or a batch."""
        looks = not self.selector.admits and self.selector.look(self._epoch()) in ("fresh", "recalled")
        return self._looking.size if looks else self._training.size

    def _next_stop(self, rows: Rows) -> int:
        """Return the row up to which to draw next; no single last row is left over."""
        drawn, stride = self.position.drawn, self._stride()
        left = len(rows) - drawn
        return len(rows) if left == stride + 1 and leaves_one(left, stride) else drawn + stride

    def _batch_in(self, drawn: int) -> int:
        """Return the step's batch size in an epoch that draws ``drawn`` rows."""
        return self.selector.batch_of(self.plan.batch_size, min(1.0, drawn / (len(self.examples) * self._span())))

    def _epochs_done(self, drawn: float) -> float:
        """Return the epochs done when ``drawn`` rows of the current epoch have passed door 1."""
        rows = self.position.rows
        assert rows is not None
        return self.position.epoch + self._span() * max(0.0, drawn) / len(rows)

    def _epoch(self) -> Epoch:
        return Epoch(self.position.epoch, self.length, self.plan.first)

    def _begin_epoch(self) -> Rows:
        epoch = self._epoch()
        self.position.tally = Tally()
        if self.selector.sweeps(epoch):
            self._look_at_all()
        with self.clock.lap("select"):
            self.selector.review(epoch, self.ledger, self._streams.of("review"))
            weight = self.selector.draw(epoch, self.ledger, self._streams.of("draw"))
        order = self._streams.of("order")
        self.position.drawn = 0
        self._recorder.go_on_from(self.position)
        thinned = not self.selector.pooled or self.selector.look(epoch) in ("fresh", "recalled")
        self._training.size = self._batch_in(int(np.count_nonzero(weight)))
        together = self.plan.look_size if thinned else self._training.size
        return epoch_order(weight, self.examples.lengths, together, order)

    def _look_at_all(self, see: Callable[[Evidence], None] | None = None) -> None:
        lengths = self.examples.lengths
        order = np.arange(len(self.examples)) if lengths is None else np.argsort(lengths, kind="stable")
        for rows in Rows.unweighted(torch.from_numpy(order)).split(self.plan.look_batch):
            evidence = self._look(self._fetch(self.examples, rows))
            if see is not None:
                see(evidence)
        self._recorder.settle()

    def _look(self, batch: Batch, *, by_input: bool = False) -> Evidence:
        evidence = self.learner.look(batch, by_input=by_input)
        self._recorder.see(evidence)
        return evidence

    def _draw(self, rows: Rows) -> None:
        """Take drawn rows through doors 2 and 3."""
        position, drawn = self.position, len(rows)
        position.drawn += drawn
        position.tally.drawn += drawn
        if self.selector.admits:
            with self.clock.lap("select"):
                rng = self._chance("admit", position.drawn)
                rows = rows.through(self.selector.admit(rows, self.examples, rng))
        self._pass(rows)
        position.looking, position.training = self._looking.waiting, self._training.waiting
        self._recorder.note(self.selector, drawn, self._epochs_done(position.drawn))

    def _pass(self, rows: Rows) -> None:
        look, last = self.selector.look(self._epoch()), self._is_last()
        if look in ("fresh", "recalled"):
            for pool in self._looking.push(rows, last=last):
                self._choose(pool, look)
        else:
            for ready in self._training.push(rows, self._mixing if self.selector.admits else None, last=last):
                self._step(ready, look)

    def _is_last(self) -> bool:
        """Return whether all rows of this epoch have been drawn."""
        return self.position.rows is not None and self.position.drawn == len(self.position.rows)

    def _flush(self) -> None:
        look = self.selector.look(self._epoch())
        for pool in self._looking.flush():
            self._choose(pool, look)
        for ready in self._training.flush(self._mixing if self.selector.admits else None):
            self._step(ready, look)
        self._recorder.settle()

    def _choose(self, rows: Rows, look: Look | None) -> None:
        """Let door 3 choose among ``rows``, and step on those it keeps."""
        evidence, batch = None, None
        if look == "recalled":
            with self.clock.lap("select"):
                norms = "norm" in self.selector.wants
                evidence = self._recorder.ledger.recalled(rows.index, self.learner.objective, norms=norms)
        if evidence is None:
            evidence, batch = self._see(rows)
        answer = self._answer(evidence)
        kept = rows.through(answer)
        self.position.tally.kept += 0 if batch is None else len(kept)
        seen = batch if batch is not None and len(batch) == len(rows) and self._reuses else None
        for ready in self._training.push(kept) if self.plan.refill else kept.split(self._training.size):
            self._step(ready, look, self.learner.picked(seen, kept, answer) if seen is not None and ready is kept else None)

    def _see(self, rows: Rows) -> tuple[Evidence, Batch]:
        """Look at ``rows`` in one or more passes; return the evidence and the last batch."""
        by_input, seen = "input_norm" in self.selector.wants, []
        for part in rows.split(self.plan.look_batch):
            batch = self._fetch(self.examples, part)
            seen.append(self._look(batch, by_input=by_input))
        return Evidence.joined(seen), batch

    def _answer(self, evidence: Evidence) -> Array:
        """Let the method learn from the evidence, then return door 3's weights."""
        with self.clock.lap("select"):
            self.selector.learn(evidence, self.examples)
            return self.selector.keep(evidence, self._chance("keep", int(evidence.index.numpy()[0])))

    def _step(self, rows: Rows, look: Look | None, batch: Batch | None = None) -> None:
        answer = self._answer if look == "whole-batch" else None
        batch = self._fetch(self._in_steps, rows) if batch is None else batch
        evidence = self.learner.step(batch, self._epochs_done(self.position.drawn - len(rows) / 2), answer)
        self._recorder.see(evidence)
        self.position.steps += not evidence.looked
        self.position.tally.learning_rate = self.learner.optimizer.param_groups[0]["lr"]
        if look is None and self._learns:
            with self.clock.lap("select"):
                self.selector.learn(evidence, self.examples)

    def _fetch(self, examples: Examples, rows: Rows) -> Batch:
        with self.clock.lap("fetch", len(rows)):
            return self.learner.fetch(examples, rows)

    def _end_epoch(self) -> EpochRecord:
        epochs = self._epochs_done(self.position.drawn)
        self._recorder.record_events([*self.selector.events(), *filter(None, [self.selector.remark()])], epochs)
        tally, epoch = self.position.tally, self.position.epoch
        self.go_on_from(Position(epoch=epoch + 1, steps=self.position.steps))
        return tally.closed(epoch, classes=self.learner.objective.classes)

    def _chance(self, door: str, position: int) -> np.random.Generator:
        """Return the random stream for a door; None if the method draws no random numbers."""
        return self._streams.at(door, position) if self.selector.chance else cast(np.random.Generator, None)

    @property
    def _mixing(self) -> Shuffle | None:
        """Shuffle of rows that door 2 mixed in length; None for methods without pooling."""
        return self._shuffle if self.selector.pooled else None

    def _shuffle(self) -> np.random.Generator:
        return self._streams.of("refill", self.position.drawn)
