"""Blocks of `methods` in params.yaml, resolved into selectors and checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, JsonValue, ValidationError, create_model

from components.selection import METHODS
from components.selection.guard import Guarded, can_unlearn
from components.selection.selector import Selector
from components.selection.stack import Stack
from pipelines.config.params import Params
from pipelines.config.plans import Member
from pipelines.config.schema.warm_up import WarmUp
from pipelines.core.errors import UserError, unknown

#: Keys that any method's block may have: factors of the task's learning rate and batch size, with their upper bounds.
FACTORS = {"learning_rate": 100, "batch": 100}
#: What a warm-up with its own model shows, by kind: the methods that need it must start from one, and no other may.
APART = {
    "holdout": "irreducible losses",
    "proxy": "what a small model finds hard",
    "nearness": "how near examples are to the target set",
    "fake_class": "what a wrong label looks like",
}


def build(members: Sequence[Member]) -> Selector:
    """Return the selector that a resolved plan describes."""
    selectors = [_built(m) for m in members]
    if any(m.guard and can_unlearn(type(s)) for m, s in zip(members, selectors, strict=True)):
        return Guarded(selectors)
    return selectors[0] if len(selectors) == 1 else Stack(selectors)


def _built(member: Member) -> Selector:
    selector = METHODS[member.method](**member.arguments)
    for key, factor in member.factors.items():
        setattr(selector, key, factor)
    return selector


def resolve(params: Params, name: str, warm_up: float, seen: tuple[str, ...] = ()) -> list[Member]:
    """Return the members (classes and arguments) of the block ``methods.<name>``.

    Raises:
        UserError: for an unknown method or argument, a value out of bounds, or a block that refers to itself.
    """
    where = f"params.yaml: methods.{name}"
    if name in seen:
        raise UserError(f"{where}: refers to itself ({' -> '.join([*seen, name])})")
    if name not in params.methods:
        raise UserError(unknown(where, "method", name, params.methods))
    block = params.methods[name]
    if isinstance(block, list):
        if not block:
            raise UserError(f"{where}: stacks no method; the nearest that works is [full]")
        return [m for part in block for m in resolve(params, part, warm_up, (*seen, name))]
    arguments = dict(block)
    method = arguments.pop("method", name)
    if method not in METHODS:
        raise UserError(unknown(where, "method", str(method), METHODS))
    if "controls" in arguments:
        cost = _cost_of(params, arguments.pop("controls"), where, (*seen, name))
        arguments |= _at_cost(method, where, cost, params.chosen.training.epochs, warm_up)
    check(method, arguments, where)
    own, factors = parted(arguments)
    guard = {"guard": factors.pop("guard")} if "guard" in factors else {}
    return [Member.of({"method": method, "arguments": own} | ({"factors": factors} if factors else {}) | guard)]


def parted(arguments: Mapping[str, JsonValue]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Return a block's ``arguments`` as two mappings: the method's own, and those that any method may have."""
    common = {key: arguments[key] for key in (*FACTORS, "guard") if key in arguments}
    return {key: value for key, value in arguments.items() if key not in common}, common


def _at_cost(method: str, where: str, cost: float, epochs: int, warm_up: float) -> dict[str, float]:
    if cost <= warm_up:
        raise UserError(
            f"{where}: controls: must start from a warm-up under the {cost:.3g} epochs that it is to cost, got one of "
            f"{warm_up:g}; the nearest that works has 0"
        )
    try:
        return METHODS[method].at_cost(cost, epochs, warm_up)
    except ValueError as error:
        raise UserError(f"{where}: controls: {error}") from None


def _cost_of(params: Params, name: str, where: str, seen: tuple[str, ...]) -> float:
    """Return the planned cost, in epochs, of the method whose cost a control matches."""
    if name not in params.compare:
        raise UserError(unknown(f"{where}.controls: {name!r}", "method in 'compare'", str(name), params.compare))
    warm_up = params.warm_ups[params.compare[name]]
    return planned_cost(selector_of(params, name, warm_up.start_epoch, seen), params.chosen.training.epochs, warm_up)


def planned_cost(selector: Selector, epochs: int, warm_up: WarmUp) -> float:
    """Return the planned cost of a run, warm-up included, in epochs over all examples."""
    left = 1 - (warm_up.holdout or 0.0)
    return left * selector.planned_cost(epochs, warm_up.start_epoch) + warm_up.extra


def selector_of(params: Params, name: str, warm_up: float, seen: tuple[str, ...] = ()) -> Selector:
    """Return the selector of the block ``methods.<name>``, after ``warm_up`` epochs.

    Raises:
        UserError: as ``resolve`` does; for arguments that do not fit each other.
    """
    try:
        return build(resolve(params, name, warm_up, seen))
    except ValueError as error:
        raise UserError(f"params.yaml: methods.{name}: {error}") from None


def check(method: str, arguments: Mapping[str, JsonValue], where: str) -> None:
    """Check the types of a method's arguments, and build it once, before anything is run.

    Raises:
        UserError: naming the argument under ``where``.
    """
    known = inspect.signature(METHODS[method], eval_str=True).parameters
    own, factors = parted(arguments)
    for key in own:
        if key not in known:
            raise UserError(unknown(f"{where}.{key}", f"argument of '{method}'", key, [*known, *FACTORS, "guard"]))
    if "guard" in factors:
        _check_guard(f"{where}.guard", method, factors.pop("guard"))
    for key, factor in factors.items():
        _check_factor(f"{where}.{key}", key, factor)
    fields: dict[str, Any] = {n: (p.annotation, ... if p.default is p.empty else p.default) for n, p in known.items()}
    try:
        create_model(method, __config__=ConfigDict(strict=True, allow_inf_nan=False), **fields)(**own)
        METHODS[method](**own)
    except ValidationError as error:
        first, *more = error.errors()
        others = [f"; or: {e['msg'][0].lower()}{e['msg'][1:]}" for e in more if e["loc"][0] == first["loc"][0]]
        raise UserError(f"{where}.{first['loc'][0]}: {first['msg']}{''.join(others)}, got {first['input']!r}") from None
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _check_guard(where: str, method: str, given: object) -> None:
    """Refuse what is neither true nor false, or a guard of a method that leaves the doors open."""
    if not isinstance(given, bool):
        raise UserError(f"{where}: must be true or false, got {given!r}; true is the default")
    if not can_unlearn(METHODS[method]):
        raise UserError(f"{where}: '{method}' chooses at the door 'draw' alone, which has no guard; leave the key out")


def _check_factor(where: str, key: str, factor: object) -> None:
    """Refuse a value that is no valid factor of the learning rate or batch size."""
    if key == "batch" and factor == "drawn":
        return
    most = FACTORS[key]
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor <= most:
        also = ", or 'drawn'" if key == "batch" else ""
        nearest = most if isinstance(factor, int | float) and factor > most else 0.5
        raise UserError(f"{where}: must be a factor in (0, {most}]{also}, got {factor!r}; the nearest that works is {nearest}")
