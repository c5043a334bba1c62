"""A comparison of one seed claims what its test examples support."""

from components.costs.savings import Metric
from pipelines.report import comparison_verdict
from tests.pipelines.records import comparison_row


def row(name, score, trained, error=0.002, looked=0, metric="accuracy", **more):
    told = {"examples_trained": trained, "examples_looked": looked, "time_measured": trained / 1000, **more}
    return comparison_row(name, score, metric, **told, **({f"{metric}_standard_error": error} if error else {}))


def compared(*rows, metric="accuracy", higher=True):
    controls = {r.method for r in rows if r.method in ("short", "uniform")}
    return comparison_verdict.of_comparison(rows, controls, Metric(metric, higher), 10)


def test_a_comparison_says_what_one_seed_supports():
    found = compared(row("full", 0.91, 1000), row("short", 0.9, 350), row("a", 0.91, 350))
    assert found.sentence == (
        "a took 0.35 of the time of full and differs from it by +0.00 points; it is above the best control, short: "
        "+1.00 points (+0.45 points to +1.55 points over the test examples). One seed."
    )
    assert [f.value for f in found.figures] == ["0.35", "0.9100", "0.35"]
    assert "level with" in compared(row("full", 0.91, 1000), row("short", 0.91, 350), row("a", 0.91, 350)).sentence
    assert (
        "it is below the best control"
        in compared(row("full", 0.91, 1000), row("short", 0.92, 350), row("a", 0.9, 350)).sentence
    )


def test_a_comparison_without_errors_or_controls_or_methods():
    found = compared(row("full", 5.0, 1000, None, metric="perplexity"), row("short", 6.0, 350, None, metric="perplexity"),
                     row("a", 5.5, 350, None, metric="perplexity"), metric="perplexity", higher=False)  # fmt: skip
    assert "differs from it by -0.50, and from the best control, short, by +0.50. One seed." in found.sentence
    assert "no control here" in compared(row("full", 0.91, 1000), row("a", 0.9, 350)).sentence
    assert compared(row("full", 0.91, 1000), row("short", 0.9, 350)) is None


def test_what_may_be_at_chance_is_not_compared():
    at = {"above_chance": -0.001, "chance_accuracy": 0.9}
    said = "Nothing is compared here: a is not surely better than a constant prediction"
    assert compared(row("full", 0.91, 1000), row("short", 0.9, 350), row("a", 0.9, 350, **at)).sentence.startswith(said)
