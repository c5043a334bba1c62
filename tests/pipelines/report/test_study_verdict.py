"""A study's verdict: the best trial beside the best control, its numbers, the chart."""

import json

import pytest
from scipy.stats import t

from pipelines.report import page, study_verdict
from pipelines.trials.study_tables import Point as Placed
from tests.pipelines.study_rows import method_row, study_tables


def method(name, score, gain, above, ratio=0.5, bound="", seeds=3, **settings):
    interval = {"_low": gain - 0.002, "_high": gain + 0.002} if seeds >= 3 else {"_low": None, "_high": None}
    row = {"method": name, "settings": json.dumps(settings) if settings else "", "seeds": seeds}
    row |= {"accuracy": score, "accuracy_deviation": 0.001, "time_measured": 0.36, "time_measured_deviation": 0.01}
    row |= {"gain_over_best_control": gain, "above_controls": above, "cost_ratio": ratio, "cost_ratio_bound": bound}
    row |= {f"gain_over_best_control{k}": v for k, v in interval.items()}
    return row | {"cost_ratio_low": ratio - 0.05, "cost_ratio_high": ratio + 0.05}


def written(*methods, seeds=(0, 1, 2)):
    full = method("full", 0.91, 0.0, None) | {"gain_over_best_control": None}
    points = [
        {"cell": name, "fraction": None, "settings": ""}
        | {"role": role, "method": name, "accuracy": score, "accuracy_deviation": 0.001, "cost_epochs": cost}
        for role, name, score, cost in (
            ("full", "full", 0.91, 10.0),
            ("control", "short", 0.90, 3.5),
            ("control", "uniform", 0.89, 3.5),
            ("method", "importance", 0.906, 3.5),
        )
    ]
    rows = [method_row(**columns) for columns in (full, *methods)]
    return study_tables(rows, [Placed.of(columns, "accuracy") for columns in points], seeds)


def test_the_best_cell_that_is_surely_above_has_the_word():
    found = study_verdict.of_study(
        written(
            method("a", 0.92, 0.02, False), method("importance", 0.906, 0.006, True, budget=0.35), method("b", 0.9, 0.003, True)
        )
    )
    assert found.sentence == (
        "importance (budget 0.35) is surely above the best control of its cost, by +0.60 points (+0.40 to +0.80); for the same "
        "accuracy the best control needs 2.0 times the cost."
    )
    time, score, ratio = found.figures
    half = t.ppf(0.975, 2) / 3**0.5
    assert (time.value, time.interval) == ("0.36", f"{0.36 - 0.01 * half:.2f} to {0.36 + 0.01 * half:.2f}")
    assert (score.value, score.label) == ("0.9060", "accuracy; full has 0.9100")
    assert (ratio.value, ratio.interval) == ("0.50", "0.45 to 0.55")
    assert found.chart is not None


def test_where_nothing_is_sure_the_short_schedule_is_named():
    found = study_verdict.of_study(written(method("a", 0.9, -0.01, False), method("b", 0.905, 0.001, False)))
    assert found.sentence.startswith(
        "No method is surely above the best control of its cost: take the short schedule. The nearest is b, +0.10"
    )


def test_a_ratio_that_is_bounded_is_told_so():
    found = study_verdict.of_study(written(method("a", 0.95, 0.02, True, bound="at most")))
    assert "needs at least 2.0 times the cost" in found.sentence
    assert found.figures[2].value == "≤ 0.50"


@pytest.mark.parametrize(("seeds", "said"), [((0,), "one seed is too few"), ((0, 1), "2 seeds are too few")])
def test_few_seeds_have_no_interval(seeds, said):
    found = study_verdict.of_study(written(method("a", 0.92, 0.02, None, seeds=len(seeds)), seeds=seeds))
    assert said in found.sentence
    assert found.figures[0].interval == ""


def test_without_results_there_is_no_claim():
    assert study_verdict.of_study(written()).sentence == "No method has results beside its controls."


def test_points_are_hundredths_of_shares_alone():
    assert study_verdict.points(0.0123, "accuracy") == "+1.23 points"
    assert study_verdict.points(-1.5, "perplexity") == "-1.50"


def test_everything_else_is_folded_below_the_verdict():
    sections = [page.Section("The rest", ["text"]), page.Section("More", ["text"])]
    with_it = page.render("title", ["line"], sections, [], study_verdict.of_study(written(method("a", 0.92, 0.02, True))))
    without = page.render("title", ["line"], sections, [])
    assert with_it.count("<details>") == with_it.count("</details>") == 3
    assert with_it.index("surely above") < with_it.index("<svg") < with_it.index("<details>") < with_it.index("The rest")
    assert "<details" not in without
    assert without.count("<section>") == without.count("</section>") == 3


def test_what_may_be_at_chance_is_not_compared():
    at = {"above_chance": -0.001, "chance_accuracy": 0.9}
    said = "Nothing is compared here: a is not surely better than a constant prediction"
    assert study_verdict.of_study(written(method("a", 0.9, 0.01, True) | at)).sentence == f"{said}, which has accuracy 0.9000."
    above = at | {"above_chance": 0.01}
    assert "surely above the best control" in study_verdict.of_study(written(method("a", 0.9, 0.01, True) | above)).sentence


def test_a_study_without_full_has_seconds_in_the_place_of_its_share():
    study = written(method("a", 0.9, 0.01, True) | {"time_measured": None, "cpu_seconds": 12.34, "cpu_seconds_deviation": 0.1})
    time, score, _ = study_verdict.of_study(study.model_copy(update={"methods": study.methods[1:]})).figures
    assert (time.value, time.label) == ("12.3", "CPU seconds")
    assert score.label == "accuracy"
