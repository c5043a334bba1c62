"""A diagnosis in sentences, numbers and tables."""

from pipelines.data.findings.records import Example, Findings, Suspect
from pipelines.report import diagnosis
from pipelines.report.page import NOTHING
from tests.pipelines.records import manifest

EVIL = '<script>alert("x")</script>'
PACE = {"early": 0.25, "late": 0.125, "forgotten": 0.5, "never": 0.0, "wrong_labels": 0.1}
ADVICE = {"method": "infobatch", "why": "It pays.", "settings": {"prune": 0.5}, "warm_up": None, "cost": 0.75}
FOUND = {
    "task": "toy",
    "warm_up": "two-epochs",
    "metric": "accuracy",
    "duplicates": {"train_exact": 3, "train_near": 1200, "leaked_exact": 2, "leaked_near": 5, "sought": 100},
    "shift": {"of": "the test split", "from": "training", "auc": 0.512, "error": 0.01, "rows": [50, 60]},
    "classes": [{"name": "cat", "rows": 1000, "right": 0.9, **PACE}, {"name": "dog", "rows": 5, "right": 0.2, **PACE}],
    "gradient": {"effective_sample_size": 0.25, "shares": {"0.1": 0.6}},
    "wrong_labels": {"rate": 0.125, "suspects": 7},
    "advice": ADVICE,
}


def findings(**changes):
    return Findings.of(FOUND | changes)


def test_a_diagnosis_in_sentences():
    assert diagnosis.lines(findings()) == [
        "Try infobatch (prune: 0.5). It pays. At most 25.0 % of the cost of full is saved.",
        "About 12.5 % of the labels are contradicted; 7 are named as probably wrong.",
        "A tenth of the examples has 60.0 % of the gradient; the effective sample size is 0.25 of all.",
        "Training has 3 exact and 1,200 near duplicates; 7 rows of the test split are in training.",
        "A linear classifier tells the test split from training with an AUC of 0.512, where 0.5 is chance.",
    ]
    nothing = findings(advice=ADVICE | {"method": None}, gradient=None, wrong_labels=None)
    assert diagnosis.lines(nothing)[0] == "Select nothing: take the short schedule. It pays."
    assert len(diagnosis.lines(nothing)) == 3


def test_a_diagnosis_in_numbers():
    whole = {"train_exact": 3.0, "train_near": 1200.0, "leaked_exact": 2.0, "leaked_near": 5.0, "shift_auc": 0.512}
    assert diagnosis.measures(findings(gradient=None, wrong_labels=None)) == whole
    more = {"effective_sample_size": 0.25, "wrong_labels": 0.125, "suspects": 7.0}
    assert diagnosis.measures(findings()) == whole | more


def test_classes_are_told_least_learnt_first():
    (section,) = diagnosis._classes(findings())
    assert section.table.rows == [
        ["dog", "5", "20.0", "25.0", "12.5", "50.0", "0.0", "10.0"],
        ["cat", "1,000", "90.0", "25.0", "12.5", "50.0", "0.0", "10.0"],
    ]
    (section,) = diagnosis._classes(findings(classes=[{"name": "cat", "rows": 4}, {"name": "dog", "rows": 5}]))
    assert section.table.rows == [["dog", "5"], ["cat", "4"]]


def test_suspects_are_shown_with_what_is_most_like_them_and_escaped():
    suspect = Suspect(Example(3, 0, EVIL), "cat", "dog", 0.876, [Example(5, 1, "c" * 201), Example(6, 2, "")])
    (section,) = diagnosis._labels(findings(), [suspect], manifest(kind="text"))
    assert section.table.rows == [["3", EVIL, "cat", "dog", "0.88", f"{'c' * 200}… | {NOTHING}"]]
    page = diagnosis.page(findings(), [suspect], manifest(kind="text"))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 1
