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

#: Blocks of the controls by kind; a study compares every method with them at the method's own cost.
CONTROLS: dict[str, dict[str, JsonValue]] = {"uniform": {"method": "uniform"}, "short": {"method": "short"}}
#: Further controls if models are judged by class.
CONTROLS_BY_CLASS: dict[str, dict[str, JsonValue]] = {
    "balanced": {"method": "balanced", "budget": "equal", "rare": "keep"},
    "short-weighted": {"method": "short", "class_weights": "balanced"},
    "short-root-weighted": {"method": "short", "class_weights": "square-root"},
}
#: A method's block in params.yaml, or the names of stacked methods.
Block = dict[str, JsonValue] | list[str]
#: Factors of a control's learning rate and batch size; (1, 1) leaves the task's settings as they are.
Factors = tuple[float, float | str]
PLAIN: Factors = (1.0, 1.0)


@dataclass(frozen=True)
class Trial:
    """A trial of a grid: one training, for each seed.

    Attributes:
        name: ``<method>-<fraction>``, with varied settings in between; for a control ``<control>-at-<epochs>``, or
            ``<control>-at-<trial>`` if it is at the cost of that trial, and then its factors.
        role: its role in the tables.
        method: its block in params.yaml; for a control, the control's kind.
        fraction: None for a method without one, and for a control.
        cost: planned cost in epochs over all data; for a control ``after`` a trial, that trial's.
        controls: names of the controls at the same cost; ``full`` if the trial costs no less than that.
        settings: values of the varied arguments; for a control, its factors.
        after: the trial whose measured cost the control gets, seed by seed, if the cost is not known before it has run.
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
        """The name that it shares with its other fractions."""
        return name_of(self.method, self.settings)

    @property
    def settings_json(self) -> str:
        """Its settings as JSON, as a row has them; empty if there are none."""
        return json.dumps(dict(self.settings)) if self.settings else ""


@dataclass(frozen=True)
class Grid:
    """The trials of a study, ``full`` first.

    Attributes:
        trials: including the controls.
        params: params that compare all trials but the controls ``after`` a trial, with the seed of the data.
        start: the warm-up of no epochs, from which ``full`` and the controls start.
        kinds: of the controls.
    """

    trials: tuple[Trial, ...]
    params: Params
    start: str = ""
    kinds: tuple[str, ...] = tuple(CONTROLS)

    def __getitem__(self, name: str) -> Trial:
        return next(c for c in self.trials if c.name == name)


def grid_of(params: Params) -> Grid:
    """Return the grid of the section ``study``.

    Raises:
        UserError: if the section is missing, or a method cannot be part of it.
    """
    if params.study is None:
        raise UserError("params.yaml: study: is missing; it names methods with their warm-ups, fractions and seeds")
    check_methods(Path("params.yaml"), "study.methods", params.study.methods, params)
    search_space.check(params)
    trials, blocks = [Trial("full", "full", "full")], {"full": params.methods.get("full", {})}
    for method in params.study.methods:
        for trial, block in _trials(params, method):
            if trial.name in blocks:
                raise UserError(
                    f"params.yaml: study.methods.{method}: its trial '{trial.name}' has the same name as another trial"
                )
            trials.append(trial)
            blocks[trial.name] = block
    start, warm_ups = _nothing(params)
    compare = {c.name: params.study.methods.get(c.method, start) for c in trials}
    derived = params.model_copy(
        update={"compare": compare, "methods": params.methods | blocks, "warm_ups": params.warm_ups | warm_ups}
    )
    return _controlled(trials, derived, start)


def _nothing(params: Params) -> tuple[str, dict[str, WarmUp]]:
    """Return the name of a warm-up of no epochs, and that warm-up if params.yaml has none."""
    name = next((n for n, w in params.warm_ups.items() if not w.epochs and not w.apart), None)
    return (name, {}) if name else ("nothing", {"nothing": WarmUp(epochs=0)})


def _trials(params: Params, method: str) -> list[tuple[Trial, Block]]:
    """Return a method's trials with their blocks, one for each fraction and setting."""
    assert params.study is not None
    block = params.methods[method]
    if isinstance(block, list):
        return [(Trial(method, "method", method), block)]
    kind = block.get("method", method)
    if kind not in METHODS:
        raise UserError(unknown(f"params.yaml: methods.{method}", "method", str(kind), METHODS))
    if kind in ("full", "short"):
        raise UserError(f"params.yaml: study.methods.{method}: '{kind}' is part of every study; leave it out")
    arguments = {k: v for k, v in block.items() if k not in ("controls", "method")}
    found: list[tuple[Trial, Block]] = []
    for fraction, settings in search_space.combinations(params, method, kind, arguments):
        kept = {} if fraction is None else {"fraction": fraction}
        trial = Trial(name_of(method, settings, fraction), "method", method, fraction, settings=settings)
        found.append((trial, {"method": kind} | arguments | dict(settings) | kept))
    return found


def _controlled(trials: list[Trial], params: Params, start: str) -> Grid:
    """Return the grid of ``trials`` with controls at each of their costs.

    Trials of equal cost share controls. A trial whose cost is not known before it has run has controls of its own, which are
    planned after it.
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
    """Return the kinds of controls, including those by class if models are judged by class.

    Those with class weights of their own are left out if training has some: ``short`` has them then.
    """
    if params.chosen.judging_metric.name not in BY_CLASS or not params.chosen.classifies:
        return tuple(CONTROLS)
    weighed = params.chosen.training.class_weights is not None
    return (*CONTROLS, *(kind for kind, block in CONTROLS_BY_CLASS.items() if not (weighed and "class_weights" in block)))


def _factors(asked: Controls, *, tuned: bool) -> list[Factors]:
    """Return the factors of controls: (1, 1) first, then, if ``tuned``, all others."""
    both = product(asked.learning_rates, asked.batches) if tuned else []
    return [PLAIN, *(factors for factors in both if factors != PLAIN)]


def _controls_at(kinds: tuple[str, ...], cost: float, factors: list[Factors], after: str = "") -> list[Trial]:
    """Return the controls of all kinds and factors, at a cost in epochs or ``after`` a trial."""
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
    """Return a planned cost, rounded to the four decimals of a control's settings."""
    return round(cost, 4)
