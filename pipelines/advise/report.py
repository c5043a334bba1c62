"""Report of an advice: sentences, and a page."""

from __future__ import annotations

from pipelines.advise.rungs import UNITS
from pipelines.core.artifacts import MANIFEST, cost_of, read_json
from pipelines.report import page as report_page
from pipelines.report.page import NOTHING, Section, Table, number, with_error
from pipelines.trials.folder import DATA, Place
from pipelines.trials.rows import Row


def page(place: Place, written: Row) -> str:
    """Return the page of an advice, whose last rung is at ``place``."""
    seed = place.seeds[0]
    facts = report_page.provenance(
        read_json(place.folder / DATA / MANIFEST),
        read_json(place.of(seed) / cost_of("train", "full")),
        place.seeds,
        "python -m pipelines.advise " + asked(written),
    )
    first, *more = lines(written)
    sections = [Section("How sure, and at what cost", more), _rungs(written), *_block(written)]
    return report_page.render(f"{written['task']}: which method, and with which settings", [first], sections, facts)


def asked(written: Row) -> str:
    """Return the goal as the command line has it."""
    flag = "tolerance"
    if written["goal"] == "budget":
        flag = {"cpu_seconds": "budget-cpu-seconds", "energy_kwh": "budget-kwh"}[written["unit"]]
    return f"--{flag} {written['bound']:g}"


def _rungs(written: Row) -> Section:
    rungs, better = written["rungs"], "higher" if written["higher_is_better"] else "lower"
    rows = [course_of(o["name"], rungs) for o in rungs[0]["outcomes"]]
    seeds = [f"{len(r['seeds'])} seed{'s' * (len(r['seeds']) != 1)}" for r in rungs]
    text = [
        f"{written['metric']}, {better} is better, on {written['validation_rows']:,} rows of the training split that no trial "
        "trained on. At each rung the better half by the goal goes on, methods with the controls of their own cost; what did "
        "not is in parentheses. The cost is of a training on all data, in proportion to the last rung that the trial came to."
    ]
    heads = ["", *(f"{r['share']:g} of the data, {s}" for r, s in zip(rungs, seeds, strict=True)), UNITS[written["unit"]]]
    return Section("The trials, rung by rung", text, Table(heads, rows))


def course_of(name: str, rungs: list[Row]) -> list[str]:
    """Return a trial's row: its metric at each rung, in parentheses where it did not go on, and its cost."""
    found = [{o["name"]: o for o in r["outcomes"]}.get(name) for r in rungs]
    scores = [NOTHING if o is None else f"{o['score']:.4f}" if o["kept"] else f"({o['score']:.4f})" for o in found]
    return [name, *scores, f"{[o['cost'] for o in found if o][-1]:.3g}"]


def _block(written: Row) -> list[Section]:
    return [Section("For params.yaml", written["block"].splitlines())] if written["block"] else []


def lines(written: Row) -> list[str]:
    """Return the advice in sentences: the answer, how sure it is, what the test split says, and what it cost."""
    metric, unit = written["metric"], UNITS[written["unit"]]
    told = [f"advice: {written['sentence']}"]
    for held, gain in written["answer"].get("gains", {}).items():
        told.append(f"gain over {held}: {_gain(gain)}")
    if (ratio := written["answer"].get("cost_ratio")) is not None:
        between = "" if ratio["low"] is None else f" ({ratio['low']:.2f} to {ratio['high']:.2f})"
        bound = f"{ratio['bound']} " if ratio["bound"] else ""
        told.append(f"it costs {bound}{ratio['value']:.2f}{between} of what the best control needs for the same {metric}")
    if (test := written["test"]) is not None:
        found = test.get("error") or f"{metric} {with_error(test['score'], test['standard_error'])}, one seed, judged by once"
        told.append(f"on the test split: {found}")
    account = written["balance"]
    cost, now = account["cost"], account["cost_now"]
    spent_now = f"{now['cpu_seconds']:.3g} CPU seconds of them now"
    told.append(f"the advice cost {cost['cpu_seconds']:.3g} CPU seconds and {cost['energy_kwh']:.3g} kWh, {spent_now}")
    after = account["paid_back_after"]
    many = "never paid back: nothing is saved" if after is None else f"paid back after {after:,} training{'s' * (after != 1)}"
    told.append(f"{many} ({account['saving']:.3g} {unit} saved by each)")
    failed = [f"{f['cell']}, seed {f['seed']}, on {r['share']:g} of the data" for r in written["rungs"] for f in r["failed"]]
    return told + [f"failed and dropped: {text}" for text in failed]


def _gain(gain: Row) -> str:
    """Return a gain with its interval, and what that means."""
    interval = "" if gain["low"] is None else f" (95 % interval over seeds {gain['low']:+.4f} to {gain['high']:+.4f})"
    error = f", standard error over the examples {gain['examples_error']:.4f}"
    asked = "" if gain["least"] is None else f"; must be above {gain['least']:g}" if gain["least"] == 0 else ""
    asked = f"; must be at least {gain['least']:g}" if gain["least"] else asked
    sure = {True: ": sure", False: ": likely, not sure", None: ": too few seeds to be sure"}[gain["sure"]]
    return f"{number(gain['mean'])}{interval}{error}{asked}{sure if gain['least'] is not None else ''}"
