"""Folders of tones for tests: one class is low, the other high."""

import numpy as np
import soundfile

RATE = 8000
AUDIO = {"sampling_rate": RATE, "max_seconds": 0.2, "mels": 16}
PITCH = {"low": 300.0, "high": 1500.0}


def tone(pitch, seconds, rate=RATE, noise=0.0, seed=0):
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * pitch * time) + noise * np.random.default_rng(seed).normal(size=len(time))).astype(
        np.float32
    )


def tones(root, count=12, seconds=0.15, suffix=".wav", rate=RATE):
    """Write ``count`` tones, of both classes by turns, each with its own noise; return the source."""
    for i in range(count):
        name = "high" if i % 2 else "low"
        (root / name).mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name / f"{i:03}{suffix}", tone(PITCH[name], seconds, rate, 0.05, i), rate)
    return {"from": "folder", "folder": str(root)}


def table(root, path, count=12, **more):
    """Write tones and a table of their paths, of which each two are of one group; return source and columns."""
    tones(root, count, **more)
    rows = [f"{p},{p.parent.name},{int(p.stem) // 2}" for p in sorted(root.glob("*/*"), key=lambda p: p.stem)]
    path.write_text("\n".join(["file,class,pair", *rows]))
    return {"from": "files", "train": str(path)}, {"audio": "file", "label": "class", "group": "pair"}
