"""Pixels are written with their copies, where there is room for them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipelines.core.errors import UserError
from pipelines.data.added_copies import MOVES
from pipelines.sources import pixel_writer
from pipelines.sources.pixel_writer import InMemory, WithCopies, moved
from tests.pipelines.pictures import array_of, images

RNG = np.random.default_rng(0)


def test_each_channel_is_resized_by_itself(tmp_path):
    pixels = RNG.integers(0, 256, (3, 2, 4, 5), np.uint8)
    found, _ = array_of(InMemory(pixels, 7), [2, 0], tmp_path)
    expected = [[np.asarray(Image.fromarray(channel).resize((7, 7))) for channel in pixels[i]] for i in (2, 0)]
    np.testing.assert_array_equal(found, expected)


def test_copies_are_moved_where_they_lie(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_writer, "BLOCK", 40)
    base, of = RNG.integers(0, 256, (4, 1, 3, 3), np.uint8), np.array([2, 0, 2])
    moves = np.array([(1, 1), (0, -1), (-1, 0)])
    exact, _ = array_of(WithCopies(InMemory(base), of, None), [3, 1, 4, 6], tmp_path)
    assert np.array_equal(exact, base[[3, 1, 2, 2]])
    mixed, _ = array_of(WithCopies(InMemory(base), of, moves), [5, 3, 4], tmp_path)
    near, _ = array_of(WithCopies(InMemory(base), of, moves), [3, 4, 5, 6], tmp_path)
    assert np.array_equal(near[0], base[3])
    assert np.array_equal(near[1, 0, :2, :2], base[2, 0, 1:, 1:])
    assert np.array_equal(near[2, 0, :, 1:], base[0, 0, :, :2])
    assert np.array_equal(near[3, 0, 1:], base[2, 0, :2])
    assert np.array_equal(mixed, near[[2, 0, 1]])


def test_images_that_are_all_the_same_are_refused(prepared, tmp_path):
    source = images(tmp_path / "pets")
    for path in (tmp_path / "pets").glob("*/*"):
        Image.new("L", (8, 8)).save(path)
    with pytest.raises(UserError, match="own: image: all 4 images of the training split are the same"):
        prepared(source, {}, kind="image", test=2)
    assert not Path("results/prepare").exists()


def test_what_the_disk_has_no_room_for_is_refused_before_it_is_written(prepared, tmp_path, monkeypatch):
    source = images(tmp_path / "pets")
    monkeypatch.setattr(pixel_writer.shutil, "disk_usage", lambda path: SimpleNamespace(free=200))
    said = r"4 images of 8 x 8 need 0\.0 GB, and the disk has 0\.0 GB free; set limit, or an image_size of at most 7"
    with pytest.raises(UserError, match=said):
        prepared(source, {}, kind="image", test=2)
    assert not Path("results/prepare").exists()


def test_a_moved_image_is_the_image_one_pixel_further_in_one_of_eight_directions():
    pixels = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)
    found = {moved(pixels, MOVES[s : s + 1])[0, 0].tobytes() for s in range(len(MOVES))}
    assert len(found) == 8
    assert pixels.tobytes() not in found
    # Down and right: row and column 0 are repeated.
    assert np.array([[0, 0, 1], [0, 0, 1], [3, 3, 4]], np.uint8).tobytes() in found
