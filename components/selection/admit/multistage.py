"""Multistage Data Filtering (Ouyang et al., IJCAI 2023, arXiv 2207.14386): skips backward, then forward passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.costs.savings import LOOK_SHARE
from components.selection.admit.naive_bayes import NaiveBayes
from components.selection.keep.loss_threshold import KEPT, LossThreshold
from components.selection.selector import check_at_least, check_choice
from components.tasks.cheap_features import Bag

if TYPE_CHECKING:
    from components.evidence.evidence import Evidence
    from components.tasks.batch import Rows
    from components.tasks.examples import Examples

#: Planned share of examples that pass to the forward pass in stage 2; the real one depends on the data.
ADMITTED = 0.4


class Multistage(LossThreshold):
    """Three stages: train on everything; skip backward passes; skip forward passes too.

    Stage 0 finds ``L_low`` (``LossThreshold``). Stage 1 skips the backward pass of examples below it, and a naive Bayes
    predictor learns these decisions (eq. 3). When the mean of its last ``w`` losses (eq. 4) is at most ``alt``, stage 2 uses it
    before the forward pass and goes on training it on the admitted examples. Later epochs stay in stage 2.
    """

    def __init__(
        self,
        n_0: float = 0.1,
        k: int = 8,
        w: int = 8,
        alt: float = 0.5,
        threshold_update: str = "sliding",
        granularity: str = "example",
        explore: float = 0.0,
        predictor_loss: str = "before",
        k_in: str = "batches",
    ) -> None:
        """Create the method.

        The paper's Table 2 tries n_0 of 0.1 to 0.4, w of 4, 8 and 16, and alt of 0.1 to 0.5.

        Args:
            n_0: as in ``LossThreshold``.
            k: as in ``LossThreshold``.
            w: W, 1 or more, the batches over which the predictor's loss is averaged.
            alt: ALT, above 0, the average loss in nats at which stage 2 begins.
            threshold_update: as in ``LossThreshold``.
            granularity: as in ``LossThreshold``; a batch has the features of any of its examples.
            explore: in [0, 1), the probability that stage 2 admits a rejected example; the paper's is 0.
            predictor_loss: measured "before" the predictor learns a batch, or "after", as in the authors' code.
            k_in: as in ``LossThreshold``.
        """
        super().__init__(None, n_0, k, k_in, threshold_update, granularity)
        if not alt > 0:
            raise ValueError(f"alt must be above 0, got {alt!r}; one that works: 0.5")
        if not 0 <= explore < 1:
            raise ValueError(
                f"explore must be in [0, 1), got {explore!r}; the nearest that works is {0.99 if explore >= 1 else 0}"
            )
        self.w, self.alt, self.explore = int(check_at_least("w", w, 1)), alt, explore
        self.ahead = check_choice("predictor_loss", predictor_loss, ("before", "after")) == "before"
        self.chance = explore > 0
        self.predictor: NaiveBayes | None = None
        self.losses = np.zeros(0)

    @property
    @override
    def admits(self) -> bool:
        return self.stage == 2

    @override
    def admit(self, rows: Rows, examples: Examples, rng: np.random.Generator) -> Array:
        assert self.predictor is not None
        bag = examples.bags.of(rows.index.numpy())
        odds = self.predictor.log_odds(bag.union() if self.by_batch else bag)
        passed = np.broadcast_to((odds > 0) | (not self.predictor.knows_both), len(rows))
        if self.explore:
            passed = passed | (rng.random(len(rows) if not self.by_batch else 1) < self.explore)
        return np.asarray(passed)

    @override
    def learn(self, evidence: Evidence, examples: Examples) -> None:
        judged = self.stage > 0
        super().learn(evidence, examples)
        if self.predictor is None:
            self.predictor = NaiveBayes.new(examples.bags.count)
        if judged:
            for bag, label in self._batches(evidence, examples):
                self._teach(bag, label)

    def _batches(self, evidence: Evidence, examples: Examples) -> Iterator[tuple[Bag, Array]]:
        """Yield features and decisions batch by batch; one row per batch if batches are judged as a whole."""
        bag, label = examples.bags.of(evidence.index.numpy()), self.worth(evidence.signals.loss)
        if self.by_batch:
            yield bag.union(), label[:1]
            return
        for start in range(0, len(label), self.batch_size):
            stop = min(start + self.batch_size, len(label))
            yield bag.between(start, stop), label[start:stop]

    def _teach(self, bag: Bag, label: Array) -> None:
        """Train the predictor on a batch, and enter stage 2 once its losses are low enough."""
        predictor = self.predictor
        assert predictor is not None
        loss = predictor.log_loss(bag, label) if self.ahead else None
        predictor.learn(bag, label)
        loss = predictor.log_loss(bag, label) if loss is None else loss
        self.losses = np.append(self.losses, loss.mean())[-self.w :]
        if self.stage == 1 and len(self.losses) == self.w and self.losses.mean() <= self.alt:
            self.stage = 2
            self._happened.append(
                f"stage 2: the mean of the last {self.w} predictor losses is {self.losses.mean():.4g}, alt is {self.alt}"
            )

    @override
    def facts(self) -> dict[str, float]:
        return super().facts() | ({"predictor_loss": float(self.losses.mean())} if len(self.losses) else {})

    @override
    def remark(self) -> str | None:
        if self.stage == 2:
            return None
        if self.stage == 0:
            return f"stage 0: {self.seen} of the {self.stage_0} examples of n_0 were seen"
        mean = f"{self.losses.mean():.4g} nats" if len(self.losses) else "not known"
        return (
            f"stage 1, and no forward pass was skipped: the mean of the last {len(self.losses)} predictor losses is {mean}; "
            f"stage 2 begins at alt: {self.alt} over w: {self.w}"
        )

    @override
    def state(self) -> dict[str, Array]:
        predictor = self.predictor or NaiveBayes.new(0)
        return super().state() | {"counts": predictor.counts, "examples": predictor.examples, "losses": self.losses}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        super().restore(state)
        self.losses = state["losses"]
        if len(state["counts"]):
            self.predictor = NaiveBayes(state["counts"].copy(), state["examples"].copy())

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        rest = epochs - warm_up
        stage_0 = min(self.n_0, rest)
        return warm_up + stage_0 + (rest - stage_0) * (KEPT + LOOK_SHARE) * ADMITTED
