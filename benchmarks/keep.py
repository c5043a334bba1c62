"""Door 3: measured time of an epoch over its counted ideal, for every rule and kind of look.

All contestants advance in turns of a few batches in one process, so that other load on the machine affects all alike. Three
plain PyTorch loops without the project's training code give the units: a full step, a forward pass in evaluation mode over a
look, and one in training mode. In units of a full step they take 1, phi_e and phi_t; all three include fetching. A fourth
loop alternates looks and steps, as the door does, without choosing.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.common import ONE_THREAD, asked, inside, params_of, repro, save, summary
from benchmarks.training_loops import Setting
from pipelines.core.artifacts import plan_of

if TYPE_CHECKING:
    from components.engine.training import Training
    from components.selection.selector import Selector

#: Task -> examples of an epoch.
LIMITS: dict[str, int | None] = {"fashion-mnist": 24_000, "fashion-vit": 7_680, "movie-reviews": 1_024}
#: Task -> examples of a batch.
BATCHES = {"fashion-mnist": 128, "fashion-vit": 128, "movie-reviews": 32}
RULES = ("uniform", "big-loss", "small-loss", "gradient-norm", "adaboost", "coreset-1", "coreset-2")
FRACTIONS = (0.1, 0.2, 0.5)
IN_TURN = "plain 0.5"
TURNS = 40
#: Epochs of a contest: a stale look serves three.
EPOCHS = 3
TARGETS = {"measured_over_ideal": 1.05, "selection_share": 0.01, "milliseconds": 0.3}


def methods() -> dict[str, Selector]:
    """Return the contestants by name."""
    from components.selection.keep.adaselection import AdaSelection
    from components.selection.keep.rule import ByRule

    named: dict[str, Selector] = {f"{rule} {f}": ByRule(rule, f) for rule in RULES for f in FRACTIONS}
    named |= {f"adaselection {f}": AdaSelection(f) for f in FRACTIONS}
    for look in ("stale(3)", "whole-batch"):
        named[f"adaselection 0.5 {look}"] = AdaSelection(0.5, look=look)
        named |= {f"{rule} 0.5 {look}": ByRule(rule, 0.5, look) for rule in ("uniform", "big-loss")}
    return named


def ideal(name: str, phi_e: float, phi_t: float) -> float:
    """Return the ideal time of an example, in full steps."""
    fraction = float(name.split()[1])
    if name.endswith("whole-batch"):
        return phi_t + fraction * (1 - phi_t)
    return (phi_e / 3 if name.endswith("stale(3)") else phi_e) + fraction


def plain(setting: Setting, size: int, work: Callable[[Any, Any], object]) -> Iterator[float]:
    """Run ``work`` on every batch repeatedly, and yield the share of the contest done."""
    learner = setting.learner()
    rows = setting.order(size)
    for epoch in range(EPOCHS):
        for done, part in enumerate(rows.split(size), 1):
            work(learner, setting.examples.fetch(part, learner.device))
            yield (epoch + min(1.0, done * size / len(rows))) / EPOCHS


def step(learner: Any, batch: Any) -> None:  # noqa: ANN401
    """Take a step as in a plain training loop."""
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_

    learner.model.train()
    output = learner.model(**batch.inputs)
    loss = cross_entropy(getattr(output, "logits", output), batch.target)
    learner.optimizer.zero_grad()
    loss.backward()
    if learner.clip_norm is not None:
        clip_grad_norm_(learner.parameters, learner.clip_norm)
    learner.optimizer.step()


def look(learner: Any, batch: Any) -> None:  # noqa: ANN401
    """Compute the losses of a batch in evaluation mode."""
    import torch

    learner.model.eval()
    with torch.inference_mode():
        losses(learner, batch)


def forward(learner: Any, batch: Any) -> None:  # noqa: ANN401
    """Compute the losses of a batch in training mode, as a step does."""
    learner.model.train()
    losses(learner, batch)


def alternate(learner: Any, batch: Any) -> None:  # noqa: ANN401
    """Compute the losses of a batch, and take a step on its first half."""
    from components.tasks.batch import Batch

    half = len(batch) // 2
    look(learner, batch)
    inputs = {name: value[:half] for name, value in batch.inputs.items()}
    step(learner, Batch(batch.rows.between(0, half), inputs, batch.target[:half], batch.weight[:half]))


def losses(learner: Any, batch: Any) -> None:  # noqa: ANN401
    """Return the losses of a batch."""
    from torch.nn.functional import cross_entropy

    output = learner.model(**batch.inputs)
    cross_entropy(getattr(output, "logits", output), batch.target, reduction="none")


def training(setting: Setting, selector: Selector) -> Training:
    """Return a training of the project."""
    import torch

    from components.engine.training import Training
    from components.evidence.ledger import Ledger, LogitMemory
    from components.run_position import Plan

    learner, examples = setting.learner(), setting.examples
    learner.norms = "norm" in selector.wants
    ledger = Ledger(len(examples), LogitMemory(torch.zeros(len(examples), examples.outputs), examples.outputs))
    size, look_batch = setting.training.batch_size, setting.training.look_batch
    assert look_batch is not None, "as prepared() leaves it"
    plan = Plan(EPOCHS, size, setting.training.look_size or selector.look_size(size), look_batch, seed=0)
    return Training(learner, examples, selector, ledger, plan)


def advancing(run: Training) -> Iterator[float]:
    """Train, and yield the share of the contest done."""
    from components.epoch_records import Step

    for moment in run.until():
        yield min(moment.epoch + (moment.done / moment.total if isinstance(moment, Step) else 1), EPOCHS) / EPOCHS


def by_size(setting: Setting) -> dict[int, float]:
    """Return microseconds per example of looks by their size, the least of three passes over part of the examples."""
    learner, batch = setting.learner(), setting.training.batch_size
    count = min(64 * batch, len(setting.examples))

    def seconds(size: int) -> float:
        start = time.process_time()
        for part in setting.order(size).between(0, count).split(size):
            look(learner, setting.examples.fetch(part, learner.device))
        return time.process_time() - start

    sizes = [batch // 2, *(batch * k for k in (1, 2, 4, 8, 16))]
    return {size: round(1e6 * min(seconds(size) for _ in range(3)) / count, 2) for size in sizes}


def of_128(classes: int = 10, looks: int = 2000) -> float:
    """Return the milliseconds that AdaSelection's seven rules take to learn from a look of 128 examples and choose."""
    import torch

    from components.evidence.evidence import Evidence
    from components.evidence.objectives import OBJECTIVES
    from components.selection.keep.adaselection import SEVEN, AdaSelection

    torch.set_num_threads(1)
    method, target = AdaSelection(0.2, list(SEVEN), explore=False), torch.randint(0, classes, (128,))
    seen = [OBJECTIVES["class"].see(torch.randn(128, classes), target, norm=False) for _ in range(looks)]
    given = [Evidence(torch.arange(128), target, s.loss, s.output, True, log_p=s.log_p) for s in seen]
    start = time.process_time()
    for evidence in given:
        method.learn(evidence, None)  # type: ignore[arg-type]
        method.keep(evidence, None)  # type: ignore[arg-type]
    return 1000 * (time.process_time() - start) / looks


def contest(runs: dict[str, Iterator[float]]) -> dict[str, float]:
    """Advance all ``runs`` in turns to their ends; return the CPU seconds of each."""
    seconds, names = dict.fromkeys(runs, 0.0), list(runs)
    for turn in range(TURNS):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = time.process_time()
            for done in runs[name]:
                if done >= (turn + 1) / TURNS and turn + 1 < TURNS:
                    break
            seconds[name] += time.process_time() - start
    return seconds


def once(task: str, params: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Run the contest in a fresh copy; return the figures by contestant."""
    with inside(params) as folder:
        repro(folder, "prepare")
        setting = prepared()
        size, looked = setting.training.batch_size, setting.training.look_batch
        assert looked is not None, "as prepared() leaves it"
        units = {"step": (size, step), "look": (looked, look), "forward": (size, forward), IN_TURN: (2 * size, alternate)}
        runs = {name: training(setting, selector) for name, selector in methods().items()}
        plains = {name: plain(setting, *unit) for name, unit in units.items()}
        seconds = contest(plains | {name: advancing(run) for name, run in runs.items()})
        sizes = by_size(setting)
    shares = {"phi_e": seconds["look"] / seconds["step"], "phi_t": seconds["forward"] / seconds["step"]}
    found = {name: figures(name, run, seconds) for name, run in runs.items()}
    found[IN_TURN] = {"measured_over_ideal": seconds[IN_TURN] / seconds["step"] / ideal(IN_TURN, **shares)}
    return found | {"units": shares, "microseconds by size of a look": {str(k): v for k, v in sizes.items()}}


def prepared() -> Setting:
    """Return the planned task, and learners for it."""
    from pipelines.config.plans import TrainingPlan
    from pipelines.data.manifest import Manifest
    from pipelines.data.split_files import read_split
    from pipelines.training.builders import learner_of, look_batch, prepare_torch

    plan, manifest = TrainingPlan.read(plan_of("training")), Manifest.prepared()
    place = prepare_torch(plan.training, plan.seed)
    examples = read_split("train", manifest).examples
    training = plan.training.model_copy(update={"look_batch": look_batch(plan.training, place)})
    return Setting(training, examples, lambda: learner_of(plan, manifest, place, EPOCHS))


def figures(name: str, run: Training, seconds: dict[str, float]) -> dict[str, float]:
    """Return the ratios of one contestant."""
    laps, n = run.clock.record(), len(run.examples) * EPOCHS
    trained = int(run.ledger.column("trained").sum()) / n
    unit = seconds["step"]
    phi_e, phi_t = seconds["look"] / unit, seconds["forward"] / unit
    wanted = ideal(name, phi_e, phi_t)
    chosen = laps["select"]["cpu_seconds"] if "select" in laps else 0.0
    return {
        "measured_over_ideal": seconds[name] / unit / wanted,
        "ideal": wanted,
        "trained": trained,
        "selection_share": chosen / seconds[name],
        "milliseconds_of_selection_by_128": 1000 * chosen / (EPOCHS * len(run.examples) / 128),
    }


def measure(task: str, folder: str, limit: int | None, rounds: int) -> dict[str, Any]:
    """Return medians over ``rounds`` contests."""
    params = params_of(task, folder, epochs=EPOCHS, batch_size=BATCHES[task])
    params |= {"compare": {"full": "none"}, "warm_ups": {"none": {"epochs": 0}}}
    params["tasks"][task]["limit"] = limit
    runs = [once(task, params) for _ in range(rounds)]
    medians = {n: {k: summary([r[n][k] for r in runs])["median"] for k in runs[0][n]} for n in runs[0]}
    facts = {"limit": limit, "batch_size": BATCHES[task], "epochs": EPOCHS, "turns": TURNS, "targets": TARGETS}
    return {**facts, "milliseconds_of_128": round(of_128(), 4), "medians": medians, "runs": runs}


def main() -> None:
    """Measure one task, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    given = asked(parser, LIMITS)
    for task in given.tasks:
        save(f"keep.{task}", measure(task, given.fashion_mnist, LIMITS[task], given.rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
