"""The page of a study: what it found, its tables, and what it was made of."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from pipelines import artifacts, report
from pipelines.artifacts import cost_of, read_json, result
from pipelines.cells import DATA, Place
from pipelines.figures import Course, Series, against_time
from pipelines.grid import CONTROLS
from pipelines.report import Section, Table, number, with_error

Row = dict[str, Any]


def page(place: Place, written: Row) -> str:
    """Return the page of the study at ``place``, from what its JSON holds."""
    manifest = read_json(place.folder / DATA / artifacts.MANIFEST)
    sections = [_means(written), *_figure(written), _by_method(written)]
    sections += [*report.course_section(_courses(place)), *_failed(written)]
    title = f"{written['task']}: a study of selecting examples"
    return report.render(title, headline(written), sections, _facts(place, manifest))


def headline(written: Row) -> list[str]:
    """Return what the numbers say, and no more."""
    metric, seeds, full = written["metric"], len(written["seeds"]), written["summary"]["full"]
    first = f"full has {metric} {with_error(full['mean'], full['deviation'])}."
    if seeds == 1:
        return [first, "One seed: there is no standard deviation, and how much of a difference is chance is not known."]
    won = {m: _won([r for r in written["methods"] if r["method"] == m]) for m in _methods(written)}
    beats = "above both controls of its own cost by more than the deviation of the gain"
    if not any(wins for wins, _ in won.values()):
        return [first, f"Nowhere is a method {beats} over {seeds} seeds: {', '.join(won)}."]
    told = [f"{method} in {wins} of {cells} cells" for method, (wins, cells) in won.items()]
    return [first, f"How often each is {beats} over {seeds} seeds: {', '.join(told)}."]


def _methods(written: Row) -> list[str]:
    return [m for m in dict.fromkeys(r["method"] for r in written["methods"]) if m != "full"]


def _won(rows: list[Row]) -> tuple[int, int]:
    """Return in how many cells of one method it is above both controls, and how many there are."""
    return sum(_above_both(r) for r in rows), len(rows)


def _above_both(row: Row) -> bool:
    gains = [(row[f"gain_over_{c}"], row[f"gain_over_{c}_deviation"]) for c in CONTROLS]
    return all(gain is not None and spread is not None and gain > spread for gain, spread in gains)


def _means(written: Row) -> Section:
    """Return the table in the paper's form."""
    columns, summary, metric = written["columns"], written["summary"], written["metric"]
    better = "higher" if written["higher_is_better"] else "lower"
    means = [with_error(summary[c]["mean"], summary[c]["deviation"]) for c in columns]
    ranks = [number(summary[c]["rank"], 2) for c in columns]
    seeds = [f"{summary[c]['seeds']} of {len(written['seeds'])}" for c in columns]
    rows = [[f"mean {metric}", *means], ["mean rank", *ranks], ["seeds with every fraction", *seeds]]
    best = {(0, _best([summary[c]["mean"] for c in columns], written["higher_is_better"]))}
    best |= {(1, _best([summary[c]["rank"] for c in columns], False))}
    deviation = "± is the standard deviation over seeds of the mean over fractions" if len(written["seeds"]) > 1 else "one seed"
    text = [
        f"{metric}: {better} is better; {deviation}. uniform and short are the controls, at each method's own cost. Ranks are "
        "among all cells of one fraction and seed, 1 for the best, equal ones sharing the mean of their places."
    ]
    return Section("Means and mean ranks over the kept fractions", text, Table(["", *columns], rows, frozenset(best)))


def _best(values: list[float | None], higher: bool) -> int:
    """Return the column of the best value, counted with the rows' names before it; 0 where there is none."""
    known = [(v if higher else -v, -i) for i, v in enumerate(values) if v is not None]
    return 1 - max(known)[1] if known else 0


def _by_method(written: Row) -> Section:
    metric = written["metric"]
    heads = ["method", "kept", "cost", metric, *CONTROLS, *(f"gain over {c}" for c in CONTROLS), "time", "trained", "AGOT"]
    rows, best = [], set()
    for place, r in enumerate(written["methods"]):
        values = [with_error(r[k], r[f"{k}_deviation"]) for k in (metric, *CONTROLS, *(f"gain_over_{c}" for c in CONTROLS))]
        kept = "" if r["fraction"] is None else f"{r['fraction']:g}"
        more = [with_error(r["time_measured"], r["time_measured_deviation"], 2), number(r["examples_trained"], 0)]
        rows.append([r["method"], kept, f"{r['planned_cost_epochs']:g}", *values, *more, number(r["agot"], 3)])
        if _above_both(r):
            best |= {(place, 6), (place, 7)}
    text = [
        "The controls beside a method have its planned cost, in epochs over everything. Gains are paired by seed and positive "
        "where the method is better; those that stand out are above both controls by more than the deviation of the gain. "
        "Time is measured, in CPU seconds over those of full, with warm-up and selection."
    ]
    return Section("Each method beside its controls", text, Table(heads, rows, frozenset(best)))


def series_of(written: Row) -> list[Series]:
    """Return the points of the figure: a line a method over its fractions, and one a control over its costs."""
    metric = written["metric"]
    lines: dict[str, list[tuple[float, float, float | None]]] = {}
    for r in written["points"]:
        if r[metric] is not None and r["time_measured"] is not None:
            label = f"{r['method']} (control)" if r["role"] == "control" else r["method"]
            lines.setdefault(label, []).append((r["time_measured"], r[metric], r[f"{metric}_deviation"]))
    return [Series(label, sorted(points), joined=True) for label, points in lines.items()]


def _figure(written: Row) -> list[Section]:
    series = series_of(written)
    if not series:
        return []
    figure = against_time(series, f"test {written['metric']}", written["higher_is_better"])
    caption = f"{written['metric']} against measured time: means over seeds, and the front that no other cell beats in both."
    return [Section(f"{written['metric']} against time", figures=[report.drawing(figure, "time", caption)])]


def _courses(place: Place) -> dict[str, list[tuple[str, Course]]]:
    """Return for each method a panel a fraction, the mean over seeds."""
    panels: dict[str, list[tuple[str, Course]]] = {}
    for cell in place.grid.cells:
        paths = [place.of(s) / result("train", cell.name, "history.json") for s in place.seeds if place.done(s, cell.name)]
        found = [report.course_of(report.history_of(path)) for path in paths]
        if cell.role == "method" and found:
            title = "" if cell.fraction is None else f"{cell.fraction:g} kept"
            panels.setdefault(cell.method, []).append((title, _mean_course(found)))
    return panels


def _mean_course(found: list[Course]) -> Course:
    """Return the mean of each line at the places that all seeds have."""
    lines: Course = {}
    for name in found[0]:
        each = [dict(course.get(name, [])) for course in found]
        places = sorted(set.intersection(*(set(e) for e in each)))
        if places:
            lines[name] = [(p, fmean(e[p] for e in each)) for p in places]
    return lines


def _failed(written: Row) -> list[Section]:
    rows = [[r["cell"], str(r["seed"]), r["error"]] for r in written["cells"] if r["error"]]
    return [Section("Cells without results", table=Table(["cell", "seed", "reason"], rows))] if rows else []


def _facts(place: Place, manifest: Row) -> list[tuple[str, str]]:
    done = [(s, c.name) for s in place.seeds for c in place.grid.cells if place.done(s, c.name)]
    if not done:
        return [("command", "python -m pipelines.study")]
    seed, name = done[0]
    return report.provenance(
        manifest, read_json(place.of(seed) / cost_of("train", name)), place.seeds, "python -m pipelines.study (make study)"
    )
