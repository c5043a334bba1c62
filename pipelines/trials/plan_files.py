"""Plan files and folder of a study."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

from pipelines.config import planning
from pipelines.config.params import Params
from pipelines.core import artifacts
from pipelines.core.artifacts import SCRATCH, digest
from pipelines.trials import controls
from pipelines.trials.folder import DATA, UP, Place
from pipelines.trials.grid import Grid
from pipelines.versioning.dvc_lock import code_of, md5_of

STUDIES = SCRATCH / "study"
#: The stages whose code decides results; that of ``plan`` shows in what it writes.
DECIDING = ("prepare", "warm_up", "subset", "train", "evaluate")
#: The keys of a source that hold a path.
PATHS = {"train", "test", "folder"}


def lay_out(params: Params, grid: Grid) -> Place:
    """Return the place of the study, its plans written: another task, setting or code has another place."""
    assert params.study is not None
    seeds = tuple(params.study.seeds)
    files = {seed: _files(grid.params, seed) for seed in seeds}
    first = files[seeds[0]]
    settings = {k: first["training"][k] for k in ("model", "training")}
    code = {str(p): artifacts.digest_of(p) for p in _sources(code_of(DECIDING))}
    key = digest([first["task"], settings, grid.params.energy.country, code, _files_named(params)])
    place = Place(STUDIES / key[:16], grid, seeds)
    _write(place.folder / DATA, {"task": first["task"]})
    for seed in seeds:
        _write(place.of(seed), files[seed])
        for cell in grid.cells:
            if cell.after and place.done(seed, cell.after):
                controls.plan_after(place, seed, cell)
    return place


def _sources(paths: list[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _files_named(params: Params) -> dict[str, str | None]:
    """Return the hash of each file or folder of the project that the data come from: they may be edited in place."""
    source = params.chosen.source.model_dump()
    named = [Path(source[key]) for key in PATHS & set(source) if source[key] is not None]
    return {str(path): md5_of(path) for path in sorted(named) if not path.is_absolute()}


def _write(folder: Path, files: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with chdir(folder):
        planning.write(files)


def _files(params: Params, seed: int) -> dict[str, Any]:
    """Return the plan of all cells with ``seed``: the data stay those of params.yaml's seed."""
    files = copy.deepcopy(planning.files_of(params.model_copy(update={"seed": seed})))
    files["task"]["seed"] = params.seed
    proxies = [value["proxy"] for name, value in files.items() if name.startswith("warm_ups/") and value["proxy"]]
    models = [files["training"]["model"], *(proxy["model"] for proxy in proxies)]
    for source in (files["task"]["source"], files["task"]["tokenizer"], *(model.get("source") for model in models)):
        _seen_from_below(source)
    return files


def _seen_from_below(source: dict[str, Any] | None) -> None:
    """Turn a source's paths from the project's folder into the same ones from a folder of the study, in place."""
    for key in PATHS & set(source or {}):
        if source and source[key] is not None:
            source[key] = str(Path(UP) / source[key])
    if source and source["from"] == "files":
        source["sha256"] = {str(Path(UP) / name): sha for name, sha in source["sha256"].items()}
