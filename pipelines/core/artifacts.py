"""Paths and file formats of a run; files are written atomically and name their inputs."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from pydantic import JsonValue

    from components.arrays import Array

#: The folder of the project, in which stages run; a trial of a study has one of its own, in which its results are.
HERE = Path()
PARAMS = Path("params.yaml")
RESULTS = Path("results")
#: What is not a result: checkpoints, locks, memory-mapped scratch.
SCRATCH = Path(".winnow")
PLAN = RESULTS / "plan"
PREPARED = RESULTS / "prepare"
MANIFEST = PREPARED / "manifest.json"
#: A tokenizer that was trained on the training documents, where the model has none of its own.
TOKENIZER = PREPARED / "tokenizer"
COSTS = RESULTS / "cost"
ACCOUNT = RESULTS / "account" / "account.json"
COMPARISON = RESULTS / "compare"
STUDY = RESULTS / "study"
ADVICE = RESULTS / "advice"
DIAGNOSIS = RESULTS / "diagnose"
#: Of a study whose trials agents run: the tasks and seeds of which something is missing, and why trials failed, by these.
UNITS_MISSING, UNITS_FAILED = SCRATCH / "units" / "missing.json", SCRATCH / "units" / "failed.json"


def plan_of(kind: str, name: str = "") -> Path:
    """Return where the plan of a method or warm-up, or of ``task``, ``training`` or ``comparison``, is in a run's folder."""
    return PLAN / kind / f"{name}.json" if name else PLAN / f"{kind}.json"


def planned_methods() -> list[str]:
    """Return the methods that are planned here, by name."""
    return sorted(p.stem for p in (PLAN / "methods").glob("*.json"))


def result(stage: str, name: str, file: str) -> Path:
    """Return where ``stage`` keeps ``file`` of the method or warm-up ``name``."""
    return RESULTS / stage / name / file


def cost_of(stage: str, name: str = "") -> Path:
    """Return where the cost record of a stage is: timings differ from run to run, so they stand alone."""
    return COSTS / f"{stage}{'.' + name if name else ''}.json"


def unit_failures(unit: str) -> Path:
    """Return where it is said why trials of one task and seed failed, by name."""
    return SCRATCH / "units" / f"{unit}.json"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write to a temporary file, and atomically replace ``path`` on success.

    It is in a folder of its own beside ``path``: safetensors writes to a name of its choice first, which a kill would leave.

    Raises:
        UserError: where the folder cannot be written to.
    """
    aside = path.with_name(f".{path.name}.part")
    part = aside / path.name
    try:
        _remove(aside)
        aside.mkdir(parents=True)
        yield part
        _open_to_readers(part)
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            _remove(aside)


def _open_to_readers(path: Path) -> None:
    """Let whoever may read the folder read its files; safetensors writes them for the owner alone."""
    for file in [path, *path.rglob("*")]:
        file.chmod(file.stat().st_mode | (0o755 if file.is_dir() else 0o644))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` to ``path``, keys in order."""
    with whole(path) as part:
        part.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return what ``path`` holds; what has keys of its own is read as a record (``core.records``).

    Raises:
        UserError: where it is missing, or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; 'dvc repro' makes it") from None
    except ValueError as error:
        raise UserError(f"{path}: is no JSON: {error}; delete it and run 'dvc repro'") from None


def read_numbers(path: Path) -> dict[str, float]:
    """Return the numbers by name that ``path`` holds, the metrics of a model say.

    Raises:
        UserError: where it is missing, or no JSON.
    """
    numbers: dict[str, float] = read_json(path)
    return numbers


def write_csv(path: Path, rows: Sequence[Mapping[str, object]], keys: Sequence[str] = ()) -> None:
    """Write ``rows`` of the same keys to ``path``, what is None as an empty field; ``keys`` are those of no rows."""
    with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0] if rows else keys)
        writer.writeheader()
        writer.writerows(rows)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write ``rows`` of the same keys to ``path`` as Parquet, what is None as null, for other tools to read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with whole(path) as part:
        pq.write_table(pa.Table.from_pylist(rows), part)


def digest(value: object) -> str:
    """Return the SHA-256 of ``value`` as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of the file ``path``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_columns(columns: Mapping[str, Array]) -> str:
    """Return the SHA-256 of the columns' names, types and bytes, in order."""
    import numpy as np

    sha = hashlib.sha256()
    for name, column in columns.items():
        sha.update(_head(name, column.dtype, column.shape))
        sha.update(np.ascontiguousarray(column).data)
    return sha.hexdigest()


def start_digest(name: str, kind: np.dtype[np.generic], shape: tuple[int, ...]) -> hashlib._Hash:
    """Return the digest of one column, to be updated with its bytes; then it is that of ``digest_of_columns``."""
    return hashlib.sha256(_head(name, kind, shape))


def _head(name: str, kind: np.dtype[np.generic], shape: tuple[int, ...]) -> bytes:
    return f"{name}:{kind.str}:{shape}".encode()


def check_origin(path: Path, facts: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Refuse a file that was made from something else.

    Raises:
        UserError: naming the first fact that differs.
    """
    for key, value in expected.items():
        if facts.get(key) != value:
            raise UserError(
                f"{path}: was made from other {key}: it has {facts.get(key)}, this run has {value}; run 'dvc repro'"
            )


def write_state(path: Path, numbers: Mapping[str, object], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors as safetensors with ``numbers`` beside them: nothing in it is code."""
    from safetensors.torch import save_file

    with whole(path) as part:
        # One key: the order of several would differ from run to run.
        save_file(
            {k: t.contiguous() for k, t in tensors.items()}, part, metadata={"winnow": json.dumps(numbers, sort_keys=True)}
        )


def read_state(path: Path) -> tuple[dict[str, JsonValue], dict[str, torch.Tensor]]:
    """Return the numbers and tensors that ``write_state`` wrote.

    Raises:
        UserError: where the file is missing or not whole.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            numbers = (file.metadata() or {}).get("winnow")
            if numbers is None:
                raise UserError(f"{path}: holds no state of a run")
            return json.loads(numbers), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def mapped(root: Path, *shape: int) -> torch.Tensor:
    """Return a float32 tensor of zeros that lies in a file below ``root``, without a name: it is gone when the process is."""
    import tempfile

    import torch

    folder = root / SCRATCH / "mapped"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        return torch.from_file(file.name, shared=True, size=math.prod(shape), dtype=torch.float32).view(*shape)


def write_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Let ``fill`` write a folder's files; the folder appears when they are all there."""
    with whole(path) as part:
        part.mkdir()
        fill(part)
