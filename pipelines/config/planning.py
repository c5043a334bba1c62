"""Plan files: one for each dependency of a stage."""

from __future__ import annotations

from pathlib import Path

from components.selection.selector import Selector
from pipelines.config.methods import APART, planned_cost, resolve, selector_of
from pipelines.config.params import Params
from pipelines.config.plan_freshness import source_of
from pipelines.config.plans import ComparisonPlan, DiagnosisPlan, MethodPlan, Plans, TaskPlan, TrainingPlan, WarmUpPlan
from pipelines.config.schema.audio import Audio
from pipelines.config.schema.model import Transformer, Untrained
from pipelines.config.schema.warm_up import WarmUp
from pipelines.core import artifacts
from pipelines.core.errors import UserError, unknown

#: Defaults of training settings that plans leave out, so that plans from before the key existed are unchanged.
DEFAULTS: dict[str, object] = {
    "devices": 1,
    "deterministic": True,
    "augment": [],
    "class_weights": None,
    "label_smoothing": 0.0,
    "checkpoint_activations": False,
}


def method_plan(params: Params, name: str) -> MethodPlan:
    """Return the plan of the method ``name`` of the comparison.

    Raises:
        UserError: for settings that cannot work.
    """
    warm_up, epochs = params.warm_ups[params.compare[name]], params.chosen.training.epochs
    members = resolve(params, name, warm_up.start_epoch)
    selector = selector_of(params, name, warm_up.start_epoch)
    _check_evidence(params, name, selector, warm_up)
    try:
        selector.check(epochs, warm_up.start_epoch)
    except ValueError as error:
        raise UserError(f"params.yaml: methods.{name}: {error}") from None
    if params.chosen.stream and selector.sights:
        raise UserError(
            f"params.yaml: compare.{name}: must have seen every example {selector.sights} times, and "
            f"tasks.{params.task}.stream lets training see it once; take the method out, or set stream to false"
        )
    if warm_up.start_epoch < selector.sights:
        fits = [n for n, w in params.warm_ups.items() if w.start_epoch >= selector.sights]
        raise UserError(
            f"params.yaml: compare.{name}: needs a warm-up of at least {selector.sights} epochs, "
            f"got {params.compare[name]!r} of {warm_up.epochs}; one that works: {', '.join(fits) or 'none is defined'}"
        )
    length = selector.length(epochs)
    if length < epochs and length < 2 * warm_up.start_epoch:
        raise UserError(
            f"params.yaml: compare.{name}: its {length:.4g} epochs must be at least twice the {warm_up.epochs} of its warm-up "
            f"'{params.compare[name]}', whose learning rate would decay later; the nearest that works is {2 * warm_up.epochs}"
        )
    if warm_up.scores_in == "eval" and any(m.arguments.get("refresh_by") == "epoch" for m in members):
        raise UserError(
            f"params.yaml: methods.{name}.refresh_by: 'epoch' scores by training, and the warm-up '{params.compare[name]}' by "
            "looks; the nearest that works is 'sweep'"
        )
    return MethodPlan(
        name=name,
        warm_up=params.compare[name],
        members=members,
        length=length,
        planned_cost=planned_cost(selector, epochs, warm_up),
        cost_known=selector.cost_known,
        seed=params.seed,
    )


def _check_evidence(params: Params, name: str, selector: Selector, warm_up: WarmUp) -> None:
    """Refuse a method that needs evidence which its warm-up or the kind of data lacks."""
    where = f"params.yaml: compare.{name}"
    if selector.nearness and params.chosen.target is None:
        raise UserError(f"{where}: draws examples near a target set, and tasks.{params.task} has none under 'target'")
    has = "has several an example" if params.chosen.predicts == "classes" else "predicts none"
    if selector.classes and not params.chosen.classifies:
        given = any("class_weights" in member.arguments for member in resolve(params, name, warm_up.start_epoch))
        remedy = "take its class_weights out" if given else "take it out"
        raise UserError(f"{where}: is for classes, and task '{params.task}' {has}; {remedy}")
    if params.chosen.training.class_weights is not None and _weighs(params, name, warm_up):
        raise UserError(
            f"{where}: has class_weights, and tasks.{params.task}.training.class_weights weighs the classes already; leave one "
            "of the two out"
        )
    if selector.proxy and not params.chosen.classifies:
        raise UserError(f"{where}: ranks by the probabilities of classes, and task '{params.task}' {has}; take it out")
    for kind, evidence in APART.items():
        needed: bool = getattr(selector, kind)
        if needed != (warm_up.apart == kind):
            fits = [n for n, w in params.warm_ups.items() if all(getattr(selector, k) == (w.apart == k) for k in APART)]
            which = f"with a '{kind}', which shows {evidence}" if needed else f"without a '{kind}'"
            got = f"got {params.compare[name]!r}; one that works: {', '.join(fits) or 'none is defined'}"
            raise UserError(f"{where}: needs a warm-up {which}, {got}")
    if "input_norm" in selector.wants and params.chosen.kind == "image" and params.chosen.training.keep_frozen:
        raise UserError(
            f"{where}: input-gradient-norm needs the images, and tasks.{params.task}.training.keep_frozen trains on what the "
            "frozen layers make of them; the nearest that works is 'gradient-norm'"
        )
    if "input_norm" in selector.wants and params.chosen.kind in ("text", "language", "seq2seq", "instructions"):
        raise UserError(
            f"{where}: input-gradient-norm needs inputs that are continuous, and those of task '{params.task}' are token ids; "
            "the nearest that works is 'gradient-norm'"
        )


def _weighs(params: Params, name: str, warm_up: WarmUp) -> bool:
    """Return whether the method weighs examples by class itself."""
    members = resolve(params, name, warm_up.start_epoch)
    return any(member.arguments.get("class_weights", "none") != "none" for member in members)


def plans_of(params: Params) -> Plans:
    """Return all plans that ``params`` requires.

    Raises:
        UserError: for any setting in params.yaml that cannot work, before anything is written.
    """
    task = params.chosen.model_dump(mode="json", by_alias=True)
    if task["separator"] is None:
        del task["separator"]
    training = {"model": task.pop("model"), "training": task.pop("training"), "seed": params.seed}
    reach = {"time_to": task.pop("time_to")} if "time_to" in task else {}
    aside = {"while_training": True} if params.chosen.training.evaluate_every else {}
    for key, default in DEFAULTS.items():
        if training["training"][key] == default:
            del training["training"][key]
    if params.chosen.kind not in ("seq2seq", "instructions"):
        del task["max_target_length"]  # as above
    if task["audio"] is None:
        del task["audio"]  # likewise
    return Plans(
        task=TaskPlan.of(
            {
                "name": params.task,
                "seed": params.seed,
                "tokenizer": training["model"]["source"] if _prepares(params) else None,
                **task,
                **aside,
                **_listener(params),
            }
        ),
        training=TrainingPlan.of(training),
        comparison=ComparisonPlan(
            task=params.task, methods=list(params.compare), agot_epsilon=params.agot_epsilon, energy=params.energy, **reach
        ),
        source=source_of(params),
        diagnosis=_diagnosis_plan(params),
        warm_ups={name: _warm_up_plan(params, name) for name in params.warm_ups},
        methods={name: method_plan(params, name) for name in params.compare},
    )


def _diagnosis_plan(params: Params) -> DiagnosisPlan:
    training = params.chosen.training
    weighed = {} if training.class_weights is None else {"weighed": True}
    return DiagnosisPlan.of({"warm_up": params.diagnose.warm_up, "epochs": training.epochs, **weighed})


def _prepares(params: Params) -> bool:
    """Return whether the model's tokenizer or image processor prepares the data."""
    task = params.chosen
    return isinstance(task.model, Transformer) and not (task.kind == "image" and task.image_size is not None)


def _listener(params: Params) -> dict[str, object]:
    """Return the untrained model of a task of transcripts, which ``prepare`` holds their lengths against.

    Raises:
        UserError: for a type that transformers has no such model of, or features that it does not take.
    """
    task = params.chosen
    if task.predicts != "transcript" or not isinstance(task.model, Untrained):
        return {}
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES as KNOWN

    where, name = f"params.yaml: tasks.{params.task}", task.model.type
    if name not in KNOWN:
        raise UserError(unknown(f"{where}.model.type: {name!r}", "transformers model of transcripts", name, KNOWN))
    waves = hasattr(AutoConfig.for_model(name), "conv_kernel")
    given, wanted = (task.audio or Audio()).features, "waveform" if waves else "log-mel"
    if given != wanted:
        raise UserError(
            f"{where}.audio.features: must be {wanted!r} for a model of type {name!r}, got {given!r}; the nearest "
            f"that works is {wanted!r}"
        )
    return {"listener": task.model.model_dump(mode="json")}


def _warm_up_plan(params: Params, name: str) -> WarmUpPlan:
    warm_up = params.warm_ups[name].model_dump(mode="json", by_alias=True)
    return WarmUpPlan.of(warm_up | {"needed": bool(starts(params, name))})


def starts(params: Params, warm_up: str) -> list[str]:
    """Return the methods of the comparison that start from a warm-up, and the diagnosis if it does."""
    return [n for n, w in params.compare.items() if w == warm_up] + ["the diagnosis"] * (params.diagnose.warm_up == warm_up)


def write(plans: Plans, folder: Path = artifacts.PLAN) -> None:
    """Write all files of a plan to ``folder``."""

    def fill(part: Path) -> None:
        for path, record in plans.files():
            record.write(part / path)

    artifacts.write_folder(folder, fill)
