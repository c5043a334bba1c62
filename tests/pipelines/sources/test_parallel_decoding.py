"""Only pictures that are used are decoded, by all cores, into one file."""

import io
import subprocess

import numpy as np
import pytest
from PIL import Image

from pipelines.core.errors import UserError
from pipelines.sources import parallel_decoding, picture_decoding
from pipelines.sources.parallel_decoding import Pictures
from pipelines.sources.picture_decoding import Item
from tests.pipelines.pictures import array_of, images

RNG = np.random.default_rng(0)


def test_only_what_is_used_is_decoded(prepared, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        parallel_decoding, "write", lambda items, *rest: seen.extend(items) or picture_decoding.write(items, *rest)
    )
    prepared(images(tmp_path / "pets", (8,) * 40), {}, kind="image", test=4, limit=6)
    assert len({item.path for item in seen}) == len(seen) == 10


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 3])
def test_other_processes_write_the_same_bytes_and_name_the_first_that_cannot_be_used(cores, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel_decoding, "cores", lambda: cores)
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
