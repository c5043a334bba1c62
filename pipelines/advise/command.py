"""advise: proposes a method and settings within a tolerance or budget, from cheap trials."""

from __future__ import annotations

import math
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from components.costs.halving import Goal
from components.costs.savings import Metric
from pipelines.advise import report as advise_report
from pipelines.advise import rungs as advise_rungs
from pipelines.advise import tracking
from pipelines.advise.proposal import advice, answer_of, balance
from pipelines.advise.records import Advice, Answer, NoProposalScore, Nothing, ProposalScore, Spent, Unit
from pipelines.advise.report import lines
from pipelines.advise.rungs import UNITS, Rung, section_of, spent
from pipelines.config import loader
from pipelines.config.params import Params
from pipelines.config.schema.sections import Advise
from pipelines.core import artifacts
from pipelines.core.artifacts import ADVICE, read_numbers
from pipelines.core.command import FAILED
from pipelines.core.errors import UserError, unknown
from pipelines.core.locks import alone
from pipelines.report import page
from pipelines.trials import runner
from pipelines.trials.study_folder import StudyFolder

#: The goals' flags, each with the unit of its costs; with a tolerance, costs are CPU seconds.
GOALS: dict[str, Unit] = {"tolerance": "cpu_seconds", "budget_cpu_seconds": "cpu_seconds", "budget_kwh": "energy_kwh"}


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def arguments(given: list[str]) -> Namespace:
    """Parse the command line.

    Raises:
        UserError: for an invalid option.
    """
    parser = _Parser(prog="python -m pipelines.advise", description=__doc__)
    parser.add_argument("--tolerance", type=float, metavar="POINTS", help="how much below full is acceptable")
    parser.add_argument("--budget-cpu-seconds", type=float, metavar="SECONDS", help="CPU seconds of one training")
    parser.add_argument("--budget-kwh", type=float, metavar="KWH", help="energy of one training")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="some of advise.methods (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="SEED", help="seeds of the last rung")
    parser.add_argument("--study", type=Path, metavar="FILE", help="file with keys that override params.yaml")
    options = parser.parse_args(given)
    flags = [name for name in GOALS if getattr(options, name) is not None]
    if len(flags) != 1:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in GOALS)
        raise UserError(f"takes one of {names}, got {len(flags)}; one that works: --tolerance 0.01")
    options.goal, options.bound = flags[0], getattr(options, flags[0])
    _check_bound(options)
    return options


def _check_bound(options: Namespace) -> None:
    flag, least = f"--{options.goal.replace('_', '-')}", "0 or more" if options.goal == "tolerance" else "above 0"
    if not math.isfinite(options.bound) or options.bound < 0 or (options.bound == 0 and options.goal != "tolerance"):
        works = {"tolerance": "0.0", "budget_cpu_seconds": "1", "budget_kwh": "0.001"}[options.goal]
        raise UserError(f"{flag}: must be a finite number, {least}, got {options.bound!r}; the nearest that works is {works}")


def narrowed(read: Params, methods: list[str] | None, seeds: list[int] | None) -> Params:
    """Return ``read`` with only ``methods`` as candidates, and other ``seeds``, if given.

    Raises:
        UserError: for a method that is not a candidate, and for invalid seeds.
    """
    section = section_of(read)
    for name in methods or []:
        if name not in section.methods:
            raise UserError(unknown(f"--methods {name}", "method in advise.methods", name, section.methods))
    changed = section.model_dump() | ({"seeds": seeds} if seeds else {})
    if methods:
        changed |= {k: {n: v for n, v in getattr(section, k).items() if n in methods} for k in ("methods", "vary")}
    try:
        return read.model_copy(update={"advise": Advise.model_validate(changed)})
    except ValidationError as error:
        raise UserError(f"--{error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def advise(given: list[str]) -> int:
    """Run the missing trials, write and print the advice, and return the exit status."""
    options = arguments(given)
    read = narrowed(loader.load(over=options.study), options.methods, options.seeds)
    unit, metric = GOALS[options.goal], read.chosen.judging_metric
    goal = Goal("tolerance" if options.goal == "tolerance" else "budget", options.bound, metric.higher)
    before: dict[str, Spent] = {}
    with alone("study"), ExitStack() as stack:
        run = _runner(stack, before)
        rungs = list(advise_rungs.climb(read, goal, unit, run))
        answer = answer_of(rungs[-1], goal, metric)
        costs: dict[str, Spent] = {}
        for rung in rungs:
            costs |= spent(rung.study, sorted({r.head.cell for r in rung.rows}))
        test, more = _test(read, answer, run, metric)
        written = advice(read, goal, unit, metric, rungs, answer, test, balance(answer, unit, costs | more, before))
    _write(written, rungs[-1])
    tracking.publish(written)
    show(read.task)
    failed = any(r.failed for r in written.rungs) or isinstance(test, NoProposalScore)
    return FAILED if failed else 0


def _runner(stack: ExitStack, before: dict[str, Spent]) -> advise_rungs.Run:
    """Return a function that runs trials in flows with one server, started on demand.

    Costs of earlier calls are added to ``before``.
    """
    flows: list[Callable[..., dict[tuple[int, str], str]]] = []

    def run(study: StudyFolder, missing: list[tuple[int, str]]) -> dict[tuple[int, str], str]:
        before.update(spent(study, [c.name for c in study.grid.trials]))
        if not missing:
            return {}
        if not flows:
            # Importing Prefect takes two seconds: only if there is something to run.
            from pipelines.flows.trials import trial_flows

            flows.append(stack.enter_context(trial_flows("advise")))
        return flows[0](missing, _timed_runner(study, len(missing)))

    return run


def _timed_runner(study: StudyFolder, many: int) -> Callable[[int, str], None]:
    seen = set[tuple[int, str]]()

    def work(seed: int, name: str) -> None:
        seen.add((seed, name))
        started = time.monotonic()
        runner.run(study, seed, name)
        _log(f"{len(seen)}/{many}: {name}, seed {seed}: {time.monotonic() - started:.1f} s")

    return work


def _log(text: str) -> None:
    sys.stderr.write(f"winnow advise: {text}\n")


def _test(
    read: Params, answer: Answer | Nothing, run: advise_rungs.Run, metric: Metric
) -> tuple[ProposalScore | NoProposalScore | None, dict[str, Spent]]:
    """Train the proposal once on all data, and return its test metric and the costs.

    The metric has no influence on the advice. If the advice is to train on everything, nothing is trained here.
    """
    if not isinstance(answer, Answer) or answer.kind == "full":
        return None, {}
    study, name = advise_rungs.study_of_test(read), answer.name
    names = [n for n in (study.grid[name].after, name) if n]
    failed = run(study, [(read.seed, n) for n in names if not study.is_done(read.seed, n)])
    costs = spent(study, names)
    if failed:
        return NoProposalScore(error="; ".join(failed.values())), costs
    found = read_numbers(study.of(read.seed) / artifacts.result("evaluate", name, "metrics.json"))
    error = found.get(f"{metric.name}_standard_error")
    return ProposalScore(seed=read.seed, score=found[metric.name], standard_error=error), costs


def _write(written: Advice, last: Rung) -> None:
    def fill(folder: Path) -> None:
        written.write(folder / "advice.json")
        artifacts.write_csv(folder / "advice.csv", [trial.columns() for trial in written.trials])
        page.write(folder / "report.html", advise_report.page(last.study, written))

    artifacts.write_folder(ADVICE / written.task, fill)


def show(task: str) -> None:
    """Print the advice for ``task`` that was written last."""
    written = Advice.read(ADVICE / task / "advice.json")
    console = Console()
    console.print(_table(written))
    for line in lines(written):
        console.print(line, markup=False, highlight=False)
    if written.block:
        console.print(f"\nfor params.yaml:\n\n{written.block}", markup=False, highlight=False)
    console.print(f"written to {ADVICE / task}/ (json, csv, report.html); 'make ui' opens MLflow")


def _table(written: Advice) -> Table:
    """Return the table of the trials, with their metrics rung by rung."""
    table = Table(title=f"{written.task}: trials by share of the training data; dropped ones in ()")
    rungs = written.rungs
    for head in ("", *(f"{written.metric} at {r.share:g}" for r in rungs), UNITS[written.unit]):
        table.add_column(head, justify="right" if head else "left", no_wrap=not head)
    for outcome in rungs[0].outcomes:
        table.add_row(*advise_report.course_of(outcome.name, rungs))
    return table
