"""Features equal those of an independent library, and refuse settings that cannot work."""

import numpy as np
import pytest
import torch

from pipelines.config.schema.audio import Audio
from pipelines.core.errors import UserError
from pipelines.sources.sounds.features import FLOOR, Extracted, LogMel, features_of, waveform
from tests.pipelines.tones import tone


def by_torch(sound, audio):
    """Log-mel bands worked out by torch.stft and triangles of HTK's mel scale (2595 log10(1 + f / 700))."""
    rate, bands, window, hop, fft = audio.sampling_rate, audio.mels, 200, 80, 512
    spectrum = torch.stft(
        torch.from_numpy(sound).double(),
        fft,
        hop,
        window,
        _centred(window, fft),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    mel = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2)
    hz, bins = 700 * (10 ** (mel / 2595) - 1), np.arange(fft // 2 + 1) * rate / fft
    up = (bins - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    down = (hz[2:, None] - bins) / (hz[2:] - hz[1:-1])[:, None]
    power = np.maximum(0, np.minimum(up, down)) @ (spectrum.abs() ** 2).numpy()
    return np.log(np.maximum(power, FLOOR))[None]


def _centred(window, fft):
    return torch.hann_window(window, dtype=torch.float64)


def test_log_mel_bands_equal_those_of_torch():
    audio = Audio(sampling_rate=8000, max_seconds=0.5, mels=20)
    sound = tone(440.0, 0.5, noise=0.1)
    found = LogMel(audio)(sound)
    assert found.shape == LogMel(audio).shape == (1, 20, 51)
    assert found.dtype == np.float32
    expected = by_torch(sound, audio)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_band_of_a_tone_is_the_loudest_and_silence_has_the_least_power():
    audio = Audio(sampling_rate=8000, max_seconds=1.0, mels=20)
    mel = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 22)[1:-1]
    for pitch in (300.0, 1000.0, 3000.0):
        found = LogMel(audio)(tone(pitch, 0.5))[0]
        assert found[:, 10].argmax() == np.abs(mel - 2595 * np.log10(1 + pitch / 700)).argmin()
        np.testing.assert_allclose(found[:, 60:], np.log(FLOOR), rtol=1e-6)


def test_more_bands_than_can_be_told_apart_are_refused_with_the_nearest():
    audio = Audio(sampling_rate=8000, max_seconds=0.5, mels=200)
    with pytest.raises(
        UserError, match=r"tasks\.x\.audio\.mels: must be at most \d+ at 8,000 Hz.*the nearest that works"
    ) as error:
        features_of(audio, None, "params.yaml: tasks.x")
    nearest = int(str(error.value).rsplit(" ", 1)[1])
    assert LogMel(audio.model_copy(update={"mels": nearest})).shape[1] == nearest


def test_a_waveform_has_mean_0_and_deviation_1_and_zeros_behind_it():
    found = waveform(Audio(sampling_rate=8000, max_seconds=0.2, features="waveform"))
    sound = tone(440.0, 0.1) + np.float32(0.2)
    given = found(sound)
    assert found.shape == given.shape == (1600,)
    np.testing.assert_allclose(given[:800], (sound - sound.mean()) / sound.std(), atol=1e-4)
    assert not given[800:].any()


def test_an_extractor_of_spectrograms_gives_its_own_length():
    from transformers import ASTFeatureExtractor

    extractor = ASTFeatureExtractor(sampling_rate=8000, num_mel_bins=16, max_length=40)
    found = Extracted(extractor, 0.2)
    sound = tone(440.0, 0.2)
    assert (found.shape, found.rate, found.name) == ((40, 16), 8000, "ASTFeatureExtractor")
    np.testing.assert_array_equal(found(sound), extractor(sound, sampling_rate=8000, return_tensors="np")["input_values"][0])
