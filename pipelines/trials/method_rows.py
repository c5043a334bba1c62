"""Row of a study's method: means over seeds, gains over the controls, cost ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

from pydantic import JsonValue, TypeAdapter

from components.costs.savings import mean_and_deviation
from pipelines.costs.account import CostColumns, Gains
from pipelines.costs.validation_curve import TimeTo, time_to_columns
from pipelines.trials.rows import Columns, TrialRow

#: Key of the best control of all kinds, beside the best of each kind.
BEST = "best_control"
#: The numeric columns of costs.
NUMBERS = tuple(f.name for f in fields(CostColumns) if f.name != "energy_label")


@dataclass(frozen=True)
class Named:
    """Columns with a common prefix, the column of the first field; other fields add their names."""

    @classmethod
    def ends(cls) -> dict[str, str]:
        """Return the suffix of each field's column."""
        first, *rest = (f.name for f in fields(cls))
        return {first: "", **{name: f"_{name}" for name in rest}}

    @classmethod
    def nested(cls, columns: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
        """Return the fields from the columns with the prefix ``name``."""
        return {field: columns.get(f"{name}{end}") for field, end in cls.ends().items()}

    def columns(self, name: str) -> Columns:
        """Return the columns with the prefix ``name``."""
        return {f"{name}{end}": getattr(self, field) for field, end in self.ends().items()}


@dataclass(frozen=True)
class Spread(Named):
    """Mean and standard deviation over seeds; None with fewer than one and two seeds."""

    mean: float | None = None
    deviation: float | None = None

    @staticmethod
    def of(values: Iterable[float | None]) -> Spread:
        """Return the spread of the ``values`` that are not None."""
        return Spread(*mean_and_deviation([value for value in values if value is not None]))


@dataclass(frozen=True)
class GainOver(Named):
    """A gain over a control, paired by seed, positive if the method is better."""

    mean: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class RatioOver(Named):
    """A method's cost relative to the best control's at the same score."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    bound: Literal["", "at most", "at least"] | None = None


@dataclass(frozen=True)
class Control(Named):
    """The best control of a kind: its score over the method's seeds, and its trial."""

    mean: float | None = None
    deviation: float | None = None
    cell: str | None = None


@dataclass(frozen=True)
class AgainstControl:
    """A method's control and the gain over it; all None for ``full``."""

    control: Control = Control()
    gain: GainOver = GainOver()

    @staticmethod
    def nested(columns: Mapping[str, JsonValue], kind: str) -> dict[str, JsonValue]:
        """Return the fields from the ``columns`` of a ``kind`` of control."""
        return {"control": Control.nested(columns, kind), "gain": GainOver.nested(columns, f"gain_over_{kind}")}

    def columns(self, kind: str) -> Columns:
        """Return the columns of a ``kind`` of control."""
        return self.control.columns(kind) | self.gain.columns(f"gain_over_{kind}")


@dataclass(frozen=True)
class Means:
    """Means over a trial's seeds, or deviations; the energy label is that of the first seed.

    ``time_to`` is None without a target; its values are where a seed never reached it.
    """

    score: float | None = None
    chance: float | None = None
    above_chance: float | None = None
    cost_epochs: float | None = None
    examples_trained: float | None = None
    costs: CostColumns = field(default_factory=CostColumns)
    gains: Gains = field(default_factory=Gains)
    time_to: TimeTo | None = None

    @staticmethod
    def of(rows: Sequence[TrialRow], fold: Callable[[Spread], float | None]) -> Means:
        """Return each column's mean or deviation over the ``rows``, as ``fold`` takes it from the spread."""

        def of(values: Iterable[float | None]) -> float | None:
            return fold(Spread.of(values))

        return Means(
            score=of(r.score for r in rows),
            chance=of(r.reached.chance for r in rows),
            above_chance=of(r.reached.above_chance for r in rows),
            cost_epochs=of(r.cost_epochs for r in rows),
            examples_trained=of(r.reached.examples_trained for r in rows),
            costs=CostColumns(
                energy_label=rows[0].costs.energy_label if rows else None,
                **{key: of(getattr(r.costs, key) for r in rows) for key in NUMBERS},
            ),
            gains=Gains(of(r.gains.agot for r in rows), of(r.gains.agot_paper for r in rows)),
            time_to=TimeTo.mean([r.time_to for r in rows], of),
        )

    @staticmethod
    def nested(columns: Mapping[str, JsonValue], metric: str, end: str = "") -> dict[str, JsonValue]:
        """Return the fields from the columns with the suffix ``end``."""
        found = {name.removesuffix(end): value for name, value in columns.items() if name.endswith(end)}
        parts: dict[str, JsonValue] = {"costs": found | {"energy_label": columns.get("energy_label")}, "gains": found}
        parts["time_to"] = TimeTo.nested(found)
        return {**found, **parts, "score": found.get(metric), "chance": found.get(f"chance_{metric}")}

    def columns(self, metric: str) -> dict[str, float | None]:
        """Return the numbers by column, the score under the name of the ``metric``."""
        first = {metric: self.score, f"chance_{metric}": self.chance, "above_chance": self.above_chance}
        counts = {"cost_epochs": self.cost_epochs, "examples_trained": self.examples_trained}
        costs = {key: getattr(self.costs, key) for key in NUMBERS}
        return {**first, **counts, **costs, **asdict(self.gains), **time_to_columns(self.time_to)}


@dataclass(frozen=True)
class MethodRow:
    """Row of ``full``, or of a method at one fraction and setting, with its controls.

    Attributes:
        method: its name in params.yaml.
        fraction: the kept fraction; None without one.
        settings: its varied arguments as JSON; "" if none.
        planned_cost_epochs: in epochs over all data.
        seeds: number of seeds with results.
        metric: the judging metric.
        means: over seeds.
        deviations: standard deviations over seeds.
        above_controls: whether it is surely above all its controls; None with too few seeds.
        agot_best: whether its mean AGOT is the highest of its method.
        held: comparisons by kind of control, and with the best of all kinds.
        cost_ratio: in epochs over all data.
        cpu_ratio: in CPU seconds.
    """

    method: str
    fraction: float | None
    settings: str
    planned_cost_epochs: float
    seeds: int
    metric: str
    means: Means
    deviations: Means
    held: dict[str, AgainstControl]
    cost_ratio: RatioOver = RatioOver()
    cpu_ratio: RatioOver = RatioOver()
    above_controls: bool | None = None
    agot_best: bool = False

    @classmethod
    def of(cls, columns: Mapping[str, JsonValue], metric: str) -> MethodRow:
        """Return the row with these ``columns``.

        Raises:
            pydantic.ValidationError: if a column is missing or of another type.
        """
        kinds = [name.removesuffix("_cell") for name in columns if name.endswith("_cell")]
        parts = {"means": Means.nested(columns, metric), "deviations": Means.nested(columns, metric, "_deviation")}
        ratios = {name: RatioOver.nested(columns, name) for name in ("cost_ratio", "cpu_ratio")}
        held = {kind: AgainstControl.nested(columns, kind) for kind in kinds}
        return TypeAdapter(cls).validate_python({**columns, **parts, **ratios, "held": held, "metric": metric})

    @property
    def score(self) -> Spread:
        """Mean and deviation of the score over seeds."""
        return Spread(self.means.score, self.deviations.score)

    @property
    def best_control(self) -> AgainstControl:
        """The comparison with the best of all controls at its cost."""
        return self.held[BEST]

    def columns(self) -> Columns:
        """Return the columns by name, in the order of the tables."""
        head = {key: getattr(self, key) for key in ("method", "fraction", "settings", "planned_cost_epochs", "seeds")}
        spreads: Columns = {}
        for (name, mean), deviation in zip(
            self.means.columns(self.metric).items(), self.deviations.columns(self.metric).values(), strict=True
        ):
            spreads |= Spread(mean, deviation).columns(name)
        marks = {"above_controls": self.above_controls, "agot_best": self.agot_best}
        held = {name: value for kind, held in self.held.items() for name, value in held.columns(kind).items()}
        ratios = self.cost_ratio.columns("cost_ratio") | self.cpu_ratio.columns("cpu_ratio")
        return {**head, **spreads, "energy_label": self.means.costs.energy_label, **marks, **held, **ratios}
