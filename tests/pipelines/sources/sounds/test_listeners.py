"""Frames are as many as transformers' models give logits for; options reach the part that they are of."""

import numpy as np
import pytest
import torch

from pipelines.config.schema.model import Untrained
from pipelines.sources.sounds.listeners import frames_of, untrained
from tests.pipelines.speech import LISTENER, PARAKEET

HEAD = {"vocab_size": 7, "pad_token_id": 0}


def listener(name, **options):
    return Untrained(family="untrained", type=name, options=options)


@pytest.mark.parametrize(
    ("model", "bands", "moments"),
    [
        (listener("parakeet_ctc", **PARAKEET), 16, range(2, 40)),
        (listener("parakeet_ctc", **PARAKEET | {"subsampling_factor": 8}), 16, range(2, 40)),
        (listener("wav2vec2", **LISTENER), None, range(50, 130, 3)),
    ],
)
def test_there_are_as_many_frames_as_logits(model, bands, moments):
    from transformers import AutoModelForCTC

    config = untrained(model, bands, **HEAD)
    body = AutoModelForCTC.from_config(config).eval()
    frames = frames_of(config)
    for count in moments:
        with torch.no_grad():
            found = body(torch.randn(1, count, *([bands] if bands else []))).logits.shape[1]
        assert frames(np.array([count])).tolist() == [found]


def test_a_sound_shorter_than_a_window_has_no_frame():
    config = untrained(listener("wav2vec2", **LISTENER), None, **HEAD)
    assert frames_of(config)(np.array([3, 0], np.int32)).tolist() == [0, 0]


def test_options_are_the_encoders_where_it_has_them_and_bands_follow_the_data():
    config = untrained(listener("parakeet_ctc", hidden_size=48, subsampling_factor=2), 24, **HEAD)
    encoder = config.encoder_config
    assert (encoder.hidden_size, encoder.subsampling_factor, encoder.num_mel_bins, encoder.layerdrop) == (48, 2, 24, 0.0)
    assert (config.vocab_size, config.pad_token_id) == (7, 0)
    waves = untrained(listener("hubert", hidden_size=48, num_attention_heads=4), None, **HEAD)
    assert (waves.hidden_size, waves.apply_spec_augment, waves.layerdrop) == (48, False, 0.0)


def test_what_transformers_does_not_know_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"type: 'parakeet': .*did you mean 'parakeet_ctc'"):
        untrained(listener("parakeet"), 16)
    with pytest.raises(ValueError, match=r"options.subsampling: .*did you mean 'subsampling_factor'"):
        untrained(listener("parakeet_ctc", subsampling=4), 16)


def test_a_model_without_frames_is_refused():
    from transformers import BertConfig

    with pytest.raises(ValueError, match=r"must be one that hears tokens in frames .* got 'bert'"):
        frames_of(BertConfig())
