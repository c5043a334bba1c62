"""Pictures are decoded as one sees them; one that cannot be used is named."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines.core.errors import UserError
from pipelines.sources import picture_decoding
from pipelines.sources.picture_decoding import Item, PixelFormat, decoded
from tests.pipelines.pictures import images

RNG = np.random.default_rng(0)


def picture(image, kind="PNG", **options):
    """Return what is read of an image that was saved."""
    file, changes = io.BytesIO(), Counter()
    image.save(file, kind, **options)
    return decoded(Item("id 0 (x.png)", content=file.getvalue()), PixelFormat(None), changes), dict(changes)


def test_images_of_several_sizes_are_refused_or_resized(prepared, tmp_path):
    source = images(tmp_path / "pets", (8, 8, 9, 8, 8, 8))
    with pytest.raises(UserError, match=r"image id 4 .*2\.png\): must be \(1, 8, 8\) like the first, got \(1, 9, 9\)"):
        prepared(source, {}, kind="image", test=2)
    assert prepared(source, {}, kind="image", test=2, image_size=6)[0].shape == [1, 6, 6]


def test_grey_among_colours_is_named_whatever_the_size(prepared, tmp_path):
    source = images(tmp_path / "pets")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "pets/cat/5.png")
    with pytest.raises(UserError, match=r"image id 2 .*5\.png\): is in colour, and the first one is grey; convert them alike"):
        prepared(source, {}, kind="image", test=2, image_size=6)


def test_a_corrupt_image_is_named_by_id(prepared, tmp_path):
    source = images(tmp_path / "pets")
    broken = tmp_path / "pets" / "cat" / "3.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(UserError, match=r"image id 1 .*3\.png\): cannot be decoded"):
        prepared(source, {}, kind="image", test=2)
    assert not Path("results/prepare").exists()


def test_an_image_too_large_to_open_is_named_by_id(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)
    with pytest.raises(UserError, match=r"image id 0 .*png\): cannot be decoded: Image size"):
        prepared(images(tmp_path / "pets"), {}, kind="image", test=2)


@pytest.mark.parametrize(
    "mode_and_suffix", [("I;16", "png"), ("I;16", "tif"), ("I;16B", "tif")], ids=lambda pair: "-".join(pair)
)
def test_sixteen_bits_are_scaled_to_eight(mode_and_suffix, prepared, tmp_path):
    mode, suffix = mode_and_suffix
    ramp = (np.arange(256, dtype=np.uint32) * 257).astype(np.uint16).reshape(16, 16)
    source = images(tmp_path / "pets", (16,) * 6)
    stored = ramp.astype(">u2") if mode == "I;16B" else ramp
    Image.frombytes(mode, (16, 16), stored.tobytes()).save(tmp_path / f"pets/cat/1.{suffix}")
    if suffix != "png":
        (tmp_path / "pets/cat/1.png").unlink()
    manifest, train, _ = prepared(source, {}, kind="image", test=0.2)
    assert manifest.changes == {picture_decoding.SCALED: 1}
    assert any(np.array_equal(found[0], np.arange(256).reshape(16, 16)) for found in train.examples.pixels)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_numbers_without_a_range_are_refused_with_their_mode(mode):
    with pytest.raises(UserError, match=rf"image id 0 \(x\.png\): has mode {mode}, whose values have no defined range"):
        picture(Image.new(mode, (4, 4)), "TIFF")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_put_on_white(mode):
    ink = np.zeros((4, 4, 4), np.uint8)
    ink[1, 2] = (0, 0, 0, 255)
    ink[3, 3] = (0, 0, 0, 51)
    image = Image.fromarray(ink, "RGBA")
    options = {}
    if mode == "P":
        image, options = Image.fromarray((ink[..., 3] == 255).astype(np.uint8), "P"), {"transparency": 0}
        image.putpalette([0, 0, 0, 0, 0, 0])
    found, changes = picture(image.convert(mode), **options)
    wanted = np.full((3, 4, 4), 255)
    wanted[:, 1, 2] = 0
    if mode != "P":
        wanted[:, 3, 3] = 204
    assert np.array_equal(found, wanted)
    assert changes == {picture_decoding.ON_WHITE: 1}


def test_a_grey_that_stands_for_nothing_is_white_and_stays_one_channel():
    found, _ = picture(Image.fromarray(np.array([[7, 8], [9, 7]], np.uint8)), transparency=7)
    assert found.tolist() == [[[255, 8], [9, 255]]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "CMYK", "L", "1", "P"])
def test_what_is_not_transparent_is_as_pillow_converts_it(mode):
    image = Image.fromarray(RNG.integers(0, 256, (5, 4, 3), np.uint8)).convert(mode)
    found, changes = picture(image, "TIFF")
    grey = mode in ("L", "1")
    wanted = np.asarray(image.convert("L" if grey else "RGB"))
    assert np.array_equal(found, wanted[None] if grey else wanted.transpose(2, 0, 1))
    assert changes == {}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_exif_says(orientation):
    image = Image.fromarray(RNG.integers(0, 256, (4, 6, 3), np.uint8))
    exif = Image.Exif()
    exif[picture_decoding.ORIENTATION] = orientation
    found, changes = picture(image, exif=exif)
    image.getexif()[picture_decoding.ORIENTATION] = orientation
    assert np.array_equal(found, np.asarray(ImageOps.exif_transpose(image)).transpose(2, 0, 1))
    assert changes == ({} if orientation == 1 else {picture_decoding.TURNED: 1})
