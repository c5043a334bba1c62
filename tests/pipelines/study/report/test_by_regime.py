"""The page by regime: options to be read, and a row's trials."""

from pipelines.report.page import NOTHING
from pipelines.study.across_tasks import RegimeRow
from pipelines.study.report import by_regime as study_by_regime
from tests.pipelines.study_rows import method_row


def test_options_are_told_without_seeds():
    options = {
        "limit": 500,
        "duplicates": {"fraction": 0.5, "near": True, "seed": 3},
        "label_noise": {"fraction": 0.2, "seed": 0},
    }
    assert study_by_regime._options(options) == "limit 500; duplicates fraction 0.5, near; label noise fraction 0.2"
    assert study_by_regime._options({"duplicates": {"fraction": 0.5, "near": False, "seed": 0}}) == "duplicates fraction 0.5"


def test_a_row_has_the_best_cell_with_its_gain_and_dashes_where_there_is_none():
    gain = {"": 0.02, "_deviation": 0.01, "_low": 0.005, "_high": 0.035, "_p": 0.03}
    columns = {f"gain_over_best_control{end}": value for end, value in gain.items()}
    columns |= {"cost_ratio": 0.5, "cost_ratio_low": 0.4, "cost_ratio_high": 0.6, "cost_ratio_bound": "at most"}
    columns |= {"best_control_cell": "short-at-2.0", "accuracy": 0.9, "cost_epochs": 2.0, "above_controls": True}
    best = method_row(method="a", fraction=0.3, settings='{"start": 0.1}', **columns)
    options = '{"label_noise": {"fraction": 0.2, "seed": 0}}'
    none = RegimeRow("digits", "digits", "{}", "accuracy", 0.95, "b", 1, None, None)
    section = study_by_regime._summary([none, RegimeRow("noisy", "digits", options, "accuracy", 0.95, "a", 2, 1, best)])
    first, second = section.table.rows
    assert first == ["digits", "", "accuracy 0.9500", "b", "", "", *[NOTHING] * 9]
    assert second == [
        "noisy (of digits)", "label noise fraction 0.2", "accuracy 0.9500", "a", "0.3", "start 0.1", "0.9000", "2.00",
        "0.0200 ± 0.0100", "0.0050 to 0.0350", "0.030", "short-at-2.0", "≤ 0.50", "0.40 to 0.60", "1 of 2",
    ]  # fmt: skip
    assert section.table.best == {(1, section.table.heads.index("gain"))}
