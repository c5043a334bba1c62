"""Seconds and memory of preparing a folder of images, against decoding all into memory, and against datasets.

The images are those of Fashion-MNIST in colour, as JPEG files of another size.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import yaml
from PIL import Image

from benchmarks.common import FASHION_MNIST, ROOT, save, summary
from pipelines.config.schema.source import FromIdx
from pipelines.sources.idx_and_digits import from_idx

#: Seconds between two measurements of the memory of a process and its children.
LOOK = 0.2
SETS = {"32 x 32": (32, 60_000), "224 x 224": (224, 2_000)}
IN_MEMORY = """
import sys
from pathlib import Path
import numpy as np, pyarrow as pa
from PIL import Image
paths = sorted(Path(sys.argv[1]).glob("*/*.jpg"))
pixels = np.stack([np.asarray(Image.open(p).convert("RGB")).transpose(2, 0, 1) for p in paths])
column = pa.FixedSizeListArray.from_arrays(pa.array(pixels.ravel()), pixels[0].size)
table = pa.table({"label": [p.parent.name for p in paths], "pixels": column})
with pa.OSFile(sys.argv[2], "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
    out.write_table(table)
"""
DATASETS = """
import sys
import numpy as np
from datasets import Array3D, ClassLabel, Features, load_dataset
found = load_dataset("imagefolder", data_dir=sys.argv[1], cache_dir=sys.argv[2], split="train")
size = int(sys.argv[3])
features = Features({"label": found.features["label"], "pixels": Array3D((3, size, size), "uint8")})
def read(rows):
    return {"pixels": [np.asarray(i.convert("RGB")).transpose(2, 0, 1) for i in rows["image"]], "label": rows["label"]}
found.map(read, batched=True, batch_size=256, num_proc=2, remove_columns=["image"], features=features)
"""


def make(folder: Path, size: int, count: int, source: str) -> None:
    """Write ``count`` images of ``size`` x ``size`` into folders by class."""
    raw = from_idx(FromIdx.model_validate({"from": "idx", "folder": source}))
    pixels = folder / "pixels"
    pixels.write_bytes(bytes(count * 784))
    assert raw.pixels is not None
    raw.pixels.write(np.arange(count), pixels, 0)
    for i, (image, label) in enumerate(zip(np.fromfile(pixels, np.uint8).reshape(-1, 28, 28), raw.label, strict=False)):
        place = folder / "images" / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).convert("RGB").resize((size, size)).save(place / f"{i:06d}.jpg", quality=90)


def own(folder: Path) -> list[str]:
    """Plan a task of the images in ``folder``, and return the command that prepares it."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    task = {"kind": "image", "source": {"from": "folder", "folder": str(folder / "images")}, "test": 0.2}
    task |= {"licence": "MIT", "citation": "none", "model": {"family": "small", "name": "cnn"}}
    task["training"] = params["tasks"]["digits"]["training"]
    params = {k: v for k, v in params.items() if k not in ("study", "advise")}
    params |= {"task": "own", "compare": {"full": "none"}, "tasks": {"own": task}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    plan = [sys.executable, "-m", "pipelines.plan"]
    subprocess.run(plan, cwd=folder, env=environment(), check=True, capture_output=True)
    return [sys.executable, "-m", "pipelines.prepare"]


def environment() -> dict[str, str]:
    """Return the environment of the commands."""
    return os.environ | {"PYTHONPATH": str(ROOT), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1"}


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the seconds of ``command`` and the peak bytes of unshared memory of it and its children."""
    begun, peak = time.perf_counter(), 0
    process = psutil.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            held = [p.memory_full_info().uss for p in (process, *process.children(recursive=True))]
            peak = max(peak, sum(held))
        except psutil.Error:
            pass
        time.sleep(LOOK)
    if process.returncode:
        sys.exit(f"{' '.join(command[:3])} ended with {process.returncode}")
    return time.perf_counter() - begun, peak


def arms(folder: Path, size: int, turn: int) -> dict[str, list[str]]:
    """Return the commands to compare, each for a run of its own."""
    where = str(folder / "images")
    return {
        "winnow": own(folder),
        "in memory": [sys.executable, "-c", IN_MEMORY, where, str(folder / f"memory-{turn}.arrow")],
        "datasets": [sys.executable, "-c", DATASETS, where, str(folder / f"cache-{turn}"), str(size)],
    }


def main() -> None:
    """Measure all ways in turns, on both sets of images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fashion-mnist", default=FASHION_MNIST, help="folder of the IDX files")
    given = parser.parse_args()
    table: dict[str, dict[str, object]] = {}
    for name, (size, count) in SETS.items():
        with TemporaryDirectory() as place:
            folder = Path(place)
            make(folder, size, count, given.fashion_mnist)
            seconds: dict[str, list[float]] = {}
            peaks: dict[str, list[float]] = {}
            for turn in range(given.rounds):
                for arm, command in arms(folder, size, turn).items():
                    took, peak = measured(command, folder)
                    seconds.setdefault(arm, []).append(took)
                    peaks.setdefault(arm, []).append(peak / 2**20)
            table[name] = {arm: {"seconds": summary(seconds[arm]), "peak_mib": summary(peaks[arm])} for arm in seconds}
            print(name, json.dumps(table[name]))
    for (name, (_, count)), ways in zip(SETS.items(), table.values(), strict=True):
        save(f"prepare.{name.replace(' ', '')}", {"examples": count, "ways": ways})


if __name__ == "__main__":
    main()
