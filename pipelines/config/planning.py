"""The plan's files: methods resolved and checked, a file for each thing that a stage depends on."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from components.selection import METHODS
from components.selection.selector import Selector
from components.selection.stack import Stack
from pipelines.config.params import Params
from pipelines.config.plan_freshness import source_of
from pipelines.config.schema.warm_up import WarmUp
from pipelines.core import artifacts
from pipelines.core.errors import UserError, unknown

#: The keys that a block of any method may have, factors of what the task's training says, with the largest there is.
FACTORS = {"learning_rate": 100, "batch": 100}
#: What a warm-up by a model of its own tells, by its kind: who needs it may start from no other, and nobody else from it.
APART = {
    "holdout": "irreducible losses",
    "proxy": "what a small model finds hard",
    "nearness": "how near examples are to the target set",
    "fake_class": "what a wrong label looks like",
}


def build(members: list[dict[str, Any]]) -> Selector:
    """Return the selector that a resolved plan describes."""
    selectors = [_built(m) for m in members]
    return selectors[0] if len(selectors) == 1 else Stack(selectors)


def _built(member: dict[str, Any]) -> Selector:
    selector = METHODS[member["method"]](**member["arguments"])
    for key, factor in member.get("factors", {}).items():
        setattr(selector, key, factor)
    return selector


def resolve(params: Params, name: str, warm_up: float, seen: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return the classes and arguments that the block ``methods.<name>`` stands for.

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
    own, factors = parted(arguments)
    check(method, arguments, where)
    return [{"method": method, "arguments": own} | ({"factors": factors} if factors else {})]


def parted(arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what of a block's ``arguments`` is the method's own, and the factors of the task's training that any may have."""
    factors = {key: arguments[key] for key in FACTORS if key in arguments}
    return {key: value for key, value in arguments.items() if key not in FACTORS}, factors


def _at_cost(method: str, where: str, cost: float, epochs: int, warm_up: float) -> dict[str, Any]:
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
    """Return the planned cost, in epochs, of the method that a control is to cost the same as."""
    if name not in params.compare:
        raise UserError(unknown(f"{where}.controls: {name!r}", "method in 'compare'", str(name), params.compare))
    warm_up = params.warm_ups[params.compare[name]]
    return planned_cost(_selector(params, name, warm_up.begun, seen), params.chosen.training.epochs, warm_up)


def planned_cost(selector: Selector, epochs: int, warm_up: WarmUp) -> float:
    """Return what a run costs, its warm-up included, in epochs over everything."""
    left = 1 - (warm_up.holdout or 0.0)
    return left * selector.planned_cost(epochs, warm_up.begun) + warm_up.extra


def _selector(params: Params, name: str, warm_up: float, seen: tuple[str, ...] = ()) -> Selector:
    try:
        return build(resolve(params, name, warm_up, seen))
    except ValueError as error:
        raise UserError(f"params.yaml: methods.{name}: {error}") from None


def check(method: str, arguments: dict[str, Any], where: str) -> None:
    """Build the method once, its arguments' types checked, before anything is run.

    Raises:
        UserError: naming the argument under ``where``.
    """
    known = inspect.signature(METHODS[method], eval_str=True).parameters
    arguments, factors = parted(arguments)
    for key in arguments:
        if key not in known:
            raise UserError(unknown(f"{where}.{key}", f"argument of '{method}'", key, [*known, *FACTORS]))
    for key, factor in factors.items():
        _check_factor(f"{where}.{key}", key, factor)
    fields: dict[str, Any] = {n: (p.annotation, ... if p.default is p.empty else p.default) for n, p in known.items()}
    try:
        create_model(method, __config__=ConfigDict(strict=True, allow_inf_nan=False), **fields)(**arguments)
        METHODS[method](**arguments)
    except ValidationError as error:
        first, *more = error.errors()
        others = [f"; or: {e['msg'][0].lower()}{e['msg'][1:]}" for e in more if e["loc"][0] == first["loc"][0]]
        raise UserError(f"{where}.{first['loc'][0]}: {first['msg']}{''.join(others)}, got {first['input']!r}") from None
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _check_factor(where: str, key: str, factor: object) -> None:
    """Refuse what is no factor of a task's learning rate or batch size."""
    if key == "batch" and factor == "drawn":
        return
    most = FACTORS[key]
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor <= most:
        also = ", or 'drawn'" if key == "batch" else ""
        nearest = most if isinstance(factor, int | float) and factor > most else 0.5
        raise UserError(f"{where}: must be a factor in (0, {most}]{also}, got {factor!r}; the nearest that works is {nearest}")


def method_plan(params: Params, name: str) -> dict[str, Any]:
    """Return what the plan's file of the method ``name`` of the comparison holds.

    Raises:
        UserError: for what cannot work.
    """
    warm_up, epochs = params.warm_ups[params.compare[name]], params.chosen.training.epochs
    members = resolve(params, name, warm_up.begun)
    selector = _selector(params, name, warm_up.begun)
    _check_evidence(params, name, selector, warm_up)
    try:
        selector.check(epochs, warm_up.begun)
    except ValueError as error:
        raise UserError(f"params.yaml: methods.{name}: {error}") from None
    if params.chosen.stream and selector.sights:
        raise UserError(
            f"params.yaml: compare.{name}: judges by {selector.sights} sights of every example, and tasks.{params.task}.stream "
            "lets training see it once; take the method out, or set stream to false"
        )
    if warm_up.begun < selector.sights:
        fits = [n for n, w in params.warm_ups.items() if w.begun >= selector.sights]
        raise UserError(
            f"params.yaml: compare.{name}: needs a warm-up of at least {selector.sights} epochs, "
            f"got {params.compare[name]!r} of {warm_up.epochs}; one that works: {', '.join(fits) or 'none is defined'}"
        )
    length = selector.length(epochs)
    if length < epochs and length < 2 * warm_up.begun:
        raise UserError(
            f"params.yaml: compare.{name}: its {length:.4g} epochs must be at least twice the {warm_up.epochs} of its warm-up "
            f"'{params.compare[name]}', whose learning rate would decay later; the nearest that works is {2 * warm_up.epochs}"
        )
    if warm_up.scores_in == "eval" and any(m["arguments"].get("refresh_by") == "epoch" for m in members):
        raise UserError(
            f"params.yaml: methods.{name}.refresh_by: 'epoch' scores by training, and the warm-up '{params.compare[name]}' by "
            "looks; the nearest that works is 'sweep'"
        )
    return {
        "name": name,
        "warm_up": params.compare[name],
        "members": members,
        "length": length,
        "planned_cost": planned_cost(selector, epochs, warm_up),
        "cost_known": selector.cost_known,
        "seed": params.seed,
    }


def _check_evidence(params: Params, name: str, selector: Selector, warm_up: WarmUp) -> None:
    """Refuse a method that the warm-up or the kind of data cannot give what it judges by."""
    where = f"params.yaml: compare.{name}"
    if selector.nearness and params.chosen.target is None:
        raise UserError(f"{where}: draws what is near to a target set, and tasks.{params.task} names none under 'target'")
    if selector.classes and not params.chosen.classifies:
        weighs = any("class_weights" in member["arguments"] for member in resolve(params, name, warm_up.begun))
        remedy = "take its class_weights out" if weighs else "take it out"
        raise UserError(f"{where}: is for classes, and task '{params.task}' predicts none; {remedy}")
    if selector.proxy and not params.chosen.classifies:
        raise UserError(f"{where}: ranks by the probabilities of classes, and task '{params.task}' predicts none; take it out")
    for kind, told in APART.items():
        needed: bool = getattr(selector, kind)
        if needed != (warm_up.apart == kind):
            fits = [n for n, w in params.warm_ups.items() if all(getattr(selector, k) == (w.apart == k) for k in APART)]
            which = f"with a '{kind}', which tells {told}" if needed else f"without a '{kind}'"
            got = f"got {params.compare[name]!r}; one that works: {', '.join(fits) or 'none is defined'}"
            raise UserError(f"{where}: needs a warm-up {which}, {got}")
    if "input_norm" in selector.wants and params.chosen.kind in ("text", "language"):
        raise UserError(
            f"{where}: input-gradient-norm needs inputs that are continuous, and those of task '{params.task}' are token ids; "
            "the nearest that works is 'gradient-norm'"
        )


def files_of(params: Params) -> dict[str, Any]:
    """Return what the plan's files hold, by their names without suffix.

    Raises:
        UserError: for anything in params.yaml that cannot work, before anything is written.
    """
    task = params.chosen.model_dump(mode="json", by_alias=True)
    training = {"model": task.pop("model"), "training": task.pop("training"), "seed": params.seed}
    for key, default in (("devices", 1), ("deterministic", True)):
        # What was planned before there was such a key is the same still.
        if training["training"][key] == default:
            del training["training"][key]
    files: dict[str, Any] = {
        "task": {"name": params.task, "seed": params.seed, "tokenizer": training["model"].get("source"), **task},
        "training": training,
        "comparison": {
            "task": params.task,
            "methods": list(params.compare),
            "agot_epsilon": params.agot_epsilon,
            "energy": params.energy.model_dump(),
        },
    }
    files["source"] = source_of(params)
    files["diagnosis"] = {"warm_up": params.diagnose.warm_up, "epochs": params.chosen.training.epochs}
    for name, warm_up in params.warm_ups.items():
        files[f"warm_ups/{name}"] = warm_up.model_dump(mode="json", by_alias=True) | {"needed": bool(starts(params, name))}
    return files | {f"methods/{n}": method_plan(params, n) for n in params.compare}


def starts(params: Params, warm_up: str) -> list[str]:
    """Return who starts from a warm-up: methods of the comparison, and the diagnosis."""
    return [n for n, w in params.compare.items() if w == warm_up] + ["the diagnosis"] * (params.diagnose.warm_up == warm_up)


def write(files: dict[str, Any]) -> None:
    """Write what ``files_of`` returned."""

    def fill(folder: Path) -> None:
        for name, value in files.items():
            artifacts.write_json(folder / f"{name}.json", value)

    artifacts.write_folder(artifacts.PLAN, fill)
