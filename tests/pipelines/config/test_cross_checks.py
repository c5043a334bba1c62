"""Values of params.yaml that depend on each other, refused where they do not fit."""

import pytest

TASK = "tasks.movie-reviews"
BAD = {
    "unknown task": ({"task": "movie-review"}, r"task: 'movie-review': no such task, did you mean 'movie-reviews'\?"),
    "a batch that memory cannot hold": (
        {
            "task": "fashion-vit",
            "tasks.fashion-vit.source": {"from": "folder", "folder": "photographs"},
            "tasks.fashion-vit.image_size": 8000,
            "tasks.fashion-vit.training.batch_size": 10**6,
        },
        r"fashion-vit.training.batch_size: must be at most [\d,]+ with images of 8000 x 8000, .* got 1,000,000; a tenth of th",
    ),
    "unknown method": ({"compare.swiftlern": "none"}, r"compare.swiftlern: no such method .* did you mean 'swiftlearn'\?"),
    "unknown warm-up": ({"compare.swiftlearn": "two-epoch"}, r"'two-epoch': no such warm-up .* did you mean 'two-epochs'\?"),
    "a ramp longer than training": (
        {f"{TASK}.training.schedule.ramp": 5.0},
        r"schedule.ramp: must be under the 5 of .*got 5.0; the nearest that works is 4",
    ),
    "warm-up too long": (
        {"warm_ups.two-epochs.epochs": 5},
        r"training.epochs: must be above the 5 of the warm-up 'two-epochs', got 5; the nearest that works is 6",
    ),
    "warm-up beyond the hold": ({f"{TASK}.training.schedule.hold": 1}, r"schedule.hold: must be at least the 2.0 epochs"),
    "no full": ({"compare": {"uniform": "none"}}, r"compare: 'full' is missing"),
    "nothing to compare": ({"compare": {}}, r"compare: names no method"),
    "a country of two letters": ({"energy.country": "US"}, r"energy.country: .* alpha-3 code, got 'US'; did you mean 'USA'"),
    "a country by its English name": ({"energy.country": "GER"}, r"energy.country: .*got 'GER'; did you mean 'DEU', Germany\?"),
    "a country that there is not": ({"energy.country": "QQX"}, r"energy.country: .*got 'QQX'$"),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)
