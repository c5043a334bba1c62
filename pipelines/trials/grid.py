"""Grid of a study: its trials, the same for every seed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from components.costs.savings import BY_CLASS
from components.selection import METHODS
from pipelines.config import planning
from pipelines.config.cross_checks import check_methods
from pipelines.config.params import Params
from pipelines.config.schema.sections import Controls
from pipelines.config.schema.warm_up import WarmUp
from pipelines.core.errors import UserError, unknown
from pipelines.trials import search_space
from pipelines.trials.search_space import Settings, control_name, name_of

#: The kinds of controls, each with its block: what a study holds every method against, at the method's own cost.
CONTROLS: dict[str, dict[str, JsonValue]] = {"uniform": {"method": "uniform"}, "short": {"method": "short"}}
#: Those beside them where models are judged by class.
CONTROLS_BY_CLASS: dict[str, dict[str, JsonValue]] = {
    "balanced": {"method": "balanced", "budget": "equal", "rare": "keep"},
    "short-weighted": {"method": "short", "class_weights": "balanced"},
    "short-root-weighted": {"method": "short", "class_weights": "square-root"},
}
#: What params.yaml says of a method, or the names of those that are stacked.
Block = dict[str, JsonValue] | list[str]
#: Factors of a control's learning rate and batch size; (1, 1) is as the task has them.
Factors = tuple[float, float | str]
PLAIN: Factors = (1.0, 1.0)


@dataclass(frozen=True)
class Trial:
    """A training of a grid.

    Attributes:
        name: of its block: ``<method>-<fraction>``, with settings between them where these are varied; of a control
            ``<control>-at-<epochs>``, after the cost that it has, or ``<control>-at-<trial>``, after the one whose cost, and
            then its factors.
        role: what it stands for in the tables.
        method: the block of params.yaml that it is of; of a control, the control.
        fraction: None for a method that takes none, and for a control.
        cost: planned, in epochs over everything; of a control ``after`` a trial, what was planned for that.
        controls: all trials of controls at the same cost; for a trial that is known to cost no less than ``full``, that.
        settings: the arguments that are varied, with its values of them; of a control, its factors.
        after: the trial whose cost a control has where that is known only when the trial has run, with each seed another.
    """

    name: str
    role: Literal["full", "method", "control"]
    method: str
    fraction: float | None = None
    cost: float = 0.0
    controls: tuple[str, ...] = ()
    settings: Settings = ()
    after: str = ""

    @property
    def column(self) -> str:
        """What it and its other fractions are called together."""
        return name_of(self.method, self.settings)

    @property
    def settings_json(self) -> str:
        """Its settings as a row has them, since no two methods have the same; empty where there are none."""
        return json.dumps(dict(self.settings)) if self.settings else ""


@dataclass(frozen=True)
class Grid:
    """The trials of a study, ``full`` first, the params that compare them all, with the seed of the data, and no warm-up.

    The params lack the controls ``after`` a trial; like all controls, which are of ``kinds``, they start from the warm-up
    ``start``, of no epochs.
    """

    trials: tuple[Trial, ...]
    params: Params
    start: str = ""
    kinds: tuple[str, ...] = tuple(CONTROLS)

    def __getitem__(self, name: str) -> Trial:
        return next(c for c in self.trials if c.name == name)


def grid_of(params: Params) -> Grid:
    """Return the grid that ``params`` asks for.

    Raises:
        UserError: where there is no section for it, or a method cannot be part of it.
    """
    if params.study is None:
        raise UserError("params.yaml: study: is missing; it names methods with their warm-ups, fractions and seeds")
    check_methods(Path("params.yaml"), "study.methods", params.study.methods, params)
    search_space.check(params)
    trials, blocks = [Trial("full", "full", "full")], {"full": params.methods.get("full", {})}
    for method in params.study.methods:
        for trial, block in _trials(params, method):
            if trial.name in blocks:
                raise UserError(f"params.yaml: study.methods.{method}: its trial '{trial.name}' has the name of another one")
            trials.append(trial)
            blocks[trial.name] = block
    start, warm_ups = _nothing(params)
    compare = {c.name: params.study.methods.get(c.method, start) for c in trials}
    derived = params.model_copy(
        update={"compare": compare, "methods": params.methods | blocks, "warm_ups": params.warm_ups | warm_ups}
    )
    return _controlled(trials, derived, start)


def _nothing(params: Params) -> tuple[str, dict[str, WarmUp]]:
    """Return the warm-up of no epochs, from which ``full`` and the controls start, and what to add where there is none."""
    name = next((n for n, w in params.warm_ups.items() if not w.epochs and not w.apart), None)
    return (name, {}) if name else ("nothing", {"nothing": WarmUp(epochs=0)})


def _trials(params: Params, method: str) -> list[tuple[Trial, Block]]:
    """Return the trials of one method, each with its block: one a fraction and setting, or a single one where it takes none."""
    assert params.study is not None
    block = params.methods[method]
    if isinstance(block, list):
        return [(Trial(method, "method", method), block)]
    kind = block.get("method", method)
    if kind not in METHODS:
        raise UserError(unknown(f"params.yaml: methods.{method}", "method", str(kind), METHODS))
    if kind in ("full", "short"):
        raise UserError(
            f"params.yaml: study.methods.{method}: '{kind}' is in every study by itself; what works is to leave it out"
        )
    arguments = {k: v for k, v in block.items() if k not in ("controls", "method")}
    found: list[tuple[Trial, Block]] = []
    for fraction, settings in search_space.combinations(params, method, kind, arguments):
        kept = {} if fraction is None else {"fraction": fraction}
        trial = Trial(name_of(method, settings, fraction), "method", method, fraction, settings=settings)
        found.append((trial, {"method": kind} | arguments | dict(settings) | kept))
    return found


def _controlled(trials: list[Trial], params: Params, start: str) -> Grid:
    """Return the grid of ``trials`` with the controls at each cost that one of them has; trials of one cost share them.

    A trial whose cost is not known yet has controls of its own, which are planned when it has run.
    """
    assert params.study is not None
    planned, asked = planning.plans_of(params).methods, params.study.controls
    full, *methods = [replace(c, cost=_rounded(planned[c.name].planned_cost)) for c in trials]
    known = [c for c in methods if planned[c.name].cost_known]
    costs = sorted({c.cost for c in known if c.cost < full.cost})
    tuned = set(costs if asked.tuned == "all" else costs[(len(costs) - 1) // 2 :][:1])
    kinds = kinds_of(params)
    beside: dict[str, list[Trial]] = {}
    for trial in methods:
        if trial in known:
            factors = _factors(asked, tuned=trial.cost in tuned)
            beside[trial.name] = _controls_at(kinds, trial.cost, factors) if trial.cost < full.cost else [full]
        else:
            factors = _factors(asked, tuned=asked.tuned == "all" or not costs)
            beside[trial.name] = _controls_at(kinds, trial.cost, factors, trial.name)
    factors = _factors(asked, tuned=asked.tuned == "all")
    more = [_controls_at(kinds, round(share * full.cost, 4), factors) for share in asked.costs]
    controls = {c.name: c for c in chain(*beside.values(), *more) if c.role == "control"}
    controlled = [replace(c, controls=tuple(control.name for control in beside[c.name])) for c in methods]
    blocks = {c.name: block_at(c, c.cost, params.chosen.training.epochs) for c in controls.values() if not c.after}
    every = (full, *controlled, *controls.values())
    compare = {c.name: params.compare.get(c.name, start) for c in every if not c.after}
    derived = params.model_copy(update={"compare": compare, "methods": params.methods | blocks})
    return Grid(every, derived, start, kinds)


def kinds_of(params: Params) -> tuple[str, ...]:
    """Return the kinds of controls that a method is held against: those by class too where models are judged by class."""
    return (*CONTROLS, *(CONTROLS_BY_CLASS if params.chosen.judging_metric.name in BY_CLASS else ()))


def _factors(asked: Controls, *, tuned: bool) -> list[Factors]:
    """Return the factors of the controls at a cost: none first, and where they are ``tuned`` every combination."""
    both = product(asked.learning_rates, asked.batches) if tuned else []
    return [PLAIN, *(factors for factors in both if factors != PLAIN)]


def _controls_at(kinds: tuple[str, ...], cost: float, factors: list[Factors], after: str = "") -> list[Trial]:
    """Return a control of each kind with each of ``factors``, at a cost in epochs, or at that of the trial ``after``."""
    found = []
    for control, (rate, batch) in product(kinds, factors):
        settings = tuple((k, v) for k, v in (("learning_rate", rate), ("batch", batch)) if v != 1)
        name = control_name(f"{control}-at-{after or repr(cost)}", settings)
        found.append(Trial(name, "control", control, cost=cost, settings=settings, after=after))
    return found


def block_at(trial: Trial, cost: float, epochs: int) -> dict[str, JsonValue]:
    """Return the block of the control ``trial`` at a cost in epochs."""
    block = (CONTROLS | CONTROLS_BY_CLASS)[trial.method]
    return block | METHODS[str(block["method"])].at_cost(cost, epochs, 0.0) | dict(trial.settings)


def _rounded(cost: float) -> float:
    """Return a planned cost to the four digits that a control's settings have."""
    return round(cost, 4)
