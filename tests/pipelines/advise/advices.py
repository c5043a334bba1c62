"""Advices for tests: two rungs, a method that is dropped, a trial that failed."""

from pipelines.advise.records import (
    Advice,
    Answer,
    Balance,
    FailedTrial,
    Gain,
    OutcomeRecord,
    Ratio,
    RungRecord,
    Spent,
    TrialRecord,
)
from pipelines.costs.account import CostColumns, Gains
from pipelines.trials.rows import Head, Reached, TrialRow


def trial(trial, role="method", share=1.0, seed=0, score=0.9, error=""):
    """Return a trial of a method without settings that took three CPU seconds."""
    head, costs = Head(trial, role, trial, None, ""), CostColumns(cpu_seconds=3.0, energy_label="estimated")
    return TrialRecord(share, TrialRow(head, seed, 2.0, 2.5, "accuracy", Reached(score), costs, Gains(), error))


def outcome(name, role, score, cost, *, kept=True):
    """Return what is told of a trial at a rung."""
    return OutcomeRecord(name=name, role=role, score=score, cost=cost, controls=[], kept=kept)


def gain(mean, **changes):
    """Return a gain of which only the mean is known, ``changes`` in the place of its fields."""
    least = dict.fromkeys(("deviation", "low", "high", "p", "least", "sure"))
    return Gain(**least | {"mean": mean, "pairs": 1, "examples_error": 0.002} | changes)


def answer(**changes):
    """Return an answer that proposes the method ``a``, ``changes`` in the place of its fields."""
    least = {"kind": "method", "name": "a", "method": "a", "score": 0.91, "cost": 6.25, "full_score": 0.9, "full_cost": 10.25}
    ratio = Ratio(value=0.5, low=0.4, high=0.6, bound="at most")
    return Answer(**least | {"cost_ratio": ratio, "gains": {}} | changes)


def balance(after, saving=4.0, now=12.0):
    """Return what an advice of 42 CPU seconds cost, paid back ``after`` so many trainings."""
    cost, spent_now = Spent(cpu_seconds=42.0, energy_kwh=0.3), Spent(cpu_seconds=now, energy_kwh=0.2)
    return Balance(cost=cost, cost_now=spent_now, saving=saving, paid_back_after=after)


FIRST = [outcome("full", "full", 0.8, 10.0), outcome("a", "method", 0.85, 6.0), outcome("b", "method", 0.7, 5.0, kept=False)]
LAST = [outcome("full", "full", 0.9, 10.25), outcome("a", "method", 0.91, 6.25)]
RUNGS = [
    RungRecord(share=0.5, seeds=[0], outcomes=FIRST, failed=[]),
    RungRecord(share=1.0, seeds=[0, 1, 2], outcomes=LAST, failed=[FailedTrial(cell="c", seed=1, error="the loss is nan")]),
]


def advice(**changes):
    """Return an advice within a tolerance, ``changes`` in the place of its fields."""
    whole = Advice(
        task="digits",
        goal="tolerance",
        bound=0.02,
        unit="cpu_seconds",
        metric="accuracy",
        higher_is_better=True,
        seeds=[0, 1, 2],
        validation_rows=360,
        answer=answer(),
        sentence="a (accuracy 0.9100)",
        rungs=RUNGS,
        block=None,
        test=None,
        balance=balance(11),
        trials=[trial("full", "full", 0.5), trial("a"), trial("c", seed=1, score=None, error="the loss is nan")],
    )
    return whole.model_copy(update=changes)
