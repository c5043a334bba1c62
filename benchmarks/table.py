"""Writer of the tables in benchmarks/README.md, from benchmarks/results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS

README = Path(__file__).resolve().parent / "README.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def _loop(task: str, r: dict[str, Any]) -> list[list[object]]:
    names = {"winnow_over_plain": "full, CPU time over that of the plain loop", "winnow_over_trainer": "full, over the Trainer"}
    names["keeping_all_over_plain"] = "a keep door that keeps all, over the plain loop"
    return [[f"{task}: {what}", r[k]["median"], f"<= {r['targets'][k]:g}"] for k, what in names.items()]


def _selection(_: str, r: dict[str, Any]) -> list[list[object]]:
    target = f"<= {r['targets']['seconds']:g} s, {r['targets']['gibibytes']:g} GiB"
    rows = r["medians"].items()
    return [
        [f"{what}, {r['rows']:,} rows", f"{m['wall_seconds']} s ({m['cpu_seconds']} CPU s), {m['gibibytes']} GiB", target]
        for what, m in rows
    ]


def _suspects(_: str, r: dict[str, Any]) -> list[list[object]]:
    found: list[list[object]] = []
    for name, m in r["medians"].items():
        shares = ", ".join(f"{who} {m[who]['precision']:.2f} and {m[who]['recall']:.2f}" for who in ("winnow", "cleanlab"))
        found.append([f"{name} ({m['wrong']:.1%} wrong, {m['estimated']:.1%} estimated): precision and recall", shares, ""])
    return found


def _draws(_: str, r: dict[str, Any]) -> list[list[object]]:
    targets, found = r["targets"], list[list[object]]()
    for name, m in r["medians"].items():
        what = f"{name}, an epoch's draw of {r['rows']:,} rows"
        found.append(
            [
                f"{what}: CPU seconds; share of an epoch of LeNet",
                f"{m['cpu_seconds']:.2f}; {m['share']:.2%}",
                f"<= {targets['share']:.0%}",
            ]
        )
        found.append([f"{what}: bytes an example", f"{m['bytes']:.1f}", f"<= {targets['bytes']:g}"])
    return found


def _efficiency(task: str, r: dict[str, Any]) -> list[list[object]]:
    targets = r["targets"]
    found: list[list[object]] = []
    for name, m in r["medians"].items():
        share = round(m["selection_share"] + m["scoring_share"], 4)
        counted = [f"{task}, {name}: train stage, measured over counted", m["train_measured_over_counted"]]
        found.append([*counted, f"<= {targets['measured_over_counted']:g}"])
        found.append([f"{task}, {name}: scoring and selection", f"{share:.2%}", f"<= {targets['selection_share']:.0%}"])
        if (second := m.get("stage_2_measured_over_counted")) is not None:
            target = f"<= {targets['measured_over_counted']:g}"
            found.append([f"{task}, {name}: stage 2, measured over counted", second, target])
    return found


def _keep(task: str, r: dict[str, Any]) -> list[list[object]]:
    """Return the worst contestant of each kind: the rules at all fractions, AdaSelection, and the kinds of look."""
    medians, targets = r["medians"], r["targets"]
    found: list[list[object]] = []
    fresh = {n: m for n, m in medians.items() if len(n.split()) == 2 and "trained" in m}
    ada = {n: m for n, m in fresh.items() if n.startswith("adaselection")}
    groups = {"a rule alone": {n: m for n, m in fresh.items() if n not in ada}, "adaselection": ada}
    groups |= {n: {n: m} for n, m in medians.items() if len(n.split()) == 3 and "trained" in m}
    for label, group in groups.items():
        name, worst = max(group.items(), key=lambda item: item[1]["measured_over_ideal"])
        most = max(m["selection_share"] for m in group.values())
        which = "" if len(group) == 1 else f", the worst of {len(group)} ({name})"
        ratio = worst["measured_over_ideal"]
        found.append([f"{task}, {label}: epoch, measured over ideal{which}", ratio, f"<= {targets['measured_over_ideal']:g}"])
        target = "" if label.endswith("whole-batch") else f"<= {targets['selection_share']:.0%}"
        found.append([f"{task}, {label}: selection, at most", f"{most:.2%}", target])
    ratio = medians["plain 0.5"]["measured_over_ideal"]
    found.append([f"{task}, a plain loop that looks and steps in turn, half kept: epoch, measured over ideal", ratio, ""])
    one = f"{r['milliseconds_of_128']:.3f} ms"
    found.append(["adaselection's seven rules: a look of 128", one, f"<= {targets['milliseconds']:g} ms"])
    units = ", ".join(f"{k} {v:.2f}" for k, v in medians["units"].items())
    sizes = ", ".join(f"{k}: {v}" for k, v in medians["microseconds by size of a look"].items())
    return [*found, [f"{task}: shares of a full step", units, ""], [f"{task}: microseconds by size of a look", sizes, ""]]


def _overhead(_: str, r: dict[str, Any]) -> list[list[object]]:
    largest = ", ".join(f"{name} {seconds:g} s" for name, seconds in list(r["parts"].items())[:8])
    own = [f"`{r['timed']}`, {r['wall_seconds']:g} s: the pipeline's own share of CPU time", f"{r['own_share']:.1%}"]
    return [[*own, f"<= {r['target']:.0%}"], ["its largest parts", largest, ""]]


def _adapters(task: str, r: dict[str, Any]) -> list[list[object]]:
    what = f"{task}, a step, batches of {r['batch_size']}, {{}}, over training the whole: highest memory of the process"
    rows: list[list[object]] = []
    for kind, m in r["over_full"].items():
        found = f"{m['peak']} ({m['peak_above_libraries']} without libraries; CPU time {m['step_cpu_seconds']})"
        rows.append([what.format(kind), found, f"<= {r['targets'][kind]:g}" if kind in r["targets"] else ""])
    return rows


def _frozen(task: str, r: dict[str, Any]) -> list[list[object]]:
    what = f"{task}, full, {r['epochs']} epochs, one layer of {{}} trained: CPU time with keep_frozen over that without"
    return [[what.format(layers), m["kept_over_whole"], ""] for layers, m in r["medians"].items()]


def _layout(_: str, r: dict[str, Any]) -> list[list[object]]:
    ratios = r["last_over_first"].items()
    said = {way: ", ".join(f"{name}: {m[way]['median']:.2f}" for name, m in ratios) for way in ("step", "look")}
    return [[f"channels last over channels first, a {way}", found, ""] for way, found in said.items()]


def _augment(_: str, r: dict[str, Any]) -> list[list[object]]:
    found: list[list[object]] = []
    for name in next(iter(r["added"].values())):
        shares = ", ".join(f"{shape}: {m[name]['median']:.1%}" for shape, m in r["added"].items())
        found.append([f"augmentation by {name}, added to a ResNet-8's step of {r['batch']}", shares, f"<= {r['target']:.0%}"])
    return found


def _distributed(task: str, r: dict[str, Any]) -> list[list[object]]:
    found: list[list[object]] = []
    for name, m in r["medians"].items():
        what = f"{task}, {name}, batches of {r['batch_size']}, two processes"
        found.append([f"{what}: examples a second, over those of one", m["speed_over_one"], ""])
        found.append([f"{what}: CPU time, over that of one", m["cpu_over_one"], ""])
        found.append([f"{what}: selection (in one: {m['selection_share_of_one']:.2%})", f"{m['selection_share']:.2%}", ""])
    return found


def _gpu(case: str, r: dict[str, Any]) -> list[list[object]]:
    what = f"{case}, batches of {r['batch_size']}, on an {r['device']}: an epoch, over that of a plain loop, {{}}"
    names = {"winnow": "full", "adaselection": "adaselection at 0.2"}
    return [[what.format(names[way]), over["median"], ""] for way, over in r["over_plain"].items()]


def _predictor(_: str, r: dict[str, Any]) -> list[list[object]]:
    names = {"decide_microseconds": ("to decide", "<="), "learn_microseconds": ("to learn", "<=")}
    names["times_faster"] = ("times as fast as scikit-learn's, both together", ">=")
    what = "the predictor of multistage, batches of 32 texts of 64 tokens: {}"
    unit = {k: " microseconds an example" * (k != "times_faster") for k in names}
    return [
        [what.format(text), f"{r[k]['median']:.3g}{unit[k]}", f"{sign} {r['targets'][k]:g}"]
        for k, (text, sign) in names.items()
    ]


def _dispatch(database: str, r: dict[str, Any]) -> list[list[object]]:
    if database:
        return [_at_once(r["at_once"], f", servers on {database}")]
    stage, both, moved = r["stage"]["dispatch_seconds"], r["comparison"], r["transfer"]
    sent = f"{moved['megabytes']:g} MB of tables, {moved['files']} files, through a folder: dvc {{}}"
    flow = f"{both['agents_seconds']:g} s by agents, {both['flow_seconds']:g} s by `python -m pipelines.flow`"
    return [
        ["a stage sent to an agent: seconds beside its own", stage["median"], f"<= {r['targets']['dispatch_seconds']:g}"],
        *[
            [sent.format(way), f"{moved[f'{way}_seconds']:g} s, {moved[f'{way}_megabytes_a_second']:g} MB/s", ""]
            for way in ("push", "pull")
        ],
        ["digits, two methods, in a fresh clone", flow, ""],
        *([_at_once(r["at_once"])] if "at_once" in r else []),
    ]


def _at_once(r: dict[str, Any], where: str = "") -> list[object]:
    locks = sum(r["logged"].values())
    ended = f"completed in {r['seconds']:g} s, {r['run_twice']} of {r['stages']} stages run twice, {locks} lines on locks"
    return [f"{r['experiments']} comparisons at once on two agents{where}", ended, "all, 0, 0"]


def _report(_: str, r: dict[str, Any]) -> list[list[object]]:
    found = f"{r['wall_seconds']:g} s, {r['megabytes']:g} MB"
    return [
        [
            f"the report of a study of {r['runs_copied']} runs",
            found,
            "<= {seconds:g} s, {megabytes:g} MB".format(**r["allowed"]),
        ]
    ]


def _publish(_: str, r: dict[str, Any]) -> list[list[object]]:
    what = f"{r['publishing']} runs with their models told to MLflow, {{}}; told again"
    ways = {"database": ("in a new SQLite database", "<= 15 s"), "server": ("through a server", "")}
    return [
        [
            what.format(where),
            f"{first['wall_seconds']:g} s ({first['cpu_seconds']:g} CPU s); {again['wall_seconds']:g} s",
            target,
        ]
        for (first, again), (where, target) in ((r[way], text) for way, text in ways.items())
    ]


def _prepare(what: str, r: dict[str, Any]) -> list[list[object]]:
    name = f"prepare, {r['examples']:,} {what if what == 'texts' else f'JPEGs of {what}'}"
    own, found = r["ways"]["winnow"], list[list[object]]()
    for way, m in r["ways"].items():
        told = f"{m['seconds']['median']:.1f} s, {m['peak_mib']['median']:,.0f} MiB"
        ratio = (
            "" if way == "winnow" else f"; winnow's seconds over these: {own['seconds']['median'] / m['seconds']['median']:.2f}"
        )
        found.append([f"{name}: {way}", f"{told}{ratio}", ""])
    return found


KINDS = {
    "prepare": _prepare,
    "dispatch": _dispatch,
    "loop": _loop,
    "draws": _draws,
    "selection": _selection,
    "suspects": _suspects,
    "efficiency": _efficiency,
    "keep": _keep,
    "overhead": _overhead,
    "frozen": _frozen,
    "adapters": _adapters,
    "layout": _layout,
    "augment": _augment,
    "gpu": _gpu,
    "distributed": _distributed,
    "predictor": _predictor,
    "publish": _publish,
    "report": _report,
}


def table() -> str:
    """Return the results as Markdown: figure, result, target, and the provenance below."""
    lines, notes = ["| what | found | target |", "|---|---|---|"], ["", "Taken by:", ""]
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        kind, _, task = path.stem.partition(".")
        lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in KINDS[kind](task, result)]
        m = result["machine"]
        where = f"{m['cores']} cores of {m['cpu']}, load {m['load']}, Python {m['python']}, torch {m['torch']}"
        notes.append(f"- `{result['command']}` ({where})")
    return "\n".join([*lines, *notes])


def main() -> None:
    """Replace the table between its markers."""
    text = README.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
