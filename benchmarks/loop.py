"""Training on everything in three ways: Winnow, a plain PyTorch loop, and transformers' Trainer.

A round is one epoch over as many examples as fill ``--steps`` batches; the loops advance in turns of a step, the Trainer all at
once, so a round compares neighbours in time. Building model, optimizer and ``Trainer`` is not timed.
"""

from __future__ import annotations

import argparse
import gc
import os
from typing import TYPE_CHECKING, Any

from benchmarks.common import ONE_THREAD, asked, inside, params_of, save, summary
from benchmarks.training_loops import WAYS, Setting, setting_of

if TYPE_CHECKING:
    from components.engine.learner import Learner

#: Task -> steps of a turn, rounds. debian-summaries needs the file that docs/how-to/sequences.md says how to make.
DEFAULTS = {"fashion-mnist": (64, 30), "movie-reviews": (32, 15), "debian-summaries": (24, 10)}
#: Steps of a loop before the next one's turn: a machine's other load changes within milliseconds. In turns of eight the
#: rounds' ratios varied several times as much, around the same median.
TURN = 1


def _distance(a: Learner, b: Learner) -> float:
    """Return the largest difference between two models' weights."""
    pairs = zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    return max(float((x.double() - y.double()).abs().max()) for x, y in pairs)


def _round(setting: Setting, number: int, steps: int) -> dict[str, tuple[Learner, float]]:
    """Return each way's learner after an epoch of all of them in turns, and its CPU seconds."""
    loops = {name: way(setting) for name, way in WAYS.items()}
    seconds = dict.fromkeys(WAYS, 0.0)
    gc.collect()  # so that one round's garbage is not collected in the next
    for turn in range(-(-steps // TURN)):
        first, last = (number + turn) % len(WAYS), turn == -(-steps // TURN) - 1
        for name in [*list(WAYS)[first:], *list(WAYS)[:first]]:
            seconds[name] += loops[name].advance(None if last else TURN)
    return {name: (loop.learner, seconds[name]) for name, loop in loops.items()}


def measure(task: str, folder: str, steps: int, rounds: int) -> dict[str, Any]:
    """Return the ratios of Winnow's CPU seconds to those of the other two, round by round."""
    params = params_of(task, folder)
    limit = steps * params["tasks"][task]["training"]["batch_size"]
    params["tasks"][task]["limit"] = limit
    params["compare"] = {"full": "none"}  # the default methods have some for classes alone
    with inside(params):
        setting = setting_of()
        assert len(setting.examples) == limit, f"the task has {len(setting.examples)} examples, a turn needs {limit}"
        rounds_made = [_round(setting, i, steps) for i in range(rounds + 1)][1:]  # the first warms up
    seconds = {name: [made[name][1] for made in rounds_made] for name in WAYS}
    last = {name: rounds_made[-1][name][0] for name in WAYS}
    ratios = (("winnow", "plain"), ("winnow", "trainer"), ("keeping-all", "plain"))
    over = {pair: summary([a / b for a, b in zip(*(seconds[name] for name in pair), strict=True)]) for pair in ratios}
    return {
        "steps": steps,
        "milliseconds_a_step": {n: round(1e3 * summary(s)["median"] / steps, 3) for n, s in seconds.items()},
        "winnow_over_plain": over["winnow", "plain"],
        "winnow_over_trainer": over["winnow", "trainer"],
        "keeping_all_over_plain": over["keeping-all", "plain"],
        "targets": {"winnow_over_plain": 1.02, "winnow_over_trainer": 1.0, "keeping_all_over_plain": 1.01},
        "weights_differ_at_most_by": {n: _distance(last["winnow"], last[n]) for n in ("plain", "trainer")},
    }


def main() -> None:
    """Measure one task, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, help="of a turn")
    parser.add_argument("--rounds", type=int)
    given = asked(parser, DEFAULTS)
    for task in given.tasks:
        steps, rounds = DEFAULTS[task]
        save(f"loop.{task}", measure(task, given.fashion_mnist, given.steps or steps, given.rounds or rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
