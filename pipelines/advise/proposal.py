"""Proposal of an advice, its certainty, its cost and its payback."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import NormalDist

from components.arrays import Array
from components.costs.cost_ratio import Trained, cost_ratio
from components.costs.halving import Goal, Outcome, full_of, paid_back_after, proposal
from components.costs.paired import CONFIDENCE, LEAST_SEEDS, paired
from components.costs.paired import Gain as Paired
from components.costs.savings import Metric
from components.evaluation.standard_errors import paired_error
from pipelines.advise.records import (
    Advice,
    Answer,
    Balance,
    FailedTrial,
    Gain,
    NoProposalScore,
    Nothing,
    OutcomeRecord,
    ProposalScore,
    Ratio,
    RungRecord,
    Spent,
    TrialRecord,
    Unit,
)
from pipelines.advise.rungs import UNITS, Rung
from pipelines.config.loader import dumped
from pipelines.config.params import Params
from pipelines.config.plans import MethodPlan
from pipelines.core.artifacts import MANIFEST, plan_of, result
from pipelines.core.tables import read_table
from pipelines.data.manifest import Manifest
from pipelines.trials.grid import CONTROLS, Block, Trial
from pipelines.trials.rows import TrialRow, scores
from pipelines.trials.search_space import settings_text
from pipelines.trials.study_folder import DATA
from pipelines.trials.study_summary import rivals

#: Half the interval of a mean over many examples, in standard errors.
QUANTILE = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def advice(
    params: Params,
    goal: Goal,
    unit: Unit,
    metric: Metric,
    rungs: list[Rung],
    answer: Answer | Nothing,
    test: ProposalScore | NoProposalScore | None,
    balance: Balance,
) -> Advice:
    """Return the record of an advice.

    Args:
        params: with the section ``advise``.
        goal: the requested goal.
        unit: of its costs.
        metric: the judging metric.
        rungs: of the trials.
        answer: the proposal.
        test: its score on the test split; None if it was not trained.
        balance: the cost of the advice.
    """
    last = rungs[-1]
    return Advice(
        task=params.task,
        goal=goal.kind,
        bound=goal.bound,
        unit=unit,
        metric=metric.name,
        higher_is_better=metric.higher,
        seeds=list(last.study.seeds),
        validation_rows=_judges(last),
        answer=answer,
        sentence=sentence(answer, UNITS[unit], last, metric),
        rungs=[_rung(rung) for rung in rungs],
        trials=[TrialRecord(rung.share, row) for rung in rungs for row in rung.rows],
        block=block(params, last, last.study.grid[answer.name]) if isinstance(answer, Answer) else None,
        test=test,
        balance=balance,
    )


def answer_of(last: Rung, goal: Goal, metric: Metric) -> Answer | Nothing:
    """Return the proposal of the last rung for a goal."""
    winner, full = proposal(last.outcomes, goal), full_of(last.outcomes)
    return Nothing(kind="nothing", name=None) if winner is None else _answer(winner, full, last, goal, metric)


def _judges(rung: Rung) -> int:
    return Manifest.read(rung.study.path / DATA / MANIFEST).counts.test


def _answer(winner: Outcome, full: Outcome, last: Rung, goal: Goal, metric: Metric) -> Answer:
    trial = last.study.grid[winner.name]
    held = {"full": "full"} if winner.role != "full" else {}
    by_name = {o.name: o for o in last.outcomes}
    for kind, names in rivals(trial, last.study.grid).items() if winner.role == "method" else []:
        held |= {kind: max((n for n in names if n in by_name), key=lambda n: goal.gain(by_name[n], full))}
    return Answer(
        kind=winner.role,
        name=winner.name,
        method=trial.method,
        score=winner.score,
        cost=winner.cost,
        full_score=full.score,
        full_cost=full.cost,
        cost_ratio=_cost_ratio(last, trial, metric),
        gains={k: _gain(last, winner.name, name, goal, metric, k) for k, name in held.items()},
    )


def _cost_ratio(last: Rung, trial: Trial, metric: Metric) -> Ratio | None:
    """Return a method's cost relative to the best control's at the same metric."""
    if trial.role != "method":
        return None
    rows: dict[str, list[TrialRow]] = {}
    for r in last.rows:
        rows.setdefault(r.head.cell, []).append(r)
    trained = {name: _trained(mine) for name, mine in rows.items()}
    blind = [one for name, one in trained.items() if one is not None and rows[name][0].head.role != "method"]
    own = trained[trial.name]
    ratio = None if own is None else cost_ratio(own, blind, higher=metric.higher)
    return None if ratio is None else Ratio(**vars(ratio))


def _trained(rows: Sequence[TrialRow]) -> Trained | None:
    """Return a trial's costs and scores by seed."""
    found = [(r.cost_epochs, r.score) for r in rows if r.cost_epochs is not None and r.score is not None]
    if len(found) < len(rows):
        return None
    costs, reached = zip(*found, strict=True)
    return Trained(costs, reached)


def _gain(last: Rung, name: str, other: str, goal: Goal, metric: Metric, held: str) -> Gain:
    """Return the gain over another trial, and whether it surely meets the requirement.

    Over ``full`` the gain must be above minus the tolerance (with a budget there is no requirement); over a control, above 0.
    """
    value, seeds = scores(last.rows), last.study.seeds
    gain = paired(*([value[trial, seed] for seed in seeds] for trial in (name, other)), higher=metric.higher)
    least = 0.0 if held != "full" else -goal.bound if goal.kind == "tolerance" else None
    error = paired_error(_predictions(last, name), _predictions(last, other), metric.name)
    return Gain(**vars(gain), least=least, sure=surely(gain, error, least), examples_error=error)


def _predictions(last: Rung, name: str) -> list[dict[str, Array]]:
    """Return the predictions of a trial's models on the judging examples, by seed."""
    path = result("evaluate", name, "predictions.parquet")
    return [read_table(last.study.of(seed) / path)[0] for seed in last.study.seeds]


def surely(gain: Paired, error: float, least: float | None) -> bool | None:
    """Return whether both intervals of a gain, over seeds and over examples, are above ``least``.

    Returns:
        None if there is no requirement, or too few seeds.
    """
    if least is None or gain.pairs < LEAST_SEEDS or gain.low is None or gain.mean is None:
        return None
    return min(gain.low, gain.mean - QUANTILE * error) > least


def sentence(answer: Answer | Nothing, unit: str, last: Rung, metric: Metric) -> str:
    """Return the answer as a sentence."""
    if isinstance(answer, Nothing):
        cheapest = min(last.outcomes, key=lambda o: o.cost)
        return f"none: nothing fits the budget; the cheapest trial, {cheapest.name}, takes {cheapest.cost:.3g} {unit}"
    had = f"{metric.name} {answer.score:.4f} at {answer.cost:.3g} {unit}, full {answer.full_score:.4f}"
    had += f" at {answer.full_cost:.3g}"
    if answer.kind == "full":
        return f"none: train on everything ({had})"
    if answer.kind == "control":
        which = {"short": "the short schedule", "uniform": "a fresh random subset every epoch"}[answer.method]
        return f"none: use {which}, {answer.name} ({had})"
    trial = last.study.grid[answer.name]
    return f"{answer.name}{_settings(trial)} ({had})"


def _settings(trial: Trial) -> str:
    kept = [] if trial.fraction is None else [f"{trial.fraction:g} kept"]
    parts = [*kept, *([settings_text(trial.settings)] if trial.settings else [])]
    return f", {', '.join(parts)}" if parts else ""


def _rung(rung: Rung) -> RungRecord:
    outcomes = [
        OutcomeRecord(name=o.name, role=o.role, score=o.score, cost=o.cost, controls=list(o.controls), kept=o.name in rung.kept)
        for o in rung.outcomes
    ]
    failed = [FailedTrial(cell=r.head.cell, seed=r.seed, error=r.error) for r in rung.failed]
    return RungRecord(share=rung.share, seeds=list(rung.study.seeds), outcomes=outcomes, failed=failed)


def block(params: Params, last: Rung, winner: Trial) -> str:
    """Return YAML for params.yaml: the proposal, ``full``, and two controls at its cost."""
    grid = last.study.grid
    compare, methods = {"full": grid.start}, dict[str, Block]()
    if winner.role == "control":
        (member,) = MethodPlan.read(last.study.of(last.study.seeds[0]) / plan_of("methods", winner.name)).members
        compare[winner.method], methods[winner.method] = grid.start, member.block()
    elif winner.role == "method":
        compare |= {winner.name: grid.params.compare[winner.name], **dict.fromkeys(CONTROLS, grid.start)}
        methods = {winner.name: grid.params.methods[winner.name], **{c: {"controls": winner.name} for c in CONTROLS}}
    lacking = {} if grid.start in params.warm_ups else {"warm_ups": {grid.start: {"epochs": 0}}}
    return dumped(lacking | {"compare": compare} | ({"methods": methods} if methods else {}))


def balance(answer: Answer | Nothing, unit: Unit, spent: dict[str, Spent], before: dict[str, Spent]) -> Balance:
    """Return the cost of the advice, and the number of trainings that pay it back.

    Args:
        answer: the proposal.
        unit: of the goal's costs.
        spent: costs of all trials, by path of the record.
        before: costs that were recorded before this run of the advice.
    """
    cost, now = _sum(spent.values()), _sum(each for path, each in spent.items() if before.get(path) != each)
    saving = answer.full_cost - answer.cost if isinstance(answer, Answer) and answer.kind != "full" else 0.0
    after = paid_back_after(getattr(cost, unit), saving)
    return Balance(cost=cost, cost_now=now, saving=saving, paid_back_after=after)


def _sum(spent: Iterable[Spent]) -> Spent:
    each = list(spent)
    return Spent(cpu_seconds=sum(s.cpu_seconds for s in each), energy_kwh=sum(s.energy_kwh for s in each))
