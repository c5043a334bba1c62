"""What dvc.yaml says that stages depend on, held against what they import."""

from pathlib import Path

import grimp
import pytest
import yaml

from pipelines.versioning import dvc_project
from tests.conftest import ROOT

#: What stages import and do not depend on, by module or package, with the reason.
APART = {
    "pipelines.config": "warns where the plan is older than params.yaml; settings reach a stage in its plan",
    "pipelines.core.command": "starts a stage and reports how it ended",
    "pipelines.core.environment": "reads settings of the machine, which decide no result",
    "pipelines.core.errors": "is raised, and ends the stage",
    "pipelines.core.python_gc": "changes when memory is freed",
    "pipelines.core.locks": "keeps a second process out",
    "pipelines.core.progress": "prints",
    "pipelines.core.signals": "ends a stage",
    "pipelines.costs": "measures and records costs, which differ from run to run",
    "pipelines.sources.hub_status": "asks whether the hub answers",
    "pipelines.versioning": "names the commit at the foot of a report, and says if a cost record is of the present plan",
    "components.costs.clock": "times a run; cost records differ from run to run",
}
#: The same for one stage alone.
APART_OF = {
    ("prepare", "components.models"): "freezes layers of a model; prepare loads tokenizers",
    ("diagnose", "pipelines.sources"): "loads tokenizers, to show texts that prepare has encoded",
    ("compare", "pipelines.sources"): "loads tokenizers, to show texts that prepare has encoded",
    ("compare", "components.selection"): "refuses settings that no method has, of a study's sweep",
    ("diagnose", "components.models"): "freezes layers of a model",
    ("compare", "components.models"): "freezes layers of a model",
}
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("pipelines", "components", exclude_type_checking_imports=True)


def listed(stage):
    """Return the code that ``stage`` depends on, as paths."""
    deps = STAGES[stage].get("do", STAGES[stage])["deps"]
    return [Path(d) for d in deps if d.startswith(("pipelines/", "components/"))]


def within(module, names):
    return any(module == name or module.startswith(f"{name}.") for name in names)


def decides(graph, stage):
    """Return the modules that ``stage`` imports, directly or by one that is not set apart."""
    apart = [*APART, *(name for of, name in APART_OF if of == stage)]
    deps = {".".join(path.with_suffix("").parts) for path in listed(stage)}
    todo, found = [f"pipelines.{stage}"], set()
    while todo:
        module = todo.pop()
        if module not in found and (within(module, deps) or not within(module, apart)):
            found.add(module)
            todo += graph.find_modules_directly_imported_by(module)
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_it_imports(graph, stage):
    deps = listed(stage)
    files = {Path(*module.split(".")) for module in decides(graph, stage)}
    files = {f / "__init__.py" if (ROOT / f).is_dir() else f.with_suffix(".py") for f in files}
    assert sorted(f for f in files if not any(f == d or f.is_relative_to(d) for d in deps)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_and_folder_that_a_stage_depends_on_is_there_and_imported(graph, stage):
    modules = {Path(*module.split(".")) for module in decides(graph, stage)}
    for path in listed(stage):
        assert (ROOT / path).exists(), path
        assert any(module.is_relative_to(path.with_suffix("")) for module in modules), f"{stage} does not import {path}"


def test_what_is_set_apart_is_there():
    for name in [*APART, *(name for _, name in APART_OF)]:
        path = ROOT / Path(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").exists(), name


#: By file of code, the stages whose results it decides.
EVERYTHING = {"prepare", "warm_up", "subset", "train", "evaluate", "account", "compare", "diagnose", "plan"}
TRAINING = {"warm_up", "train", "evaluate"}
DECIDED = {
    "components/rng.py": EVERYTHING - {"account"},
    "components/engine/schedules.py": TRAINING,
    "components/evaluation/metrics.py": TRAINING,
    "components/evidence/objectives.py": TRAINING,
    "components/models/vision.py": TRAINING,
    "components/selection/draw/infobatch.py": {"plan", "subset", "train", "diagnose"},
    "components/tasks/image.py": {"prepare", "diagnose"} | TRAINING,
    "pipelines/config/methods.py": {"plan", "subset", "train"},
    "pipelines/config/planning.py": {"plan"},
    "pipelines/config/cross_checks.py": {"plan"},
    "pipelines/core/locks.py": set(),
    "pipelines/core/tables.py": TRAINING | {"subset", "compare", "diagnose"},
    "pipelines/costs/records.py": {"account"},
    "pipelines/data/split_files.py": TRAINING | {"prepare", "diagnose"},
    "pipelines/report/cost_tables.py": {"compare", "diagnose"},
    "pipelines/sources/readers/delimited.py": {"prepare"},
    "pipelines/training/models/__init__.py": TRAINING,
    "pipelines/tracking/metrics.py": set(),
}


@pytest.mark.slow
def test_a_change_of_code_makes_those_stages_stale_that_it_decides(copy_of_finished, monkeypatch):
    monkeypatch.chdir(copy_of_finished)
    assert dvc_project.stale() == set()
    found = {}
    for name in DECIDED:
        path = Path(name)
        before = path.read_bytes()
        path.write_bytes(before + b"# changed\n")
        found[name] = {address.partition("@")[0] for address in dvc_project.stale()}
        path.write_bytes(before)
    assert found == DECIDED
    assert dvc_project.stale() == set()
