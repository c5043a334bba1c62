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
    StringConstraints,
    model_validator,
)

from pipelines.core.errors import unknown

#: Names become folders, DVC stages and tags, so they have no character that is special in a shell or path.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
#: Within the range of all random generators that take it.
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A part of params.yaml: frozen; an unknown key is refused with the nearest known one."""

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


class Controls(Section):
    """Tuning of a study's controls, so that no method is compared with a weak one.

    At the middle one of the methods' costs, or with ``tuned: all`` at every cost, each control is trained with every
    combination of the factors of its task's learning rate and batch size, and without any. ``costs``, as shares of the cost
    of ``full``, are more costs with controls, for their curve.
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
    """A grid: every method, with its warm-up, at every fraction, with every seed.

    ``vary`` lists values of more arguments of a method, which is then run at every combination of them. ``tasks`` runs the
    grid on each of several tasks: names, or names with the keys that each changes in the ``task`` it is based on.
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
    """The warm-up whose scores a diagnosis reads: two epochs or more, a proxy, or none."""

    warm_up: Name = "two-epochs"


class Pools(Section):
    """Prefect work pools of the stages that agents run; unnamed stages go to ``default``."""

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
        """Return the pool of the stage at ``address``, such as ``train@full``."""
        named: str | None = getattr(self, address.partition("@")[0])
        return named or self.default


class Tracking(Section):
    """MLflow settings; ``register_best`` puts the best models of each comparison into its model registry."""

    register_best: bool = True


class Energy(Section):
    """Country of the electricity, and the watts of the paper's energy model."""

    country: str
    cpu_watts: PositiveFloat
    memory_watts: NonNegativeFloat
    gpu_watts: NonNegativeFloat
    gpus: NonNegativeInt


class Advise(Study):
    """Candidates, as in a study, and the budget for choosing among them.

    ``rungs`` are shares of the training data; the last is run with all ``seeds``, the others with the first. ``validation``
    is the part of the training split that candidates are judged on.
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
                f"rungs: must be one share or more, each above the last, got {self.rungs}; the nearest that works is {nearest}"
            )
        return self
