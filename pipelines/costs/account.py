"""Account of a comparison: the cost of each method, relative to training on all examples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from components.costs.savings import agot
from pipelines.core.artifacts import ACCOUNT, HERE
from pipelines.core.records import Number, Record
from pipelines.costs.records import ExampleCounts, Seconds, Spent, ValidationSpent


class UnitSeconds(Record):
    """CPU seconds per example: T_f of a forward pass, T_b of the backward pass and the step."""

    forward: float
    backward: float


class Passes(Record):
    """Examples looked at, kept and trained on."""

    looked: int
    kept: int
    trained: int


class ProxyAccount(Record):
    """Counts and CPU seconds of a method's proxy; ``share`` compares its unit to the task model's."""

    counts: Passes
    unit_cpu_seconds: UnitSeconds
    counted_cpu_seconds: float
    share: float


class EnergyAccount(Record):
    """Energy and emissions of a method's charged stages."""

    label: str
    kwh: float
    measured_kwh: Number
    estimated_kwh: Number
    co2e_kg: float
    method: str


class ModelledEnergy(Record):
    """Energy and emissions by the model of arXiv 2207.14386, eq. 6."""

    label: str
    kwh: float
    co2e_kg: float


class MethodAccount(Record):
    """Cost of a method.

    ``alpha_b`` and ``alpha_fb`` are shares of the offered examples, ``time_*`` ratios to ``full``, ``speed_*`` as in
    ``components.costs.savings.Speed``; ``evaluate`` is charged to no method, since it is the same for all, nor is
    ``validation``, of judging while training.
    """

    counts: ExampleCounts
    planned_cost_epochs: float
    spent: Spent
    evaluate: Seconds
    alpha_b: float
    alpha_fb: float
    paper_cpu_seconds: float
    counted_cpu_seconds: float
    measured_cpu_seconds: float
    time_paper: float
    time_counted: float
    time_measured: float
    speed_reached: float
    speed_ceiling: float
    speed_share: float
    speed_formula: float | None
    measured_over_counted: float
    energy: EnergyAccount
    energy_modelled: ModelledEnergy
    proxy: ProxyAccount | None = None
    validation: ValidationSpent | None = None


class Account(Record):
    """Accounts of all methods by name, with their common preparation, offered examples and unit of ``full``."""

    methods: dict[str, MethodAccount]
    prepare: Seconds
    offered: int
    unit_cpu_seconds: UnitSeconds

    @classmethod
    def settled(cls, root: Path = HERE) -> Account:
        """Return the last account that was written.

        Raises:
            UserError: if there is none.
        """
        return cls.read(root / ACCOUNT)


@dataclass(frozen=True)
class CostColumns:
    """Columns of comparisons and studies from a method's account; None without an account.

    Times without a unit in their name are ratios to those of ``full``.
    """

    alpha_b: float | None = None
    alpha_fb: float | None = None
    paper_cpu_seconds: float | None = None
    counted_cpu_seconds: float | None = None
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    selection_cpu_seconds: float | None = None
    time_paper: float | None = None
    time_counted: float | None = None
    time_measured: float | None = None
    measured_over_counted: float | None = None
    speed_reached: float | None = None
    speed_ceiling: float | None = None
    speed_share: float | None = None
    speed_formula: float | None = None
    energy_kwh: float | None = None
    energy_measured_kwh: float | None = None
    energy_estimated_kwh: float | None = None
    energy_label: str | None = None
    co2e_kg: float | None = None
    energy_modelled_kwh: float | None = None
    co2e_modelled_kg: float | None = None

    @staticmethod
    def of(account: MethodAccount | None) -> CostColumns:
        """Return the columns of a method's ``account``."""
        if account is None:
            return CostColumns()
        same = {key: getattr(account, key) for key in CostColumns.__dataclass_fields__ if key in MethodAccount.model_fields}
        return CostColumns(
            **same,
            cpu_seconds=account.measured_cpu_seconds,
            wall_seconds=account.spent.total.wall_seconds,
            selection_cpu_seconds=account.spent.selection.cpu_seconds,
            energy_kwh=account.energy.kwh,
            energy_measured_kwh=account.energy.measured_kwh,
            energy_estimated_kwh=account.energy.estimated_kwh,
            energy_label=account.energy.label,
            co2e_kg=account.energy.co2e_kg,
            energy_modelled_kwh=account.energy_modelled.kwh,
            co2e_modelled_kg=account.energy_modelled.co2e_kg,
        )

    def columns(self) -> dict[str, float | str | None]:
        """Return the columns by name, in table order."""
        return asdict(self)


@dataclass(frozen=True)
class Gains:
    """AGOT by the measured time, and by the paper's T; None if an input is missing."""

    agot: float | None = None
    agot_paper: float | None = None

    @staticmethod
    def of(
        score: float | None, base: float | None, full: float | None, costs: CostColumns, epsilon: float, *, higher: bool
    ) -> Gains:
        """Return the gains of a run.

        Args:
            score: of the run.
            base: score before training.
            full: score of the run that trained on all examples.
            costs: of the run.
            epsilon: of AGOT.
            higher: whether a higher score is better.
        """

        def by(time: float | None) -> float | None:
            if score is None or base is None or full is None or time is None:
                return None
            return agot(score, base, full, time, epsilon, higher=higher)

        return Gains(by(costs.time_measured), by(costs.time_paper))
