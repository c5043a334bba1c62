"""Keys of sounds are refused where they do nothing or cannot work."""

import pytest

from pipelines.config.loader import load
from pipelines.core.errors import UserError

OWN = {
    "kind": "audio",
    "source": {"from": "folder", "folder": "data/tones"},
    "test": 0.2,
    "licence": "none",
    "citation": "none",
}
OWN |= {"model": {"family": "small", "name": "mel-cnn"}}
PRETRAINED = {"family": "transformers", "source": {"from": "folder", "folder": "x"}}


@pytest.fixture
def loaded(write_params):
    def load_own(**changes):
        training = {"epochs": 5, "batch_size": 2, "threads": 1, "optimizer": {"name": "sgd", "learning_rate": 0.1}}
        training |= {"schedule": {"name": "linear", "ramp": 0.1, "hold": 2}, **changes.pop("training", {})}
        write_params({"task": "own", "tasks": {"own": OWN | changes | {"training": training}}})
        return load().chosen

    return load_own


def test_what_is_left_out_has_a_default(loaded):
    assert loaded().audio is None
    assert loaded(audio={"max_seconds": 2}).audio.mels == 40


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"audio": {"max_seconds": 0.01}}, r"audio.max_seconds: must be .* 0.1, got 0.01; the nearest that works is 0.1"),
        ({"audio": {"sampling_rate": 100}}, r"audio.sampling_rate: .*; the nearest that works is 4000"),
        ({"audio": {"mel": 8}}, r"audio: .*'mel'.*mels"),
        ({"model": PRETRAINED, "audio": {"mels": 8}}, r"audio.mels: is what the feature extractor .* says; leave it out"),
        ({"model": {"family": "small", "name": "mlp"}}, r"model.name: a task of kind 'audio' takes 'mel-cnn', got 'mlp'"),
        ({"columns": {"audio": "path"}}, r"columns: sounds of 'folder' have none, got path; leave it out"),
        ({"training": {"keep_frozen": True}}, r"keep_frozen: .* got true for one of kind 'audio'"),
        (
            {"training": {"augment": [{"flip": {}}]}},
            r"training.augment: is for a task of kind 'image', and this one is .* 'audio'",
        ),
        ({"duplicates": {"fraction": 0.5, "near": True}}, r"duplicates.near: .* false for a task of kind 'audio', got true"),
        ({"drop_empty": True}, r"drop_empty: is for kind 'text' or 'language'"),
        ({"image_size": 8}, r"image_size: is for a task of kind 'image', and this one is of kind 'audio'"),
    ],
)
def test_what_cannot_work_is_refused(loaded, changes, said):
    with pytest.raises(UserError, match=said):
        loaded(**changes)


def test_audio_is_for_sounds_alone(write_params):
    write_params({"tasks.movie-reviews.audio": {"mels": 16}})
    with pytest.raises(UserError, match="audio: is for a task of kind 'audio', and this one is of kind 'text'; leave it out"):
        load()


def test_groups_and_a_target_set_exclude_each_other(write_params):
    write_params({"task": "domains", "tasks.domains.columns.group": "id"})
    with pytest.raises(UserError, match=r"columns.group: keeps groups in one split, and a target set divides the rows"):
        load()
