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

#: The project's folder, in which stages run; each trial of a study has a results folder of its own.
HERE = Path()
PARAMS = Path("params.yaml")
RESULTS = Path("results")
#: Files that are no results: checkpoints, locks, memory-mapped scratch.
SCRATCH = Path(".winnow")
PLAN = RESULTS / "plan"
PREPARED = RESULTS / "prepare"
MANIFEST = PREPARED / "manifest.json"
#: A tokenizer trained on the training documents, if the model has none.
TOKENIZER = PREPARED / "tokenizer"
COSTS = RESULTS / "cost"
ACCOUNT = RESULTS / "account" / "account.json"
COMPARISON = RESULTS / "compare"
STUDY = RESULTS / "study"
ADVICE = RESULTS / "advice"
DIAGNOSIS = RESULTS / "diagnose"
#: For a study run by agents: the units (task and seed) that lack results, and by unit why trials failed.
UNITS_MISSING, UNITS_FAILED = SCRATCH / "units" / "missing.json", SCRATCH / "units" / "failed.json"


def plan_of(kind: str, name: str = "") -> Path:
    """Return the path of a plan: ``task``, ``training`` and so on, or one of several by name."""
    return PLAN / kind / f"{name}.json" if name else PLAN / f"{kind}.json"


def planned_methods() -> list[str]:
    """Return the names of the planned methods."""
    return sorted(p.stem for p in (PLAN / "methods").glob("*.json"))


def result(stage: str, name: str, file: str) -> Path:
    """Return the path of the output ``file`` of ``stage`` for the method or warm-up ``name``."""
    return RESULTS / stage / name / file


def cost_of(stage: str, name: str = "") -> Path:
    """Return the path of a stage's cost record, kept apart since timings differ between runs."""
    return COSTS / f"{stage}{'.' + name if name else ''}.json"


def unit_failures(unit: str) -> Path:
    """Return the path of the failures, by trial, of one unit (task and seed)."""
    return SCRATCH / "units" / f"{unit}.json"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write to a temporary file, and atomically replace ``path`` on success.

    The temporary file is in its own folder beside ``path``, since safetensors writes another temporary file next to it.

    Raises:
        UserError: if the folder is not writable.
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
    """Make the files readable by others; safetensors writes them for the owner only."""
    for file in [path, *path.rglob("*")]:
        file.chmod(file.stat().st_mode | (0o755 if file.is_dir() else 0o644))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` to ``path`` as JSON with sorted keys."""
    with whole(path) as part:
        part.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return the content of a JSON file; files with a schema are read by ``core.records``.

    Raises:
        UserError: if it is missing, or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; 'dvc repro' makes it") from None
    except ValueError as error:
        raise UserError(f"{path}: is not valid JSON: {error}; delete it and run 'dvc repro'") from None


def read_numbers(path: Path) -> dict[str, float]:
    """Return a JSON file of numbers by name, such as a model's metrics.

    Raises:
        UserError: if it is missing, or no JSON.
    """
    numbers: dict[str, float] = read_json(path)
    return numbers


def write_csv(path: Path, rows: Sequence[Mapping[str, object]], keys: Sequence[str] = ()) -> None:
    """Write ``rows`` as CSV, None as an empty field; ``keys`` is the header without rows."""
    with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0] if rows else keys)
        writer.writeheader()
        writer.writerows(rows)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write ``rows`` to ``path`` as plain Parquet, None as null, for other tools to read."""
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
    """Return the SHA-256 of the names, types, shapes and bytes of ``columns``, in order."""
    import numpy as np

    sha = hashlib.sha256()
    for name, column in columns.items():
        sha.update(_head(name, column.dtype, column.shape))
        sha.update(np.ascontiguousarray(column).data)
    return sha.hexdigest()


def start_digest(name: str, kind: np.dtype[np.generic], shape: tuple[int, ...]) -> hashlib._Hash:
    """Return a hash to update with one column's bytes; the result equals ``digest_of_columns``."""
    return hashlib.sha256(_head(name, kind, shape))


def _head(name: str, kind: np.dtype[np.generic], shape: tuple[int, ...]) -> bytes:
    return f"{name}:{kind.str}:{shape}".encode()


def check_origin(path: Path, facts: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Refuse a file whose metadata (``facts``) say that it was made from other inputs.

    Raises:
        UserError: naming the first value that differs.
    """
    for key, value in expected.items():
        if facts.get(key) != value:
            raise UserError(
                f"{path}: was made from other {key}: it has {facts.get(key)}, this run has {value}; run 'dvc repro'"
            )


def write_state(path: Path, numbers: Mapping[str, object], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors and ``numbers`` as one safetensors file, which can hold no code."""
    from safetensors.torch import save_file

    with whole(path) as part:
        # One key: the order of several would differ between runs.
        save_file(
            {k: t.contiguous() for k, t in tensors.items()}, part, metadata={"winnow": json.dumps(numbers, sort_keys=True)}
        )


def read_state(path: Path) -> tuple[dict[str, JsonValue], dict[str, torch.Tensor]]:
    """Return the numbers and tensors that ``write_state`` wrote.

    Raises:
        UserError: if the file is missing or truncated.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            numbers = (file.metadata() or {}).get("winnow")
            if numbers is None:
                raise UserError(f"{path}: has no training state")
            return json.loads(numbers), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def mapped(root: Path, *shape: int) -> torch.Tensor:
    """Return a float32 tensor of zeros, memory-mapped to an unlinked temporary file below ``root``."""
    import tempfile

    import torch

    folder = root / SCRATCH / "mapped"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        return torch.from_file(file.name, shared=True, size=math.prod(shape), dtype=torch.float32).view(*shape)


def write_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Write a folder atomically: ``fill`` writes its files, then the folder replaces ``path``."""
    with whole(path) as part:
        part.mkdir()
        fill(part)
