"""Tables of a study for tests, from the columns that a check is about."""

from pipelines.trials.method_rows import MethodRow
from pipelines.trials.study_tables import StudyTables


def method_row(metric="accuracy", **columns):
    """Return the row of a method by some of its ``columns``; what is not given is not known."""
    least = {"fraction": None, "settings": "", "planned_cost_epochs": 2.0, "seeds": 3, "best_control_cell": None}
    return MethodRow.of(least | {"above_controls": None, "agot_best": False} | columns, metric)


def study_tables(methods, points=(), seeds=(0, 1, 2), metric="accuracy"):
    """Return the tables of a study of which ``methods`` and ``points`` are known."""
    return StudyTables(
        task="toy",
        metric=metric,
        higher_is_better=True,
        seeds=list(seeds),
        agot_epsilon=0.95,
        columns=[],
        summary={},
        methods=list(methods),
        cells=[],
        points=list(points),
    )
