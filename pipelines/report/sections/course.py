"""Section of methods' own figures over the epochs, and their events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from components.epoch_records import EpochRecord
from pipelines.core.artifacts import result
from pipelines.costs.history import history_of
from pipelines.report.charts import Course, courses
from pipelines.report.page import Section, Table, drawing
from pipelines.report.trial_names import distinguishing_setting

if TYPE_CHECKING:
    from pipelines.trials.study_folder import StudyFolder

History = list[EpochRecord]
#: The most rows in the table of events; each trial's history has all.
MOST = 200


def of_comparison(names: list[str]) -> list[Section]:
    """Return the sections of a comparison's methods ``names``."""
    histories = [(name, _history(result("train", name, "history.json"))) for name in names]
    return [*_lines({name: [("", course_of(history))] for name, history in histories}), *_events(histories)]


def of_study(study: StudyFolder) -> list[Section]:
    """Return the sections of a study: a panel for each trial, and events by seed."""
    return [*_lines(_courses(study)), *_events([(f"{name}, seed {s}", h) for name, s, h in _histories(study)])]


def _history(path: Path) -> History:
    """Return a method's history; empty if the file is missing."""
    return history_of(path) if path.exists() else []


def course_of(history: History) -> Course:
    """Return a method's own figures by name, as points (epochs, value)."""
    lines: Course = {}
    for facts in (f for record in history for f in record.course):
        for name, value in facts.items():
            if name != "place":
                lines.setdefault(name, []).append((facts["place"], value))
    return lines


def _lines(panels: dict[str, list[tuple[str, Course]]]) -> list[Section]:
    """Return the section with a chart for every method that has figures of its own."""
    shown = {method: [p for p in found if p[1]] for method, found in panels.items()}
    drawings = [
        drawing(courses(found), f"course-{number}", f"{method}: its own figures, sixteen times an epoch")
        for number, (method, found) in enumerate(shown.items())
        if found
    ]
    text = [
        "For a method that mixes rules, the weight of each rule; for a method in stages, its stage, its threshold and its "
        "predictor's loss in nats."
    ]
    return [Section("The methods' own figures", text, figures=drawings)] if drawings else []


def _events(histories: list[tuple[str, History]]) -> list[Section]:
    """Return the section with the table of events in the named ``histories``, if any."""
    rows = [
        [name, f"{event['place']:.3f}", f"{event['step']:,}", event["event"]]
        for name, history in histories
        for record in history
        for event in record.events
    ]
    if not rows:
        return []
    text = [f"The first {MOST} of {len(rows):,} events."] if len(rows) > MOST else []
    return [Section("Events", text, Table(["method", "epochs", "steps", "event"], rows[:MOST]))]


def _histories(study: StudyFolder) -> Iterator[tuple[str, int, History]]:
    """Yield name, seed and history of the methods' completed trials."""
    for trial in study.grid.trials:
        for seed in study.seeds if trial.role == "method" else ():
            if study.is_done(seed, trial.name):
                yield trial.name, seed, _history(study.of(seed) / result("train", trial.name, "history.json"))


def _courses(study: StudyFolder) -> dict[str, list[tuple[str, Course]]]:
    """Return the panels of each method, one for each trial: the mean over seeds."""
    panels: dict[str, list[tuple[str, Course]]] = {}
    for trial in study.grid.trials:
        paths = [study.of(s) / result("train", trial.name, "history.json") for s in study.seeds if study.is_done(s, trial.name)]
        found = [course_of(_history(path)) for path in paths]
        if trial.role == "method" and found:
            panels.setdefault(trial.method, []).append((distinguishing_setting(trial), _mean_course(found)))
    return panels


def _mean_course(found: list[Course]) -> Course:
    """Return the mean of each line, at the epochs that all seeds have."""
    lines: Course = {}
    for name in found[0]:
        each = [dict(course.get(name, [])) for course in found]
        studies = sorted(set.intersection(*(set(e) for e in each)))
        if studies:
            lines[name] = [(p, fmean(e[p] for e in each)) for p in studies]
    return lines
