"""The report of an advice: its sentences, and each trial's course over the rungs."""

import pytest

from pipelines.advise import report
from pipelines.advise.records import NoProposalScore, Nothing, ProposalScore
from pipelines.core.artifacts import MANIFEST, cost_of
from pipelines.report.page import NOTHING
from pipelines.trials.study_folder import DATA, StudyFolder
from tests.pipelines.advise.advices import RUNGS, advice, answer, balance, gain
from tests.pipelines.records import cost_record, manifest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "--tolerance 0.02"),
        ({"goal": "budget", "bound": 100.0}, "--budget-cpu-seconds 100"),
        ({"goal": "budget", "bound": 0.5, "unit": "energy_kwh"}, "--budget-kwh 0.5"),
    ],
)
def test_the_goal_is_told_as_the_command_line_has_it(changes, said):
    assert report.goal_option(advice(**changes)) == said


def test_what_did_not_go_on_is_in_parentheses_with_its_last_cost():
    assert report.course_of("a", RUNGS) == ["a", "0.8500", "0.9100", "6.25"]
    assert report.course_of("b", RUNGS) == ["b", "(0.7000)", NOTHING, "5"]


def test_an_advice_in_sentences():
    gains = {
        "full": gain(0.01, low=0.0075, high=0.0125, least=-0.02, sure=True),
        "short": gain(0.03, least=0.0),
        "uniform": gain(0.04),
    }
    judged = ProposalScore(seed=0, score=0.9, standard_error=0.01)
    error = "standard error over the examples 0.0020"
    assert report.lines(advice(answer=answer(gains=gains), test=judged)) == [
        "advice: a (accuracy 0.9100)",
        f"gain over full: 0.0100 (95 % interval over seeds +0.0075 to +0.0125), {error}; must be at least -0.02: sure",
        f"gain over short: 0.0300, {error}; must be above 0: too few seeds to be sure",
        f"gain over uniform: 0.0400, {error}",
        "it costs at most 0.50 (0.40 to 0.60) of what the best control needs for the same accuracy",
        "on the test split: accuracy 0.9000 ± 0.0100, one seed, evaluated once",
        "the advice cost 42 CPU seconds and 0.3 kWh, 12 CPU seconds of it in this run",
        "paid back after 11 trainings (4 CPU seconds saved by each)",
        "failed and dropped: c, seed 1, on 1 of the data",
    ]


def test_without_an_answer_or_a_saving_nothing_is_claimed():
    nothing = Nothing(kind="nothing", name=None)
    lines = report.lines(
        advice(answer=nothing, test=NoProposalScore(error="it failed"), balance=balance(None, saving=0.0), rungs=[])
    )
    assert lines[1] == "on the test split: it failed"
    assert lines[3:] == ["never paid back: nothing is saved (0 CPU seconds saved by each)"]
    assert "paid back after 1 training (" in report.lines(advice(balance=balance(1)))[-2]


def test_the_page_has_the_trials_and_the_block(tmp_path):
    machine = dict.fromkeys(("processor", "python", "torch", "device", "platform"), "x") | {"threads": 1, "cores": 2}
    study = StudyFolder(tmp_path, None, (0, 1, 2))
    manifest().write(tmp_path / DATA / MANIFEST)
    cost_record(machine=machine).write(study.of(0) / cost_of("train", "full"))
    page = report.page(study, advice(block="compare:\n  full: none\n"))
    heads = ("0.5 of the data, 1 seed<", "1 of the data, 3 seeds<")
    for said in (*heads, "python -m pipelines.advise --tolerance 0.02", "(0.7000)", "full: none"):
        assert said in page
