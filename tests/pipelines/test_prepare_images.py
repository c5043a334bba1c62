"""Pictures of every kind are stored as one sees them, whole splits of them in little memory; what cannot be used is named."""

import io
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines.core.errors import UserError
from pipelines.sources import parallel_decoding, picture_decoding, pixel_writer
from pipelines.sources.hub_datasets import of_datasets
from pipelines.sources.parallel_decoding import Pictures
from pipelines.sources.picture_decoding import Item, Wanted, decoded
from pipelines.sources.pixel_writer import Held, WithCopies
from tests.pipelines.records import task_plan

TASK = task_plan(kind="image", columns={"image": "picture", "label": "kind"})
RNG = np.random.default_rng(0)


def images(root, sizes=(8,) * 6):
    rng = np.random.default_rng(0)
    for i, size in enumerate(sizes):
        folder = root / ("cat" if i % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (size, size), np.uint8)).save(folder / f"{i}.png")
    return {"from": "folder", "folder": str(root)}


def array_of(found, ids, tmp_path):
    """Return what is written of ``ids``."""
    path = tmp_path / "pixels"
    path.write_bytes(bytes(3 + len(ids) * int(np.prod(found.shape))))
    changes = found.write(np.asarray(ids), path, 3)
    return np.fromfile(path, np.uint8)[3:].reshape(-1, *found.shape), changes


def picture(image, kind="PNG", **options):
    """Return what is read of an image that was saved."""
    file, changes = io.BytesIO(), Counter()
    image.save(file, kind, **options)
    return decoded(Item("id 0 (x.png)", content=file.getvalue()), Wanted(None), changes), dict(changes)


def test_a_folder_of_images(prepared, tmp_path):
    manifest, train, test = prepared(images(tmp_path / "pets"), {}, kind="image", test=2)
    assert manifest.classes == ["cat", "dog"]
    assert manifest.shape == [1, 8, 8]
    assert manifest.mean == pytest.approx(train.examples.pixels.mean())
    assert manifest.deviation == pytest.approx(train.examples.pixels.std())
    assert train.examples.pixels.base is not None
    paths = sorted((tmp_path / "pets").glob("*/*.png"))
    for split in (train, test):
        for i, found in zip(split.ids, split.examples.pixels, strict=True):
            assert np.array_equal(found[0], np.asarray(Image.open(paths[i])))


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


def test_only_what_is_used_is_decoded(prepared, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        parallel_decoding, "write", lambda items, *rest: seen.extend(items) or picture_decoding.write(items, *rest)
    )
    prepared(images(tmp_path / "pets", (8,) * 40), {}, kind="image", test=4, limit=6)
    assert len({item.path for item in seen}) == len(seen) == 10


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
    with pytest.raises(UserError, match=rf"image id 0 \(x\.png\): is of mode {mode}, whose numbers have no defined range"):
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


def test_names_that_begin_with_a_dot_are_not_looked_at(prepared, tmp_path):
    source = images(tmp_path / "pets")
    for hidden in (".ipynb_checkpoints/x.png", "cat/._1.png", "cat/.thumbs/1.png"):
        path = tmp_path / "pets" / hidden
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"none")
    manifest = prepared(source, {}, kind="image", test=2)[0]
    assert manifest.classes == ["cat", "dog"]
    assert manifest.changes == {}


def test_what_is_not_taken_is_counted_and_the_first_named(prepared, tmp_path, capsys):
    source = images(tmp_path / "pets")
    (tmp_path / "pets/cat/9.heic").write_bytes(b"")
    (tmp_path / "pets/labels.csv").write_text("")
    (tmp_path / "pets/bird").mkdir()
    prepared(source, {}, kind="image", test=2)
    said = capsys.readouterr().err
    assert f"2 files not taken, the first of them {tmp_path}/pets/cat/9.heic" in said
    assert f"1 class folders without an image, the first of them {tmp_path}/pets/bird" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("cat/close/1.png", r"cat/close/1\.png: lies deeper than \[train\|test/\]<class>/<image>"),
        ("test/cat/1.png", r"pets/test: has folders, and no train/ beside it; move the other classes to .*pets/train"),
        ("train/cat/1.png", r"pets/cat: lies beside train/ and is neither that nor test/"),
    ],
)
def test_a_folder_that_may_be_meant_in_two_ways_is_refused(more, said, prepared, tmp_path):
    source = images(tmp_path / "pets")
    path = tmp_path / "pets" / more
    path.parent.mkdir(parents=True)
    Image.new("L", (8, 8)).save(path)
    with pytest.raises(UserError, match=said):
        prepared(source, {}, kind="image", test=2)


def hub(column):
    features = datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["cat", "dog"])})
    return datasets.Dataset.from_dict({"picture": column, "kind": [i % 2 for i in range(len(column))]}, features=features)


def test_a_hub_data_set_of_images(tmp_path):
    split = hub([Image.fromarray(np.full((4, 4), i, np.uint8)) for i in range(4)])
    raw = of_datasets(TASK, [split, split], "own")
    assert raw.names == ["cat", "dog"]
    assert array_of(raw.pixels, range(8), tmp_path)[0][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert raw.tested.tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(("bad", "said"), [(b"xx", "cannot be decoded"), (None, "there is none")])
def test_an_image_of_the_hub_that_cannot_be_used_is_named_by_id(bad, said, tmp_path):
    broken = None if bad is None else {"bytes": bad, "path": None}
    raw = of_datasets(TASK, [hub([Image.fromarray(np.zeros((4, 4), np.uint8)), broken]), None], "own")
    with pytest.raises(UserError, match=f"image id 1: {said}"):
        array_of(raw.pixels, [0, 1], tmp_path)


def test_a_hub_column_that_holds_no_images_is_refused():
    split = datasets.Dataset.from_dict({"picture": [[1], [2]], "kind": [0, 1]})
    with pytest.raises(UserError, match=r"own: columns\.image: 'picture' must be a column of images, got List"):
        of_datasets(TASK, [split, None], "own")


@pytest.mark.parametrize("cores", [1, 3])
def test_other_processes_write_the_same_bytes_and_name_the_first_that_cannot_be_used(cores, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel_decoding, "_cores", lambda: cores)
    monkeypatch.setattr(parallel_decoding, "MOST", 7)
    monkeypatch.setattr(parallel_decoding, "FEW", 10)
    content = []
    for i in range(50):
        file = io.BytesIO()
        Image.fromarray(np.full((3, 2, 3), i, np.uint8)).save(file, "PNG", **({"transparency": (i,) * 3} if i == 20 else {}))
        content.append(file.getvalue())
    found = Pictures(50, lambda i: Item(f"id {i}", content=content[i]), None)
    ids = RNG.permutation(50)
    read, changes = array_of(found, ids, tmp_path)
    assert np.where(ids == 20, 255, ids).tolist() == read[:, 0, 0, 0].tolist()
    assert (read == read[:, :1, :1, :1]).all()
    assert changes == {picture_decoding.ON_WHITE: 1}
    content[40] = content[9] = b"none"
    with pytest.raises(UserError, match="image id 9: cannot be decoded"):
        array_of(found, np.arange(50), tmp_path)
    assert not subprocess.run(["pgrep", "-f", "pipelines.sources.picture_decoding"], capture_output=True, check=False).stdout


def test_copies_are_moved_where_they_lie(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_writer, "BLOCK", 40)
    base, of = RNG.integers(0, 256, (4, 1, 3, 3), np.uint8), np.array([2, 0, 2])
    moves = np.array([(1, 1), (0, -1), (-1, 0)])
    exact, _ = array_of(WithCopies(Held(base), of, None), [3, 1, 4, 6], tmp_path)
    assert np.array_equal(exact, base[[3, 1, 2, 2]])
    mixed, _ = array_of(WithCopies(Held(base), of, moves), [5, 3, 4], tmp_path)
    near, _ = array_of(WithCopies(Held(base), of, moves), [3, 4, 5, 6], tmp_path)
    assert np.array_equal(near[0], base[3])
    assert np.array_equal(near[1, 0, :2, :2], base[2, 0, 1:, 1:])
    assert np.array_equal(near[2, 0, :, 1:], base[0, 0, :, :2])
    assert np.array_equal(near[3, 0, 1:], base[2, 0, :2])
    assert np.array_equal(mixed, near[[2, 0, 1]])
