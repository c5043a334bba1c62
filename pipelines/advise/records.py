"""Records of an advice: the content of advice.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue, TypeAdapter

from components.costs.halving import Role
from pipelines.core.records import Record
from pipelines.trials.rows import Columns, TrialRow

#: What costs are in.
Unit = Literal["cpu_seconds", "energy_kwh"]


class Spent(Record):
    """What was spent, in each unit of a goal."""

    cpu_seconds: int | float
    energy_kwh: int | float


class Balance(Record):
    """What the advice cost, in all and now, and after how many trainings the saving of each pays it back, if ever."""

    cost: Spent
    cost_now: Spent
    saving: float
    paid_back_after: int | None


class Ratio(Record):
    """What a method costs over what the best control needs for the same metric, with the fields of a ``Ratio`` of costs."""

    value: float
    low: float | None
    high: float | None
    bound: Literal["", "at most", "at least"]


class Gain(Record):
    """A gain over another trial, with the fields of a ``Gain`` paired by seed.

    ``sure`` says whether it is at ``least`` what it must be, None where that is nothing or cannot be said;
    ``examples_error`` is its standard error over the examples that judge.
    """

    mean: float | None
    deviation: float | None
    low: float | None
    high: float | None
    p: float | None
    pairs: int
    least: float | None
    sure: bool | None
    examples_error: float


class Nothing(Record):
    """The answer where nothing fits the goal."""

    kind: Literal["nothing"]
    name: None


class Answer(Record):
    """The trial that is proposed, beside ``full``; ``gains`` by what it is held against."""

    kind: Role
    name: str
    method: str
    score: float
    cost: float
    full_score: float
    full_cost: float
    cost_ratio: Ratio | None
    gains: dict[str, Gain]


class OutcomeRecord(Record):
    """An outcome of a rung, and whether it was ``kept`` for the next."""

    name: str
    role: Role
    score: float
    cost: float
    controls: list[str]
    kept: bool


class FailedTrial(Record):
    """A trial without results."""

    cell: str
    seed: int
    error: str


class RungRecord(Record):
    """What the trials on a ``share`` of the training data found."""

    share: float
    seeds: list[int]
    outcomes: list[OutcomeRecord]
    failed: list[FailedTrial]


class ProposalScore(Record):
    """What the proposal has on the test split."""

    seed: int
    score: float
    standard_error: float | None


class NoProposalScore(Record):
    """Why the proposal was not judged by the test split."""

    error: str


@dataclass(frozen=True)
class TrialRecord:
    """A trial with one seed, on a ``share`` of the training data."""

    share: float
    row: TrialRow

    @classmethod
    def of(cls, columns: Mapping[str, JsonValue], metric: str) -> TrialRecord:
        """Return the trial that has these ``columns``.

        Raises:
            pydantic.ValidationError: for a column that is missing or of another type.
        """
        return cls(TypeAdapter(float).validate_python(columns.get("share")), TrialRow.of(columns, metric))

    def columns(self) -> Columns:
        """Return the columns by name, in the order of the table."""
        return {"share": self.share, **self.row.columns()}


class _Facts(Record):
    task: str
    goal: Literal["tolerance", "budget"]
    bound: float
    unit: Unit
    metric: str
    higher_is_better: bool
    seeds: list[int]
    validation_rows: int
    answer: Answer | Nothing
    sentence: str
    rungs: list[RungRecord]
    block: str | None
    test: ProposalScore | NoProposalScore | None
    balance: Balance


class _Flat(_Facts):
    trials: list[dict[str, JsonValue]]


class Advice(_Facts):
    """What was found for a goal of so much, its ``bound``.

    ``seeds`` are those of the last rung, ``validation_rows`` the examples that judge, and ``block`` what to put into
    params.yaml.
    """

    trials: list[TrialRecord]

    @classmethod
    def of(cls, value: object) -> Advice:
        """Return the advice whose trials are written as columns.

        Raises:
            pydantic.ValidationError: for a key that is unknown, missing or of another type.
        """
        flat = _Flat.of(value)
        return cls(**vars(flat) | {"trials": [TrialRecord.of(row, flat.metric) for row in flat.trials]})

    def dumped(self) -> dict[str, object]:
        """Return the advice as JSON holds it."""
        facts = self.model_dump(mode="json", exclude={"trials"})
        return {**facts, "trials": [trial.columns() for trial in self.trials]}
