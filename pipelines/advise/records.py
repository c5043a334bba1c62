"""Records of an advice: the content of advice.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue, TypeAdapter

from components.costs.halving import Role
from pipelines.core.records import Record
from pipelines.trials.rows import Columns, TrialRow

#: Units of costs.
Unit = Literal["cpu_seconds", "energy_kwh"]


class Spent(Record):
    """Costs in each unit of a goal."""

    cpu_seconds: int | float
    energy_kwh: int | float


class Balance(Record):
    """Cost of the advice, and the number of trainings whose savings pay it back.

    Attributes:
        cost: of all its trials.
        cost_now: of the trials in this run.
        saving: of each training, in the goal's unit.
        paid_back_after: number of trainings; None if nothing is saved.
    """

    cost: Spent
    cost_now: Spent
    saving: float
    paid_back_after: int | None


class Ratio(Record):
    """A method's cost relative to the best control's at the same metric."""

    value: float
    low: float | None
    high: float | None
    bound: Literal["", "at most", "at least"]


class Gain(Record):
    """A gain over another trial, paired by seed.

    ``least`` is the required gain, None without a requirement; ``sure`` is whether it is surely met, None without one or with
    too few seeds; ``examples_error`` is the gain's standard error over the judging examples.
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
    """The answer if nothing fits the goal."""

    kind: Literal["nothing"]
    name: None


class Answer(Record):
    """The proposed trial beside ``full``, with ``gains`` by what it is compared with."""

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
    """An outcome of a rung; ``kept`` is whether it goes on to the next."""

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
    """Outcomes and failures of the trials on a ``share`` of the training data."""

    share: float
    seeds: list[int]
    outcomes: list[OutcomeRecord]
    failed: list[FailedTrial]


class ProposalScore(Record):
    """The proposal's score on the test split."""

    seed: int
    score: float
    standard_error: float | None


class NoProposalScore(Record):
    """The reason why the proposal has no score on the test split."""

    error: str


@dataclass(frozen=True)
class TrialRecord:
    """A trial with one seed on a ``share`` of the training data."""

    share: float
    row: TrialRow

    @classmethod
    def of(cls, columns: Mapping[str, JsonValue], metric: str) -> TrialRecord:
        """Return the trial with these ``columns``.

        Raises:
            pydantic.ValidationError: if a column is missing or of another type.
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
    """An advice for a goal with its ``bound``.

    ``seeds`` are those of the last rung, ``validation_rows`` is the number of judging examples, and ``block`` is YAML for
    params.yaml.
    """

    trials: list[TrialRecord]

    @classmethod
    def of(cls, value: object) -> Advice:
        """Return the advice from its written form.

        Raises:
            pydantic.ValidationError: if a key is unknown, missing or of another type.
        """
        flat = _Flat.of(value)
        return cls(**vars(flat) | {"trials": [TrialRecord.of(row, flat.metric) for row in flat.trials]})

    def dumped(self) -> dict[str, object]:
        """Return the advice in its written form."""
        facts = self.model_dump(mode="json", exclude={"trials"})
        return {**facts, "trials": [trial.columns() for trial in self.trials]}
