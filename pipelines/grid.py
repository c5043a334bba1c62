"""A study's grid: which trainings it is made of, each a block like those in params.yaml, the same for every seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from components.selection import METHODS
from pipelines import plan, variants
from pipelines.errors import UserError, unknown
from pipelines.params import Params
from pipelines.params_checks import check_methods
from pipelines.variants import Settings, name_of
from pipelines.warm_up_sections import WarmUp

CONTROLS = ("uniform", "short")


@dataclass(frozen=True)
class Cell:
    """A training of a grid.

    Attributes:
        name: of its block: ``<method>-<fraction>``, with settings between them where these are varied; of a control
            ``<control>-at-<epochs>``, after the cost that it has, or ``<control>-at-<cell>``, after the one whose cost.
        role: what it stands for in the tables.
        method: the block of params.yaml that it is of; of a control, the control.
        fraction: None for a method that takes none, and for a control.
        cost: planned, in epochs over everything; of a control ``after`` a cell, what was planned for that.
        controls: the two cells of the same cost; for a cell that is known to cost no less than ``full``, that.
        settings: the arguments that are varied, with its values of them.
        after: the cell whose cost a control has where that is known only when the cell has run, with each seed another.
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


@dataclass(frozen=True)
class Grid:
    """The cells of a study, ``full`` first, the params that compare them all, with the seed of the data, and no warm-up.

    The params lack the controls ``after`` a cell; like all controls they start from the warm-up ``start``, of no epochs.
    """

    cells: tuple[Cell, ...]
    params: Params
    start: str = ""

    def __getitem__(self, name: str) -> Cell:
        return next(c for c in self.cells if c.name == name)


def grid_of(params: Params) -> Grid:
    """Return the grid that ``params`` asks for.

    Raises:
        UserError: where there is no section for it, or a method cannot be part of it.
    """
    if params.study is None:
        raise UserError("params.yaml: study: is missing; it names methods with their warm-ups, fractions and seeds")
    check_methods(Path("params.yaml"), "study.methods", params.study.methods, params)
    variants.check(params)
    cells, blocks = [Cell("full", "full", "full")], {"full": params.methods.get("full", {})}
    for method in params.study.methods:
        for cell, block in _cells(params, method):
            if cell.name in blocks:
                raise UserError(f"params.yaml: study.methods.{method}: its cell '{cell.name}' has the name of another one")
            cells.append(cell)
            blocks[cell.name] = block
    start, warm_ups = _nothing(params)
    compare = {c.name: params.study.methods.get(c.method, start) for c in cells}
    derived = params.model_copy(
        update={"compare": compare, "methods": params.methods | blocks, "warm_ups": params.warm_ups | warm_ups}
    )
    return _controlled(cells, derived, start)


def _nothing(params: Params) -> tuple[str, dict[str, WarmUp]]:
    """Return the warm-up of no epochs, from which ``full`` and the controls start, and what to add where there is none."""
    name = next((n for n, w in params.warm_ups.items() if not w.epochs), None)
    return (name, {}) if name else ("nothing", {"nothing": WarmUp(epochs=0)})


def _cells(params: Params, method: str) -> list[tuple[Cell, Any]]:
    """Return the cells of one method, each with its block: one a fraction and setting, or a single one where it takes none."""
    assert params.study is not None
    block = params.methods[method]
    if isinstance(block, list):
        return [(Cell(method, "method", method), block)]
    kind = block.get("method", method)
    if kind not in METHODS:
        raise UserError(unknown(f"params.yaml: methods.{method}", "method", str(kind), METHODS))
    if kind in ("full", "short"):
        raise UserError(
            f"params.yaml: study.methods.{method}: '{kind}' is in every study by itself; what works is to leave it out"
        )
    arguments = {k: v for k, v in block.items() if k not in ("controls", "method")}
    found: list[tuple[Cell, Any]] = []
    for fraction, settings in variants.combinations(params, method, kind, arguments):
        kept = {} if fraction is None else {"fraction": fraction}
        cell = Cell(name_of(method, settings, fraction), "method", method, fraction, settings=settings)
        found.append((cell, {"method": kind} | arguments | dict(settings) | kept))
    return found


def _controlled(cells: list[Cell], params: Params, start: str) -> Grid:
    """Return the grid of ``cells`` with two controls at each cost that one of them has; cells of one cost share them.

    A cell whose cost is not known yet has two of its own, which are planned when it has run.
    """
    planned = plan.files_of(params)
    costed = [replace(c, cost=_rounded(planned[f"methods/{c.name}"])) for c in cells]
    controls: dict[str, Cell] = {}
    blocks: dict[str, Any] = {}
    for place, cell in enumerate(costed[1:], 1):
        known = planned[f"methods/{cell.name}"]["cost_known"]
        if known and cell.cost >= costed[0].cost:
            costed[place] = replace(cell, controls=("full", "full"))
            continue
        names = {f"{control}-at-{repr(cell.cost) if known else cell.name}": control for control in CONTROLS}
        costed[place] = replace(cell, controls=tuple(names))
        for name, control in names.items():
            controls.setdefault(name, Cell(name, "control", control, cost=cell.cost, after="" if known else cell.name))
            if known:
                blocks.setdefault(name, {"method": control, "controls": cell.name})
    every = (*costed, *controls.values())
    compare = {c.name: params.compare.get(c.name, start) for c in every if not c.after}
    return Grid(every, params.model_copy(update={"compare": compare, "methods": params.methods | blocks}), start)


def _rounded(planned: dict[str, Any]) -> float:
    """Return the planned cost to the four digits that a control's settings have."""
    return round(float(planned["planned_cost"]), 4)
