"""Records of a diagnosis: its numbers, the suspects and the copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import Field, JsonValue

from pipelines.core.artifacts import DIAGNOSIS
from pipelines.core.records import Record


class CopyCounts(Record):
    """Counts of duplicates, as in ``pipelines.data.manifest.DuplicateCounts``."""

    train_exact: int
    train_near: int
    leaked_exact: int
    leaked_near: int
    sought: int


class ShiftFinding(Record):
    """Shift between ``one`` set and the ``other``, as in ``components.diagnosis.shift.Shift``."""

    one: str = Field(alias="of")
    other: str = Field(alias="from")
    auc: float
    error: float
    rows: list[int]


class PaceFinding(Record):
    """Shares of examples by when they were learnt, as in ``components.diagnosis.measures.Pace``."""

    early: float
    late: float
    forgotten: float
    never: float


class ClassFinding(Record):
    """A class and its number of rows; with a warm-up, its pace and wrong labels."""

    name: str
    rows: int
    right: float | None = None
    early: float | None = None
    late: float | None = None
    forgotten: float | None = None
    never: float | None = None
    wrong_labels: float | None = None

    @property
    def shares(self) -> list[float]:
        """Shares of the rows, in the order above; empty without a warm-up."""
        shares = (self.right, self.early, self.late, self.forgotten, self.never, self.wrong_labels)
        return [share for share in shares if share is not None]


class GradientFinding(Record):
    """Concentration of the gradient; ``shares`` maps a share of the examples to their part of it."""

    effective_sample_size: float
    shares: dict[str, float]


class WrongLabelsFinding(Record):
    """Estimated share of wrong labels, and number of suspects."""

    rate: float
    suspects: int


class Advice(Record):
    """Recommended method, as in ``components.diagnosis.recommendation.Recommendation``."""

    method: str | None
    why: str
    settings: dict[str, JsonValue]
    warm_up: dict[str, JsonValue] | None
    cost: float | None


class Findings(Record):
    """Findings of a diagnosis, the content of diagnosis.json.

    ``gradient`` is None without a warm-up; ``pace`` and ``wrong_labels`` also without classes.
    """

    task: str
    warm_up: str
    metric: str
    duplicates: CopyCounts
    shift: ShiftFinding
    classes: list[ClassFinding]
    gradient: GradientFinding | None = None
    pace: PaceFinding | None = None
    wrong_labels: WrongLabelsFinding | None = None
    advice: Advice

    @classmethod
    def written(cls) -> Findings:
        """Return the last findings that were written.

        Raises:
            UserError: if there are none.
        """
        return cls.read(DIAGNOSIS / "diagnosis.json")


@dataclass(frozen=True)
class Example:
    """An example: id, row in training, and texts or picture file (``told``)."""

    id: int
    row: int
    told: str


@dataclass(frozen=True)
class Suspect:
    """A label that is probably wrong.

    Attributes:
        example: with the label.
        given: name of its label.
        likely: name of the class that the model predicts.
        sure: the model's margin for the likely class over the given one.
        near: the nearest examples with the likely label.
    """

    example: Example
    given: str
    likely: str
    sure: float
    near: Sequence[Example]

    def columns(self) -> dict[str, float | str]:
        """Return the row of suspects.csv, with an empty verdict for a reader to fill in."""
        like = "; ".join(f"{n.id}: {n.told}" if n.told else str(n.id) for n in self.near)
        return {
            "id": self.example.id,
            "example": self.example.told,
            "given": self.given,
            "likely": self.likely,
            "sure": round(self.sure, 4),
            "agreeing": like,
            "verdict": "",
        }


@dataclass(frozen=True)
class Copy:
    """A duplicate and its original, by id and split."""

    id: int
    split: str
    same_as: int
    same_as_split: str
    exact: bool

    def columns(self) -> dict[str, float | str]:
        """Return the row of duplicates.csv."""
        return asdict(self)
