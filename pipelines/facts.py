"""What is known of a run from the stages' files: what it was made of, set to, and left behind; and whether that is still so."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines import artifacts
from pipelines.artifacts import cost_of, result
from pipelines.columns import at_chance
from pipelines.params import read_lock

#: Characters of a tag that MLflow takes.
LONGEST_TAG = 5000
#: The stages that a child run tells of; each is named ``<stage>@<method>`` in dvc.lock.
TOLD = ("subset", "train", "evaluate")


class Lock:
    """What dvc.lock says of the stages, held against what is on disk."""

    def __init__(self) -> None:
        self.stages = read_lock()
        self.outs: dict[str, str] = {o["path"]: o["md5"] for s in self.stages.values() for o in s.get("outs", [])}

    def key(self, *stages: str) -> str | None:
        """Return the digest of all that ``stages`` wrote; None where one has not run."""
        if any(stage not in self.stages for stage in stages):
            return None
        return artifacts.digest([[o["path"], o["md5"]] for s in stages for o in self.stages[s]["outs"]])

    def holds(self, stage: str, *, bytes_too: bool = False) -> bool:
        """Return whether ``stage`` ran on what is here now, and what it wrote is here: with ``bytes_too``, unchanged."""
        if stage not in self.stages:
            return False
        entry = self.stages[stage]
        deps = [d for d in entry["deps"] if d["path"].startswith(f"{artifacts.RESULTS}/")]
        if any((self.outs.get(d["path"]) or md5_of(Path(d["path"]))) != d["md5"] for d in deps):
            return False
        return all(Path(o["path"]).exists() and (not bytes_too or md5_of(Path(o["path"])) == o["md5"]) for o in entry["outs"])


def md5_of(path: Path) -> str | None:
    """Return the hash that DVC gives the file or folder ``path``; None where there is none."""
    if path.is_dir():
        files = sorted((f.relative_to(path).as_posix(), md5_of(f)) for f in path.rglob("*") if f.is_file())
        listing = json.dumps([{"md5": md5, "relpath": name} for name, md5 in files])
        return f"{hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()}.dir"
    if not path.exists():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


#: What a result is made by: code and settings.
MADE_BY = ("components", "pipelines", "params.yaml", "dvc.yaml")


def versions() -> dict[str, str]:
    """Return the tags that say which code and which dvc.lock a run is of, and what of the code is not as it was committed."""
    tags = {"dvc.lock": md5_of(Path("dvc.lock")) or ""}
    if commit := _git("rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
        tags["winnow.changes"] = ", ".join(changed()) or "none"
    return tags


def commit() -> str:
    """Return the commit that a result is made from, with the files that are not as they were committed; "" without one."""
    tags = versions()
    changes = tags.get("winnow.changes", "none")
    return tags.get("mlflow.source.git.commit", "") + ("" if changes == "none" else f", with changes in {changes}")


def changed() -> list[str]:
    """Return the files of code and settings that are not as they were committed, by name."""
    return sorted(line[3:].split(" -> ")[-1].strip('"') for line in _git("status", "--porcelain", "--", *MADE_BY).splitlines())


def _git(*arguments: str) -> str:
    """Return what git says; nothing where there is none, or no repository."""
    with suppress(OSError):
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.rstrip()
    return ""


def tags_of(lock: Lock, parent: str, plan: dict[str, Any], manifest: dict[str, Any]) -> dict[str, str]:
    """Return the tags of a method's run: what it is found by, and the hashes of what it was made of."""
    name = plan["name"]
    hashes = {
        "scores": result("warm_up", plan["warm_up"], "scores.parquet"),
        "subset": result("subset", name, "subset.parquet"),
        "model": result("train", name, "model"),
    }
    tags = {"mlflow.parentRunId": parent, "task": manifest["task"], "method": name, "warm_up": plan["warm_up"]}
    tags |= {"seed": str(plan["seed"]), "data": manifest["content"], **keep_of(plan)}
    return tags | {kind: lock.outs[str(path)] for kind, path in hashes.items()}


def shared(tags: dict[str, str], *names: str) -> dict[str, str]:
    """Return those of ``tags`` that a parent run hands on, where it has them."""
    return {name: tags[name] for name in names if name in tags}


def keep_of(plan: dict[str, Any]) -> dict[str, str]:
    """Return the fraction that a method was planned to keep: 1 for full, none where it finds out by itself."""
    members = plan["members"]
    planned = [m["arguments"]["fraction"] for m in members if m["arguments"].get("fraction") is not None]
    if not planned and [m["method"] for m in members] != ["full"]:
        return {}
    return {"keep": f"{math.prod(planned):g}"}


def params_of(plan: dict[str, Any], training: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a method's run, flat."""
    members = {m["method"]: m["arguments"] for m in plan["members"]}
    flat = {"method": "+".join(members), "warm_up": plan["warm_up"], "epochs": plan["length"], "seed": plan["seed"]}
    return flat | keep_of(plan) | _flat(members) | _flat({k: training[k] for k in ("training", "model")})


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested values under dotted names, without those that are not set."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        elif value is not None:
            flat[f"{before}{name}"] = value
    return flat


def events_of(history: list[dict[str, Any]]) -> dict[str, str]:
    """Return a tag that tells what happened to the method, if anything did."""
    told = [f"epoch {e['place']:.3f}: {e['event']}" for record in history for e in record.get("events", [])]
    return {"events": "\n".join(told)[:LONGEST_TAG]} if told else {}


def chance_of(tested: dict[str, Any]) -> dict[str, str]:
    """Return a tag that says so if the model whose metrics are ``tested`` is not surely above chance."""
    return {"winnow.at_chance": "true"} if at_chance(tested) else {}


def course_of(history: list[dict[str, Any]]) -> list[tuple[str, float, int]]:
    """Return what a method said of itself while it trained: name, value, and the place in thousandths of an epoch."""
    told = [facts for record in history for facts in record.get("course", [])]
    return [(k, v, round(1000 * facts["place"])) for facts in told for k, v in facts.items() if k != "place"]


def files_of(name: str, warm_up: str) -> dict[str, list[Path]]:
    """Return the files that go with a method's run, by the folder they are kept in there."""
    return {
        "cost": [cost_of("warm_up", warm_up), *(cost_of(stage, name) for stage in TOLD)],
        "tables": [result("subset", name, "subset.parquet"), result("train", name, "ledger.parquet")],
        "history": [result("train", name, "history.json"), result("evaluate", name, "metrics.json")],
    }
