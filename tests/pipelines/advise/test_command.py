"""The command line of an advice, and its part of params.yaml, are read or refused."""

import pytest

from pipelines.advise.command import arguments, narrowed
from pipelines.config.loader import load
from pipelines.core.errors import UserError


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "takes one of --tolerance, --budget-cpu-seconds, --budget-kwh, got 0; one that works: --tolerance 0.01"),
        ("--tolerance 0.1 --budget-kwh 1", "takes one of .*, got 2"),
        ("--tolerance -0.1", r"--tolerance: must be a finite number, 0 or more, got -0.1; the nearest that works is 0.0"),
        ("--tolerance nan", "--tolerance: must be a finite number"),
        (
            "--budget-cpu-seconds 0",
            "--budget-cpu-seconds: must be a finite number, above 0, got 0.0; the nearest that works is 1",
        ),
        ("--budget-kwh inf", "--budget-kwh: must be a finite number, above 0, got inf"),
        ("--tolerance much", "invalid float value: 'much'"),
        ("--tolerance 0.1 --method swiftlearn more", None),
        ("--tolerance 0.1 --fast", "unrecognized arguments: --fast"),
    ],
)
def test_a_command_line_is_read_or_refused(given, said):
    if said is None:
        assert arguments(given.split()).methods == ["swiftlearn", "more"]
        return
    with pytest.raises(UserError, match=said):
        arguments(given.split())


def test_candidates_are_narrowed_to_some_that_there_are(write_params):
    write_params({"task": "digits", "advise.vary": {"infobatch": {"prune": [0.3, 0.5]}}})
    read = narrowed(load(), ["swiftlearn"], [4])
    assert read.advise.methods == {"swiftlearn": "two-epochs"}
    assert read.advise.vary == {}
    assert read.advise.seeds == [4]
    with pytest.raises(UserError, match=r"--methods swiftlern: no such method in advise\.methods, did you mean 'swiftlearn'"):
        narrowed(load(), ["swiftlern"], None)
    with pytest.raises(UserError, match="--seeds: each must be there once, got 1 2 times"):
        narrowed(load(), None, [1, 1])


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "rungs",
            [],
            r"advise: rungs: must be one share or more, each above the last, got \[\]; the nearest that works is \[1.0\]",
        ),
        ("rungs", [0.5, 0.25], r"the nearest that works is \[0.25, 0.5\]"),
        ("rungs", [0.5, 1.5], r"advise\.rungs\.1: .* less than or equal to 1, got 1.5"),
        ("validation", 1.0, r"advise\.validation: .* less than 1"),
        ("seeds", [], r"seeds: must name one or more"),
        ("rung", [1.0], r"'rung': no such key, did you mean 'rungs'"),
    ],
)
def test_a_section_that_cannot_work_is_refused(write_params, key, value, said):
    write_params({f"advise.{key}": value})
    with pytest.raises(UserError, match=said):
        load()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("limit", 1.5, r"limit: must be a number of rows, 1 or more, or a fraction in \(0, 1\), got 1.5"),
        ("limit", 0, "limit: must be a number of rows, 1 or more, .* got 0"),
        ("validation", 0.0, r"tasks\.digits\.validation: .* greater than 0, got 0.0"),
        ("validation", 1.0, r"tasks\.digits\.validation: .* less than 1, got 1.0"),
    ],
)
def test_a_part_of_the_data_that_cannot_be_is_refused(write_params, key, value, said):
    write_params({f"tasks.digits.{key}": value})
    with pytest.raises(UserError, match=said):
        load()
