"""Features are written block by block, in the order of the ids."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipelines.config.schema.audio import Audio
from pipelines.core.errors import UserError
from pipelines.sources import pixel_writer
from pipelines.sources.picture_decoding import Item
from pipelines.sources.sounds.decoding import decoded
from pipelines.sources.sounds.features import LogMel
from pipelines.sources.sounds.writer import Sounds
from tests.pipelines.tones import AUDIO, tones


@pytest.fixture
def sounds(tmp_path):
    tones(tmp_path / "tones", 6)
    paths = sorted((tmp_path / "tones").glob("*/*"))
    return Sounds(6, lambda i: Item(f"id {i}", path=str(paths[i])), LogMel(Audio(**AUDIO)))


def test_blocks_do_not_matter(sounds, tmp_path, monkeypatch):
    ids = np.array([4, 1, 1, 5])
    written = []
    for most in (1, 1 << 23):
        monkeypatch.setattr(pixel_writer, "BLOCK", most)
        path = tmp_path / "found"
        path.write_bytes(bytes(12 + len(ids) * 4 * int(np.prod(sounds.shape))))
        assert sounds.write(ids, path, 12) == Counter()
        written.append(path.read_bytes())
    assert written[0] == written[1]
    found = np.frombuffer(written[0][12:], np.float32).reshape(len(ids), *sounds.shape)
    for row, i in zip(found, ids, strict=True):
        np.testing.assert_array_equal(row, sounds.features(decoded(sounds._item(i), 8000, 1600, Counter())))


def test_features_of_another_shape_are_refused(sounds, tmp_path):
    sounds.features.shape = (1, 16, 20)
    (tmp_path / "found").write_bytes(bytes(10_000))
    with pytest.raises(UserError, match=r"sound id 2: its features must be of shape \(1, 16, 20\), got \(1, 16, 21\)"):
        sounds.write(np.array([2]), Path(tmp_path / "found"), 0)
