"""IDX files and scikit-learn's digits are read whole, or the file is named."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.sources.idx_and_digits import from_scikit_learn
from tests.pipelines.pictures import array_of


def idx(folder, counts=(6, 4)):
    rng, folder = np.random.default_rng(0), Path(folder)
    folder.mkdir()
    for name, n in zip(("train", "t10k", "held"), counts, strict=False):
        header = bytes([0, 0, 8])
        pixels = header + bytes([3]) + b"".join(int(s).to_bytes(4, "big") for s in (n, 5, 5)) + rng.bytes(n * 25)
        labels = header + bytes([1]) + int(n).to_bytes(4, "big") + bytes(i % 2 for i in range(n))
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(pixels))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    return {"from": "idx", "folder": str(folder)}


def test_idx_files(prepared, tmp_path):
    manifest, train, test = prepared(idx(tmp_path / "idx"), {}, kind="image")
    assert manifest.counts.model_dump() == {"train": 6, "test": 4}
    assert test.ids.tolist() == [6, 7, 8, 9]
    assert train.examples.target.tolist() == [0, 1, 0, 1, 0, 1]


def test_two_more_files_judge_while_a_model_trains(prepared, tmp_path):
    source, judged = idx(tmp_path / "idx", (6, 4, 8)), {"kind": "image", "training": {"evaluate_every": 1}}
    manifest, train, test = prepared(source | {"validation": "held"}, {}, **judged)
    assert manifest.counts.dumped() == {"train": 6, "test": 4, "validation": 8}
    aside = read_split("validation", manifest)
    assert aside.ids.tolist() == [*range(10, 18)]
    assert aside.examples.target.tolist() == [0, 1] * 4
    content = gzip.decompress((tmp_path / "idx/held-images-idx3-ubyte.gz").read_bytes())
    assert np.asarray(aside.examples.pixels).tobytes() == content[16:]
    plain, one, other = prepared(source, {}, kind="image")
    assert plain.counts.dumped() == {"train": 6, "test": 4}
    for found, before in ((train, one), (test, other)):
        assert np.array_equal(found.examples.pixels, before.examples.pixels)
    with pytest.raises(
        UserError, match=r"val-images-idx3-ubyte\[.gz\]: no such file; source.validation says what its name begins"
    ):
        prepared(source | {"validation": "val"}, {}, **judged)
    (tmp_path / "idx/held-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 0]))
    with pytest.raises(UserError, match=r"held: must have as many labels as images, got 1 for 8"):
        prepared(source | {"validation": "held"}, {}, **judged)


def test_idx_files_and_digits_are_resized_as_pictures_are(prepared, tmp_path):
    source = idx(tmp_path / "idx")
    _, given, _ = prepared(source, {}, kind="image")
    manifest, train, _ = prepared(source, {}, kind="image", image_size=9)
    assert manifest.shape == [1, 9, 9]
    expected = [np.asarray(Image.fromarray(picture[0]).resize((9, 9)))[None] for picture in given.examples.pixels]
    np.testing.assert_array_equal(train.examples.pixels, expected)
    digits, _, _ = prepared({"from": "scikit-learn", "name": "digits"}, {}, kind="image", test=0.2, image_size=16)
    assert digits.shape == [1, 16, 16]


def test_a_truncated_idx_file_is_named_with_its_sizes(prepared, tmp_path):
    source = idx(tmp_path / "idx")
    path = tmp_path / "idx" / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(UserError, match="train-labels-idx1-ubyte: must hold 6 bytes of data, got 4"):
        prepared(source, {}, kind="image")


IDX = {
    "cut in its header": ("train-images-idx3-ubyte", bytes([0, 0, 8, 3, 0, 0, 0, 6]), "no IDX file of bytes in 3 dimensions"),
    "labels for images": ("train-images-idx3-ubyte", bytes([0, 0, 8, 1, 0, 0, 0, 0]), "no IDX file of bytes in 3 dimensions"),
    "empty": ("train-labels-idx1-ubyte", b"", "no IDX file of bytes in 1 dimensions"),
    "of another size": (
        "t10k-images-idx3-ubyte",
        bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1]) + bytes(4),
        r"t10k: images must be \(5, 5\) as in train, got \(1, 1\)",
    ),
}


@pytest.mark.parametrize(("name", "content", "said"), IDX.values(), ids=IDX)
def test_an_idx_file_that_does_not_fit_is_named(prepared, tmp_path, name, content, said):
    source = idx(tmp_path / "idx")
    (tmp_path / "idx" / f"{name}.gz").unlink(missing_ok=True)
    (tmp_path / "idx" / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        prepared(source, {}, kind="image")
    assert not Path("results/prepare").exists()


@pytest.mark.slow
def test_the_whole_of_fashion_mnist(write_params):
    """Debian's package dataset-fashion-mnist."""
    write_params({"task": "fashion-mnist"})
    plan()
    prepare()
    manifest = Manifest.prepared()
    assert manifest.counts.model_dump() == {"train": 60_000, "test": 10_000}
    assert manifest.by_class.train == [6000] * 10
    assert manifest.mean / 255 == pytest.approx(0.2860, abs=1e-4)
    assert manifest.deviation / 255 == pytest.approx(0.3530, abs=1e-4)


def test_digits_are_scikit_learns_from_0_to_255(tmp_path):
    from sklearn.datasets import load_digits

    raw, digits = from_scikit_learn(), load_digits()
    pixels, changes = array_of(raw.pixels, [0, 1796], tmp_path)
    np.testing.assert_allclose(pixels[:, 0], digits.images[[0, 1796]] * 255 / 16, atol=0.5)
    assert raw.label.tolist() == digits.target.tolist()
    assert (raw.tested, dict(changes)) == (None, {})
