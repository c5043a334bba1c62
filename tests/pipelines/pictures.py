"""Folders of images for tests, and what is written of their pixels."""

import numpy as np
from PIL import Image


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
