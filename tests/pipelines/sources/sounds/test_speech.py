"""Features of a sound alone are what transformers' extractors give for it, and are written with their lengths."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from transformers import ParakeetFeatureExtractor, SeamlessM4TFeatureExtractor, Wav2Vec2FeatureExtractor

from pipelines.config.schema.audio import Audio
from pipelines.core.errors import UserError
from pipelines.data.split_files import write_split
from pipelines.sources import pixel_writer
from pipelines.sources.picture_decoding import Item
from pipelines.sources.pixel_writer import blank, offset_of
from pipelines.sources.sounds.decoding import decoded
from pipelines.sources.sounds.speech import Alone, Spoken, features_alone
from tests.pipelines.speech import AUDIO, speech, texts
from tests.pipelines.tones import tone


@pytest.mark.parametrize("seconds", [0.05, 0.31, 1.0])
@pytest.mark.parametrize("masked", [True, False])
def test_a_waveform_is_scaled_by_itself_also_where_the_model_takes_no_mask(seconds, masked):
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=8000, return_attention_mask=masked)
    sound = tone(440.0, seconds)
    found = Alone(extractor, 1)(sound)
    np.testing.assert_allclose(found, (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7), atol=1e-5)


@pytest.mark.parametrize(("seconds", "frames"), [(0.05, 5), (0.31, 31), (1.0, 100)])
def test_bands_are_parakeets_without_the_frame_that_it_pads(seconds, frames):
    features = features_alone(Audio(**AUDIO), None, "params.yaml: tasks.own")
    extractor = ParakeetFeatureExtractor(feature_size=16, sampling_rate=8000, hop_length=80, win_length=200, n_fft=512)
    sound = tone(440.0, seconds, noise=0.1)
    whole = extractor([sound, tone(440.0, 1.2, noise=0.1)], sampling_rate=8000, return_tensors="np")
    found = features(sound)
    assert found.shape == (frames, 16)
    np.testing.assert_allclose(found, whole["input_features"][0, :frames], atol=1e-4)
    assert features.shape == (150, 16)


def test_an_extractor_that_pads_to_a_multiple_is_cut_to_what_is_heard():
    features = Alone(SeamlessM4TFeatureExtractor(sampling_rate=16000), 1)
    lengths = [len(features(tone(440.0, seconds, 16000))) for seconds in (0.3, 0.31, 0.5)]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[2] <= features.shape[0]


def test_bands_that_are_too_many_are_refused_with_the_most_that_work():
    with pytest.raises(UserError, match=r"tasks.own.audio.mels: must be fewer at 16,000 Hz, .* got 256; one that works is \d+"):
        features_alone(Audio(sampling_rate=16000, mels=256), None, "params.yaml: tasks.own")


@pytest.fixture
def spoken(tmp_path):
    speech(tmp_path / "songs")
    paths = sorted((tmp_path / "songs").glob("*.wav"))
    features = features_alone(Audio(**AUDIO), None, "tasks.own")
    found = Spoken(len(paths), lambda i: Item(f"id {i}", path=str(paths[i])), features, "tasks.own")
    found.moments_to_frames, found.needed = (lambda moments: moments // 4), np.array([len(text) for text in texts(24)])
    return found


@pytest.mark.parametrize("most", [1, 1 << 23])
def test_features_are_written_with_zeros_behind_them_and_their_lengths(spoken, tmp_path, monkeypatch, most):
    monkeypatch.setattr(pixel_writer, "BLOCK", most)
    ids, path = np.array([4, 1, 1, 20]), tmp_path / "some.arrow"
    none = pa.array(np.zeros(len(ids), np.int32))
    write_split(path, pa.table({"id": ids, "length": none, "frames": none, "sound": blank(len(ids), spoken)}))
    assert spoken.write(ids, path, offset_of(path, "sound")) == Counter()
    table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    lengths = table["length"].to_numpy()
    assert lengths.tolist() == [20 * len(texts(24)[i]) for i in ids]
    assert table["frames"].to_pylist() == (lengths // 4).tolist()
    rows = table["sound"].chunk(0).flatten().to_numpy().reshape(len(ids), *spoken.shape)
    for row, length, i in zip(rows, lengths, ids, strict=True):
        np.testing.assert_array_equal(row[:length], spoken.features(decoded(spoken._item(i), 8000, 12000, Counter())))
        assert (row[length:] == 0).all()


def test_a_transcript_that_does_not_fit_is_named_by_its_id(spoken, tmp_path):
    spoken.needed = np.where(np.arange(24) == 7, 999, spoken.needed)
    ids, path = np.array([3, 7]), tmp_path / "some.arrow"
    none = pa.array(np.zeros(2, np.int32))
    write_split(path, pa.table({"id": ids, "length": none, "frames": none, "sound": blank(2, spoken)}))
    with pytest.raises(UserError, match=r"sound id 7: its transcript needs 999 frames, .* tasks.own.model with more frames"):
        spoken.write(ids, path, offset_of(path, "sound"))
