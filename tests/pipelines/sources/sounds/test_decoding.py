"""Sounds are read as they were written, or refused by id and file."""

import io
from collections import Counter

import numpy as np
import pytest
import soundfile

from pipelines.core.errors import UserError
from pipelines.sources.picture_decoding import Item
from pipelines.sources.sounds.decoding import decoded
from tests.pipelines.tones import tone


def written(path, sound, rate=8000, **more):
    soundfile.write(path, sound, rate, **more)
    return Item(f"id 7 ({path})", path=str(path))


def read(item, rate=8000, samples=8000):
    changes = Counter()
    return decoded(item, rate, samples, changes), changes


def test_what_was_written_is_read_to_the_sample_and_equals_scipys_reader(tmp_path):
    from scipy.io import wavfile

    sound = tone(440.0, 0.1)
    found, changes = read(written(tmp_path / "a.wav", sound))
    np.testing.assert_array_equal(found, wavfile.read(tmp_path / "a.wav")[1].astype(np.float32) / 2**15)
    assert found.dtype == np.float32
    assert not changes


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_each_format_gives_nearly_the_same(suffix, tmp_path):
    sound = tone(440.0, 0.5)
    found = read(written(tmp_path / f"a{suffix}", sound))[0]
    # Lossy formats may begin a little late.
    assert max(np.correlate(found[:4000], sound[1000:3000], "valid")) > 0.95 * (sound[1000:3000] ** 2).sum()


def test_channels_are_averaged_and_said(tmp_path):
    left, right = tone(440.0, 0.1), tone(700.0, 0.1)
    found, changes = read(written(tmp_path / "a.wav", np.stack([left, right], 1), subtype="FLOAT"))
    np.testing.assert_allclose(found, (left + right) / 2, atol=1e-6)
    assert changes == {"sounds of several channels, mixed to one": 1}


@pytest.mark.parametrize("own", [16000, 44100, 6000])
def test_a_tone_stays_the_same_tone_at_another_rate(own, tmp_path):
    found, changes = read(written(tmp_path / "a.wav", tone(440.0, 0.5, own), own))
    assert len(found) == 4000
    np.testing.assert_allclose(found[500:-500], tone(440.0, 0.5)[500:-500], atol=5e-3)
    assert changes == {"sounds of another sampling rate, resampled to 8,000 Hz": 1}


@pytest.mark.parametrize("own", [8000, 44100])
def test_what_is_longer_is_cut_and_counted_and_what_is_as_long_is_not(own, tmp_path):
    long, changes = read(written(tmp_path / "a.wav", tone(440.0, 0.3, own), own), samples=1600)
    assert len(long) == 1600
    assert changes["sounds longer than max_seconds, 0.2 s, cut there"] == 1
    whole, changes = read(written(tmp_path / "b.wav", tone(440.0, 0.2, own), own), samples=1600)
    assert len(whole) == 1600
    assert "cut" not in " ".join(changes)


def test_bytes_are_read_like_a_file(tmp_path):
    item = written(tmp_path / "a.flac", tone(440.0, 0.1))
    given = Item("id 0", content=(tmp_path / "a.flac").read_bytes())
    np.testing.assert_array_equal(read(given)[0], read(item)[0])


def test_what_cannot_be_used_is_refused_by_id_and_file(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    bad = {
        r"id 7 \(.*empty.wav\): is empty": written(tmp_path / "empty.wav", np.zeros(0, np.float32)),
        r"id 7 \(.*nan.wav\): has values that are no finite": written(
            tmp_path / "nan.wav", np.full(9, np.nan), subtype="FLOAT"
        ),
        r"sound id 1: cannot be decoded: .*[Ff]ormat not recogni": Item("id 1", path=str(tmp_path / "text.wav")),
        r"sound id 2: no such file": Item("id 2", path=str(tmp_path / "away.wav")),
        r"sound id 3: cannot be decoded": Item("id 3", content=b""),
    }
    for said, item in bad.items():
        with pytest.raises(UserError, match=said):
            read(item)


def test_a_file_that_was_cut_short_gives_what_is_there(tmp_path):
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(440.0, 0.5), 8000, format="WAV")
    found = read(Item("id 0", content=buffer.getvalue()[:2044]))[0]
    assert 900 <= len(found) <= 1000
