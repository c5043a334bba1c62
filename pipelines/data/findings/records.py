"""Records of a diagnosis: its numbers, the suspects and the copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import Field, JsonValue

from pipelines.core.artifacts import DIAGNOSIS
from pipelines.core.records import Record


class CopyCounts(Record):
    """Rows that repeat others, as in ``pipelines.data.manifest.DuplicateCounts``."""

    train_exact: int
    train_near: int
    leaked_exact: int
    leaked_near: int
    sought: int


class ShiftFinding(Record):
    """How far ``one`` set is from the ``other``, as in ``components.diagnosis.shift.Shift``."""

    one: str = Field(alias="of")
    other: str = Field(alias="from")
    auc: float
    error: float
    rows: list[int]


class PaceFinding(Record):
    """When examples were learnt, as in ``components.diagnosis.measures.Pace``."""

    early: float
    late: float
    forgotten: float
    never: float


class ClassFinding(Record):
    """A class and its rows; where there was a warm-up, when they were learnt and which share of labels is wrong."""

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
        """The shares of the rows, in the order above; none where there was no warm-up."""
        shares = (self.right, self.early, self.late, self.forgotten, self.never, self.wrong_labels)
        return [share for share in shares if share is not None]


class GradientFinding(Record):
    """How few examples the gradient comes from; ``shares`` are parts of it by the share of the examples."""

    effective_sample_size: float
    shares: dict[str, float]


class WrongLabelsFinding(Record):
    """The estimated share of labels that are wrong, and how many of them are named."""

    rate: float
    suspects: int


class Advice(Record):
    """What to run, as in ``components.diagnosis.recommendation.Recommendation``."""

    method: str | None
    why: str
    settings: dict[str, JsonValue]
    warm_up: dict[str, JsonValue] | None
    cost: float | None


class Findings(Record):
    """What a diagnosis found: the content of diagnosis.json.

    ``gradient`` is None without a warm-up; ``pace`` and ``wrong_labels`` without classes too.
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
        """Return the findings that were written last.

        Raises:
            UserError: where there are none.
        """
        return cls.read(DIAGNOSIS / "diagnosis.json")


@dataclass(frozen=True)
class Example:
    """An example by its id and its place in training; ``told`` are its texts, or the file of its picture."""

    id: int
    row: int
    told: str


@dataclass(frozen=True)
class Suspect:
    """A label that is probably wrong.

    Attributes:
        example: whose label it is.
        given: the label, as it is called.
        likely: the class that the model takes the example for.
        sure: by how much more the model believed that one.
        near: the examples most like it that have the likely label.
    """

    example: Example
    given: str
    likely: str
    sure: float
    near: Sequence[Example]

    def columns(self) -> dict[str, float | str]:
        """Return the row of suspects.csv, to be read by somebody who then writes a verdict."""
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
    """An example that says what an earlier one says, by the ids and splits of both."""

    id: int
    split: str
    same_as: int
    same_as_split: str
    exact: bool

    def columns(self) -> dict[str, float | str]:
        """Return the row of duplicates.csv."""
        return asdict(self)
