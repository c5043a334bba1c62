"""Report of an advice: sentences, and a page."""

from __future__ import annotations

from pipelines.advise.records import Advice, Answer, Gain, NoProposalScore, RungRecord
from pipelines.advise.rungs import UNITS
from pipelines.core.artifacts import MANIFEST, cost_of
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.report import page as report_page
from pipelines.report.page import NOTHING, Section, Table, number, with_error
from pipelines.trials.study_folder import DATA, StudyFolder


def page(study: StudyFolder, written: Advice) -> str:
    """Return the page of an advice; ``study`` is the folder of its last rung."""
    seed = study.seeds[0]
    facts = report_page.provenance(
        Manifest.read(study.path / DATA / MANIFEST),
        CostRecord.read(study.of(seed) / cost_of("train", "full")),
        study.seeds,
        "python -m pipelines.advise " + goal_option(written),
    )
    first, *more = lines(written)
    sections = [Section("How sure, and at what cost", more), _rungs(written), *_block(written)]
    return report_page.render(f"{written.task}: which method, and with which settings", [first], sections, facts)


def goal_option(written: Advice) -> str:
    """Return the goal as a command-line option."""
    flag = "tolerance"
    if written.goal == "budget":
        flag = {"cpu_seconds": "budget-cpu-seconds", "energy_kwh": "budget-kwh"}[written.unit]
    return f"--{flag} {written.bound:g}"


def _rungs(written: Advice) -> Section:
    rungs, better = written.rungs, "higher" if written.higher_is_better else "lower"
    rows = [course_of(o.name, rungs) for o in rungs[0].outcomes]
    seeds = [f"{len(r.seeds)} seed{'s' * (len(r.seeds) != 1)}" for r in rungs]
    text = [
        f"{written.metric}, {better} is better, on {written.validation_rows:,} rows of the training split that no trial "
        "trained on. At each rung the better half by the goal goes on, methods with the controls at their own cost; dropped "
        "trials are in parentheses. The cost is that of a training on all data, scaled up from the trial's last rung."
    ]
    heads = ["", *(f"{r.share:g} of the data, {s}" for r, s in zip(rungs, seeds, strict=True)), UNITS[written.unit]]
    return Section("The trials, rung by rung", text, Table(heads, rows))


def course_of(name: str, rungs: list[RungRecord]) -> list[str]:
    """Return a trial's row: its metric by rung, in parentheses if dropped, and its cost."""
    found = [{o.name: o for o in r.outcomes}.get(name) for r in rungs]
    scores = [NOTHING if o is None else f"{o.score:.4f}" if o.kept else f"({o.score:.4f})" for o in found]
    return [name, *scores, f"{[o.cost for o in found if o][-1]:.3g}"]


def _block(written: Advice) -> list[Section]:
    return [Section("For params.yaml", written.block.splitlines())] if written.block else []


def lines(written: Advice) -> list[str]:
    """Return the advice in sentences: the answer, its certainty, its test score and its cost."""
    failed = [f"{f.cell}, seed {f.seed}, on {r.share:g} of the data" for r in written.rungs for f in r.failed]
    sentences = [f"advice: {written.sentence}", *_sureness(written), *_on_test(written), *_account(written)]
    return sentences + [f"failed and dropped: {text}" for text in failed]


def _sureness(written: Advice) -> list[str]:
    """Return the proposal's gains, and its cost beside the best control's."""
    if not isinstance(written.answer, Answer):
        return []
    sentences = [f"gain over {other}: {_gain(gain)}" for other, gain in written.answer.gains.items()]
    if (ratio := written.answer.cost_ratio) is not None:
        between = "" if ratio.low is None else f" ({ratio.low:.2f} to {ratio.high:.2f})"
        bound = f"{ratio.bound} " if ratio.bound else ""
        needs = f"of what the best control needs for the same {written.metric}"
        sentences.append(f"it costs {bound}{ratio.value:.2f}{between} {needs}")
    return sentences


def _on_test(written: Advice) -> list[str]:
    test = written.test
    if test is None:
        return []
    if isinstance(test, NoProposalScore):
        return [f"on the test split: {test.error}"]
    return [f"on the test split: {written.metric} {with_error(test.score, test.standard_error)}, one seed, evaluated once"]


def _account(written: Advice) -> list[str]:
    """Return the cost of the advice, and when it is paid back."""
    account, cost = written.balance, written.balance.cost
    spent_now = f"{account.cost_now.cpu_seconds:.3g} CPU seconds of it in this run"
    total = f"the advice cost {cost.cpu_seconds:.3g} CPU seconds and {cost.energy_kwh:.3g} kWh, {spent_now}"
    after = account.paid_back_after
    many = "never paid back: nothing is saved" if after is None else f"paid back after {after:,} training{'s' * (after != 1)}"
    return [total, f"{many} ({account.saving:.3g} {UNITS[written.unit]} saved by each)"]


def _gain(gain: Gain) -> str:
    """Return a gain with its interval, its requirement and its certainty."""
    interval = "" if gain.low is None else f" (95 % interval over seeds {gain.low:+.4f} to {gain.high:+.4f})"
    error = f", standard error over the examples {gain.examples_error:.4f}"
    required = "" if gain.least is None else f"; must be above {gain.least:g}" if gain.least == 0 else ""
    required = f"; must be at least {gain.least:g}" if gain.least else required
    sure = {True: ": sure", False: ": likely, not sure", None: ": too few seeds to be sure"}[gain.sure]
    return f"{number(gain.mean)}{interval}{error}{required}{sure if gain.least is not None else ''}"
