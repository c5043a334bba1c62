"""Sections of params.yaml that every task shares, and their base class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from pipelines.core.errors import unknown

#: Names become folders, DVC stages and tags: nothing in them may mean anything to a shell or to a path.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
#: As wide as the narrowest random generator takes it.
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["fp32", "bf16", "fp16"]


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, with the nearest known one, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: object) -> object:
        if isinstance(value, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in value:
                if key not in known:
                    raise ValueError(unknown(f"'{key}'", "key", str(key), known))
        return value


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

    ``look_size`` examples are looked at, ``look_batch`` in a forward pass, before door 3 chooses among them; by default as
    many as the method wants. Without ``refill``, what it keeps of one look is trained at once, in a smaller batch. With
    ``keep_frozen`` the frozen layers' forward pass is taken once an example, before the first step. With ``devices`` a
    training runs in so many processes of ``threads`` each, on a GPU each where there are any; ``batch_size`` is that of
    all together. Without ``deterministic`` a GPU may sum in any order: two runs differ then, and kernels that know no
    other way may be used.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)]
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
    keep_frozen: bool = False
    deterministic: bool = True
    threads: PositiveInt
    devices: PositiveInt = 1

    @model_validator(mode="after")
    def _one_device_for_some(self) -> Training:
        for key in ("compile", "keep_frozen"):
            if self.devices > 1 and getattr(self, key):
                raise ValueError(f"{key}: must be false with devices: {self.devices}, got true; leave out one of the two")
        return self


class Controls(Section):
    """How the controls of a study are tuned, so that no method is held against a weak one.

    At the middle one of the costs that methods have, or at ``all``, each control is trained with every combination of the
    factors of its task's learning rate and batch size, and without any. ``costs``, shares of that of ``full``, are more costs
    at which there are controls, for their curve.
    """

    costs: list[Annotated[float, Field(gt=0, lt=1)]] = []
    learning_rates: list[Annotated[float, Field(gt=0, le=100)]] = [1.0, 2.0, 4.0]
    batches: list[Annotated[float, Field(gt=0, le=100)] | Literal["drawn"]] = [1.0]
    tuned: Literal["one", "all"] = "one"

    @model_validator(mode="after")
    def _each_once(self) -> Controls:
        lists: dict[str, Sequence[object]] = {
            "costs": self.costs,
            "learning_rates": self.learning_rates,
            "batches": self.batches,
        }
        for key, values in lists.items():
            if doubled := [value for value in values if values.count(value) > 1]:
                raise ValueError(f"{key}: each must be there once, got {doubled[0]!r} {values.count(doubled[0])} times")
        return self


class Study(Section):
    """A grid: every method, with the warm-up that it starts from, at every fraction, with every seed.

    ``vary`` gives a method values of more of its arguments, and then it is at every combination of them. ``tasks`` has the
    grid run on each of several tasks: names, or names with what each changes of the ``task`` that it is made of.
    """

    methods: dict[Name, Name]
    fractions: list[Annotated[float, Field(gt=0, le=1)]] = []
    seeds: list[Seed]
    controls: Controls = Controls()
    vary: dict[Name, dict[str, list[Any]]] = {}
    tasks: list[Name] | dict[Name, dict[str, Any] | None] = []

    @model_validator(mode="after")
    def _some_and_each_once(self) -> Study:
        swept = {f"vary.{m}.{k}": values for m, varied in self.vary.items() for k, values in varied.items()}
        lists: dict[str, Sequence[object]] = {"methods": list(self.methods), "seeds": self.seeds, **swept}
        for key, values in lists.items():
            if not values:
                least = {"methods": "'swiftlearn: two-epochs'", "seeds": "[0]"}.get(key, "a list of one value")
                raise ValueError(f"{key}: must name one or more, got none; the least that can be run is {least}")
        for key, values in (lists | {"fractions": self.fractions, "tasks": [*self.tasks]}).items():
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{key}: each must be there once, got {value!r} {values.count(value)} times")
        return self


class Diagnose(Section):
    """What a diagnosis is made from: the score table of a warm-up of two epochs or more, or of a proxy; or of none."""

    warm_up: Name = "two-epochs"


class Pools(Section):
    """Which of Prefect's work pools the stages go to where agents run them; one that is not named goes to ``default``."""

    default: Name
    plan: Name | None = None
    prepare: Name | None = None
    warm_up: Name | None = None
    diagnose: Name | None = None
    subset: Name | None = None
    train: Name | None = None
    evaluate: Name | None = None
    account: Name | None = None
    compare: Name | None = None

    def of(self, address: str) -> str:
        """Return the pool of the stage at ``address``, ``train@full`` say."""
        named: str | None = getattr(self, address.partition("@")[0])
        return named or self.default


class Tracking(Section):
    """What MLflow is told beside the runs: with ``register_best``, the best models of each comparison, in its registry."""

    register_best: bool = True


class Energy(Section):
    """Where the electricity comes from, and the watts of the paper's model."""

    country: str
    cpu_watts: PositiveFloat
    memory_watts: NonNegativeFloat
    gpu_watts: NonNegativeFloat
    gpus: NonNegativeInt


class Advise(Study):
    """Candidates, as a study has them, and what it may cost to choose among them.

    ``rungs`` are shares of the training data, the last of which has all ``seeds`` and the others the first; ``validation`` is
    the part of the training split that judges.
    """

    rungs: list[Annotated[float, Field(gt=0, le=1)]] = [0.25, 0.5, 1.0]
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2

    @model_validator(mode="after")
    def _of_one_task(self) -> Advise:
        if self.tasks:
            raise ValueError(f"tasks: must be left out, got {[*self.tasks]}; advice is on params.yaml's task")
        return self

    @model_validator(mode="after")
    def _ascending(self) -> Advise:
        if not self.rungs or self.rungs != sorted(set(self.rungs)):
            nearest = sorted(set(self.rungs)) or [1.0]
            raise ValueError(
                f"rungs: must be one share or more, each above the last, got {self.rungs}; what works is {nearest}"
            )
        return self
