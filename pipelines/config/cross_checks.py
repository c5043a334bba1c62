"""Checks of params.yaml between keys: references, and values that depend on each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pipelines.config.countries import countries, nearest
from pipelines.core.errors import UserError, unknown

if TYPE_CHECKING:
    from pipelines.config.params import Params


def check_names(path: Path, params: Params) -> None:
    """Check references between keys, and values that depend on several keys.

    Raises:
        UserError: for the first check that fails.
    """
    if params.task not in params.tasks:
        raise UserError(unknown(f"{path}: task: {params.task!r}", "task", params.task, params.tasks))
    if not params.compare:
        raise UserError(f"{path}: compare: names no method; 'full: none' is the least that can be run")
    if "full" not in params.compare:
        raise UserError(f"{path}: compare: 'full' is missing; every saving is measured against it")
    _check_country(path, params.energy.country)
    _check_ramp(path, params)
    _check_memory(path, params)
    _check_diagnosis(path, params)
    _check_proxies(path, params)
    check_methods(path, "compare", params.compare, params)


def check_methods(path: Path, key: str, methods: dict[str, str], params: Params) -> None:
    """Check that the methods under ``key`` are defined, and that their warm-ups fit the training.

    Raises:
        UserError: for the first check that fails.
    """
    for method, warm_up in methods.items():
        where = f"{path}: {key}.{method}"
        if method not in params.methods:
            raise UserError(unknown(where, "method in 'methods'", method, params.methods))
        if warm_up not in params.warm_ups:
            raise UserError(unknown(f"{where}: {warm_up!r}", "warm-up in 'warm_ups'", warm_up, params.warm_ups))
        if params.chosen.stream and params.warm_ups[warm_up].epochs:
            fits = ", ".join(n for n, w in params.warm_ups.items() if not w.epochs) or "none is defined"
            raise UserError(
                f"{where}: must start from a warm-up of 0 epochs, since tasks.{params.task}.stream lets training see an "
                f"example once, got {warm_up!r} of {params.warm_ups[warm_up].epochs:g}; one that works: {fits}"
            )
    for name in sorted(set(methods.values())):
        _check_warm_up(path, params, name)


def _check_country(path: Path, code: str) -> None:
    """Check that CodeCarbon knows the energy mix of the country."""
    if code not in countries():
        near = nearest(code)
        hint = f"; did you mean {near!r}, {countries()[near]}?" if near else ""
        raise UserError(f"{path}: energy.country: must be a country by its ISO 3166 alpha-3 code, got {code!r}{hint}")


def _check_ramp(path: Path, params: Params) -> None:
    """Check that the learning rate's ramp ends before training does."""
    epochs, ramp = params.chosen.training.epochs, params.chosen.training.schedule.ramp
    if ramp >= epochs:
        key = f"tasks.{params.task}.training"
        raise UserError(
            f"{path}: {key}.schedule.ramp: must be under the {epochs} of {key}.epochs, got {ramp}; "
            f"the nearest that works is {epochs - 1}"
        )


def _check_memory(path: Path, params: Params) -> None:
    """Check that a batch of images (float32, three channels) fits in this machine's memory."""
    side, training = params.chosen.image_size, params.chosen.training
    batch = max(training.batch_size, training.look_batch or 0)
    if side is None:
        return
    most = psutil.virtual_memory().total // (12 * side**2)
    if batch > most:
        key = "batch_size" if batch == training.batch_size else "look_batch"
        raise UserError(
            f"{path}: tasks.{params.task}.training.{key}: must be at most {most:,} with images of {side} x {side}, whose "
            f"pixels alone fill this machine's memory, got {batch:,}; a tenth of that leaves room for a model, and so does a "
            "smaller image_size"
        )


def _check_diagnosis(path: Path, params: Params) -> None:
    """Check that the diagnosis's warm-up is defined, and has 0 epochs or at least 2."""
    where, name = f"{path}: diagnose.warm_up", params.diagnose.warm_up
    if name not in params.warm_ups:
        raise UserError(unknown(f"{where}: {name!r}", "warm-up in 'warm_ups'", name, params.warm_ups))
    if 0 < params.warm_ups[name].epochs < 2:
        fits = [n for n, w in params.warm_ups.items() if w.epochs >= 2] or ["none is defined"]
        raise UserError(
            f"{where}: must have 2 epochs or more, or 0 to examine the data without training, got {name!r} of "
            f"{params.warm_ups[name].epochs:g}; one that works: {', '.join(fits)}"
        )


def _check_proxies(path: Path, params: Params) -> None:
    """Check that the proxy of every warm-up can rank the task's examples."""
    for name, warm_up in params.warm_ups.items():
        if warm_up.proxy is not None:
            try:
                warm_up.proxy.check_fits(params.chosen)
            except ValueError as error:
                raise UserError(f"{path}: warm_ups.{name}.proxy: {error} (task '{params.task}')") from None


def _check_warm_up(path: Path, params: Params, name: str) -> None:
    """Check that a warm-up ends before training does, and before its learning rate decays."""
    training, start = params.chosen.training, params.warm_ups[name].start_epoch
    key = f"tasks.{params.task}.training"
    if start >= training.epochs:
        raise UserError(
            f"{path}: {key}.epochs: must be above the {start:g} of the warm-up '{name}', got {training.epochs}; "
            f"the nearest that works is {int(start) + 1}"
        )
    if start > training.schedule.hold:
        raise UserError(
            f"{path}: {key}.schedule.hold: must be at least the {start} epochs of the warm-up '{name}', in which the learning "
            f"rate must not decay, got {training.schedule.hold}; the nearest that works is {start}"
        )
