"""Keys of transcripts are refused where they do nothing or cannot work; plans of other tasks are what they were."""

import pytest

from pipelines.config.loader import load
from pipelines.config.planning import plans_of
from pipelines.core.errors import UserError
from tests.pipelines.speech import TRANSCRIBED

OWN = TRANSCRIBED | {"source": {"from": "files", "train": "own.csv"}, "test": 0.2, "licence": "none", "citation": "none"}
PRETRAINED = {"family": "transformers", "source": {"from": "folder", "folder": "x"}}


@pytest.fixture
def loaded(write_params):
    def load_own(**changes):
        training = {"epochs": 5, "batch_size": 2, "threads": 1, "optimizer": {"name": "sgd", "learning_rate": 0.1}}
        training |= {"schedule": {"name": "linear", "ramp": 0.1, "hold": 2}, **changes.pop("training", {})}
        own = {key: value for key, value in (OWN | changes).items() if value is not None}
        write_params({"task": "own", "compare": {"full": "none"}, "tasks": {"own": own | {"training": training}}})
        return load()

    return load_own


def test_it_is_judged_by_words_or_by_characters_and_less_is_better(loaded):
    assert (loaded().chosen.judging_metric.name, loaded().chosen.judging_metric.higher) == ("wer", False)
    judged = loaded(metric="cer").chosen.judging_metric
    assert (judged.name, judged.higher) == ("cer", False)
    assert loaded(columns=OWN["columns"] | {"group": "speaker"}).chosen.columns.group == "speaker"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "text"}, r"predicts: 'transcript' is for a task of kind 'audio', got 'text'|columns: "),
        ({"columns": {"audio": "file", "label": "said"}}, r"columns: must name 'audio' and 'transcript', .* got audio, label"),
        ({"columns": {"audio": "file"}, "source": {"from": "folder", "folder": "x"}}, r"columns: must name 'audio' and 'trans"),
        ({"predicts": "class", "columns": {"audio": "f", "transcript": "t"}}, r"columns: must name 'audio' and 'label'"),
        (
            {"predicts": "class", "columns": {"audio": "f", "label": "t"}, "transcript": {}},
            r"transcript: is for 'predicts: tra",
        ),
        ({"predicts": "transcripts"}, r"predicts: .*'transcript'"),
        ({"transcript": {"case": "title"}}, r"transcript.case: .*title"),
        ({"metric": "accuracy"}, r"metric: 'accuracy' with predicts: transcript: .*wer"),
        ({"metric": "were"}, r"metric: .*did you mean 'wer'"),
        ({"model": {"family": "small", "name": "mel-cnn"}}, r"model.family: a task with predicts: transcript takes 'transform"),
        ({"model": PRETRAINED, "audio": {"mels": 8}}, r"audio.mels: is what the feature extractor .* says; leave it out"),
        ({"binarize": 0.5}, r"binarize: is for classes, and this task has predicts: transcript"),
        ({"label_noise": {"fraction": 0.1, "seed": 0}}, r"label_noise: is for classes, and this task has predicts: transcript"),
        ({"training": {"label_smoothing": 0.1}}, r"label_smoothing: is for one class .* has predicts: transcript"),
        (
            {"model": PRETRAINED | {"lora": {}}, "audio": {}},
            r"model.lora: is not for 'predicts: transcript'; leave it out, and",
        ),
        ({"transcript": {"vocabulary": "model"}}, r"transcript.vocabulary: 'model' is for .* 'transformers'.*'characters'"),
    ],
)
def test_what_cannot_work_is_refused(loaded, changes, said):
    with pytest.raises(UserError, match=said):
        loaded(**changes)


def test_an_unknown_model_is_refused_by_the_plan_with_the_nearest(loaded):
    params = loaded(model=TRANSCRIBED["model"] | {"type": "parakeet"})
    with pytest.raises(UserError, match=r"tasks.own.model.type: 'parakeet': .*did you mean 'parakeet_ctc'"):
        plans_of(params)


@pytest.mark.parametrize(
    ("name", "audio", "said"),
    [
        ("wav2vec2", None, r"audio.features: must be 'waveform' for a model of type 'wav2vec2', got 'log-mel'; the nearest"),
        ("parakeet_ctc", {"features": "waveform"}, r"audio.features: must be 'log-mel' for .* 'parakeet_ctc', got 'waveform'"),
    ],
)
def test_features_that_a_model_does_not_take_are_refused_by_the_plan(loaded, name, audio, said):
    params = loaded(model={"family": "untrained", "type": name}, audio=audio)
    with pytest.raises(UserError, match=said):
        plans_of(params)


def test_a_plan_has_what_prepare_needs_to_know_of_the_model(loaded):
    plans = plans_of(loaded())
    assert plans.task.listener.type == "parakeet_ctc"
    told = plans_of(
        loaded(predicts="class", columns={"audio": "f", "label": "t"}, model={"family": "small", "name": "mel-cnn"})
    )
    assert not {"listener", "transcript"} & told.task.dumped().keys()


@pytest.mark.parametrize("method", ["balanced", "clean"])
def test_methods_of_classes_are_refused(loaded, method):
    params = loaded()
    params = params.model_copy(update={"compare": {"full": "none", method: "two-epochs"}})
    with pytest.raises(UserError, match=rf"compare.{method}: is for classes, and task 'own' predicts none; take it out"):
        plans_of(params)
