"""Page of a study over several tasks: gains by regime, then each task's table."""

from __future__ import annotations

import json
from dataclasses import replace

from pydantic import JsonValue

from pipelines.core import artifacts
from pipelines.data.manifest import Manifest
from pipelines.report import page as report_page
from pipelines.report.page import NOTHING, Section, Table, number, with_error
from pipelines.study.across_tasks import RegimeRow, verdicts
from pipelines.study.report import page as study_page
from pipelines.study.report.page import between, ratio
from pipelines.trials.method_rows import MethodRow
from pipelines.trials.search_space import settings_in, settings_text
from pipelines.trials.study_folder import DATA, StudyFolder
from pipelines.trials.study_tables import StudyTables


def page(studies: dict[str, StudyFolder], written: dict[str, StudyTables], rows: list[RegimeRow]) -> str:
    """Return the joint page of a study's tasks.

    Args:
        studies: folders by task.
        written: tables by task.
        rows: one for each task and method.
    """
    lines = ["Methods above the best control at their own cost, with 95 % intervals, paired by seed, that exclude 0:"]
    parts = [replace(part, title=f"{task}: {part.title[0].lower()}{part.title[1:]}") for task, part in _parts(written)]
    title = f"{len(written)} tasks: a study of selecting examples"
    return report_page.render(title, [*lines, *verdicts(rows)], [_summary(rows), *parts], _facts(studies))


def _parts(written: dict[str, StudyTables]) -> list[tuple[str, Section]]:
    return [(task, study_page.by_method(found)) for task, found in written.items()]


def _summary(rows: list[RegimeRow]) -> Section:
    heads = ["task", "options", "full", "method", "kept", "settings", "score", "cost, epochs", "gain", "95 % interval", "p"]
    heads += ["over", "cost ratio", "95 % interval", "trials above"]
    best = {(study, heads.index("gain")) for study, r in enumerate(rows) if r.best and r.best.above_controls}
    text = [
        "One row for each task and method: its trial with the largest gain over the best control at its cost, among those "
        "surely above if there are any. It is chosen by the same test scores that it is shown with, so the best of many trials "
        "is in part luck; p is that of a paired t-test, not corrected for their number. Highlighted trials are above every "
        "control, with intervals that exclude 0. Each task has a page of its own, in the folder of its name beside this one."
    ]
    return Section("By regime", text, Table(heads, [_line(r) for r in rows], frozenset(best)))


def _line(row: RegimeRow) -> list[str]:
    above = NOTHING if row.above is None else f"{row.above} of {row.cells}"
    name = row.task if row.of == row.task else f"{row.task} (of {row.of})"
    first = [name, _options(json.loads(row.options)), f"{row.metric} {number(row.full)}", row.method]
    gained = [with_error(row.gain.mean, row.gain.deviation), between(row.gain.low, row.gain.high), number(row.gain.p, 3)]
    control = (row.best and row.best.best_control.control.cell) or NOTHING
    return [*first, *_best(row.best), *gained, control, *ratio(row.cost_ratio), above]


def _best(best: MethodRow | None) -> list[str]:
    """Return the kept fraction, settings, score and cost of a method's best trial."""
    if best is None:
        return ["", "", NOTHING, NOTHING]
    kept = "" if best.fraction is None else f"{best.fraction:g}"
    return [kept, settings_text(settings_in(best.settings)), number(best.means.score), number(best.means.cost_epochs, 2)]


def _options(options: dict[str, JsonValue]) -> str:
    """Return a task's regime as readable text: its options that are set, without seeds."""
    each = {k: v if isinstance(v, dict) else {"": v} for k, v in options.items()}
    shown = {
        k: [f"{n} {v:g}".strip() if v is not True else n for n, v in o.items() if n != "seed" and v] for k, o in each.items()
    }
    return "; ".join(f"{key.replace('_', ' ')} {', '.join(values)}" for key, values in shown.items())


def _facts(studies: dict[str, StudyFolder]) -> list[tuple[str, str]]:
    manifests = {task: study.path / DATA / artifacts.MANIFEST for task, study in studies.items()}
    data = [(task, _of(Manifest.read(path))) for task, path in manifests.items() if path.exists()]
    seeds = next(iter(studies.values())).seeds
    return [("command", "python -m pipelines.study (make study)"), ("seeds", ", ".join(map(str, seeds))), *data]


def _of(manifest: Manifest) -> str:
    counts = f"{manifest.counts.test:,} test, {manifest.counts.train:,} train"
    return f"{counts}; sha256 {manifest.content}; {manifest.licence}; {manifest.citation}"
