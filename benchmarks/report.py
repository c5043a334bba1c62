"""Seconds and size of the report of a study of a hundred runs: python -m benchmarks.report.

A small study of digits is really run; the large one's runs are copies of its files with perturbed numbers: what is timed is
reading and drawing.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import environment, inside, params_of, save

SMALL = {"methods": {"swiftlearn": "two-epochs", "adaselection": "none"}, "fractions": [0.3], "seeds": [0]}
LARGE = SMALL | {"fractions": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], "seeds": [0, 1, 2]}
#: Limits of the report's seconds and size.
SECONDS, MEGABYTES = 20, 5


def _ask(study: dict[str, Any]) -> None:
    """Write the params.yaml of ``study`` on digits."""
    asked = params_of("digits", "") | {"compare": {"full": "none"}, "study": study}
    Path("params.yaml").write_text(yaml.safe_dump(asked, sort_keys=False), encoding="utf-8")


def _study() -> Any:  # noqa: ANN401 - a Place
    from pipelines.config import loader
    from pipelines.trials import plan_files
    from pipelines.trials.grid import grid_of

    read = loader.load()
    return plan_files.lay_out(read, grid_of(read))


def _copy(source: Any, study: Any) -> int:  # noqa: ANN401 - two Places
    """Copy ``source``'s files, perturbed, to every run of ``study`` by method; return the number of runs."""
    from pipelines.core import artifacts
    from pipelines.trials import study_folder as trials_folder

    real = {c.method: c.name for c in source.grid.trials}
    rng = random.Random(0)
    for seed in study.seeds:
        folder = study.of(seed)
        trials_folder.link_data(folder)
        for trial in study.grid.trials:
            _copy_run(source.of(source.seeds[0]) / "results", folder / "results", real[trial.method], trial.name, rng)
            for address, key in trials_folder.steps(folder, trial.name):
                artifacts.write_json(folder / trials_folder.mark_of(address), key)
    return len(study.seeds) * len(study.grid.trials)


def _copy_run(before: Path, after: Path, name: str, new: str, rng: random.Random) -> None:
    if before != after:
        shutil.copytree(before / "warm_up", after / "warm_up", dirs_exist_ok=True)
        for cost in (before / "cost").glob("warm_up.*.json"):
            after.joinpath("cost").mkdir(parents=True, exist_ok=True)
            shutil.copy(cost, after / "cost" / cost.name)
    for stage in ("subset", "train", "evaluate"):
        if before / stage / name != after / stage / new:
            shutil.copytree(before / stage / name, after / stage / new, dirs_exist_ok=True)
        cost = json.loads((before / "cost" / f"{stage}.{name}.json").read_text(encoding="utf-8"))
        (after / "cost" / f"{stage}.{new}.json").write_text(json.dumps(_perturbed(cost, rng)), encoding="utf-8")
    metrics = after / "evaluate" / new / "metrics.json"
    metrics.write_text(json.dumps(_perturbed(json.loads(metrics.read_text(encoding="utf-8")), rng)), encoding="utf-8")


def _perturbed(value: Any, rng: random.Random) -> Any:  # noqa: ANN401 - whatever a JSON file holds
    """Return ``value`` with every number but counts changed by up to 2 %."""
    if isinstance(value, dict):
        return {k: _perturbed(v, rng) for k, v in value.items()}
    return value * rng.uniform(0.98, 1.02) if isinstance(value, float) else value


def main() -> None:
    """Run the small study, copy it, and time the tables and the report of the copies."""
    with inside() as folder:
        _ask(SMALL)
        subprocess.run([sys.executable, "-m", "pipelines.study"], cwd=folder, env=environment(folder), check=True)
        source = _study()
        _ask(LARGE)
        study = _study()
        runs = _copy(source, study)
        from pipelines.study import publish
        from pipelines.trials.study_tables import tables_of

        start, cpu = time.perf_counter(), time.process_time()
        publish._write(study, tables_of(study, "digits", {}))  # noqa: SLF001
        spent = {"wall_seconds": round(time.perf_counter() - start, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
        size = os.path.getsize("results/study/digits/report.html") / 1e6
    result = {
        "runs_copied": runs,
        **spent,
        "megabytes": round(size, 3),
        "allowed": {"seconds": SECONDS, "megabytes": MEGABYTES},
    }
    save("report", result | {"made_of": "one real run a method on digits, copied, with numbers up to 2 % larger or smaller"})
    if spent["cpu_seconds"] > SECONDS or size > MEGABYTES:
        sys.exit(1)


if __name__ == "__main__":
    main()
