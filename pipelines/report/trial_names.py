"""Names and runs of a study's trials on its page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pipelines.report.run_results import Run
from pipelines.trials.search_space import settings_text

if TYPE_CHECKING:
    from pipelines.trials.grid import Trial
    from pipelines.trials.method_rows import MethodRow
    from pipelines.trials.study_folder import StudyFolder


def distinguishing_setting(trial: Trial) -> str:
    """Return the fraction and settings that distinguish a trial from others of its method."""
    fraction = "" if trial.fraction is None else f"{trial.fraction:g} kept"
    return ", ".join(part for part in (fraction, settings_text(trial.settings)) if part)


def title(trial: Trial) -> str:
    """Return a trial's name, with its method."""
    return ", ".join(part for part in (trial.method, distinguishing_setting(trial)) if part)


def best(study: StudyFolder, methods: Iterable[MethodRow]) -> list[Trial]:
    """Return ``full`` and each method's trial of highest AGOT, by the study's rows ``methods``."""
    names = {(r.method, r.fraction, r.settings) for r in methods if r.agot_best or r.method == "full"}
    trials = [c for c in study.grid.trials if c.role != "control"]
    return [trial for trial in trials if (trial.method, trial.fraction, trial.settings_json) in names]


def runs(study: StudyFolder, trial: Trial, data: str | None = None) -> Iterator[Run]:
    """Yield the completed runs of a trial."""
    for seed in study.seeds:
        if study.is_done(seed, trial.name):
            yield Run(trial.name, data, study.of(seed))
