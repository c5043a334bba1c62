"""What arrives over Prefect's API: typed, bounded, described."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("prefect")

from prefect.exceptions import ParameterTypeError

from pipelines.agents import comparison_flow, study_flow
from pipelines.config.loader import load
from pipelines.services.worker import MAIN_POOL
from tests.conftest import ROOT

GOOD = {"stage": "train@full", "revision": "0123456789abcdef0123456789abcdef01234567", "params": ""}
GOOD |= {"packages": {"scikit-learn": "1.9.1"}, "flows": 64 * "a"}
BAD = {
    "an option": {"stage": "--force"},
    "a shell's line": {"stage": "train@full; rm x"},
    "a path": {"stage": "train@../x"},
    "a second line": {"stage": "train@full\nx"},
    "a branch": {"revision": "main"},
    "a revision for git's options": {"revision": "--exec=x"},
    "a second line of a revision": {"revision": GOOD["revision"] + "\n"},
    "a text without end": {"params": "x" * 65_537},
    "a number": {"stage": 3},
    "a package for a shell": {"packages": {"x; y": "1"}},
    "a version that is text": {"packages": {"x": "1 or\nmore"}},
    "packages without end": {"packages": {f"x{i}": "1" for i in range(65)}},
    "flows that are no digest": {"flows": "main"},
}


def test_parameters_are_described():
    properties = comparison_flow.run_stage.parameters.properties
    assert set(properties) == set(GOOD)
    assert properties["revision"]["pattern"] == "^[0-9a-f]{40}$"
    assert properties["params"]["maxLength"] == 65_536
    assert all(len(p["description"]) > 20 for p in properties.values())
    for flow in (comparison_flow.winnow, study_flow.study, study_flow.run_cells):
        assert all(len(p["description"]) > 20 for p in flow.parameters.properties.values())


def test_good_parameters_pass():
    assert comparison_flow.run_stage.validate_parameters(GOOD) == GOOD
    assert comparison_flow.winnow.validate_parameters({"revision": None, "params": ""})["revision"] is None

    wanted = {"task": "digits", "methods": ["full", "short"], "overrides": {"seed": 3, "tasks.digits.training.epochs": 2}}
    assert comparison_flow.winnow.validate_parameters(wanted).items() >= wanted.items()


@pytest.mark.parametrize(
    "wrong",
    [
        {"methods": ["--x"]},
        {"methods": "full"},
        {"task": "a b"},
        {"overrides": {"a b": 1}},
        {"overrides": {f"a{i}": 1 for i in range(65)}},
    ],
)
def test_what_is_asked_for_is_typed(wrong):
    with pytest.raises(ParameterTypeError):
        comparison_flow.winnow.validate_parameters(wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"task": "--x"}, {"task": ""}, {"task": "../x"}, {"seed": -1}, {"seed": 2**63}, {"seed": "one"}, {"revision": "main"}],
    ids=str,
)
def test_cells_are_asked_for_by_task_and_seed(wrong):
    good = {key: value for key, value in GOOD.items() if key != "stage"} | {"task": "digits-noise", "seed": 3}
    assert study_flow.run_cells.validate_parameters(good) == good
    with pytest.raises(ParameterTypeError):
        study_flow.run_cells.validate_parameters(good | wrong)


@pytest.mark.parametrize("wrong", BAD.values(), ids=BAD)
def test_others_are_refused(wrong):
    with pytest.raises(ParameterTypeError):
        comparison_flow.run_stage.validate_parameters(GOOD | wrong)


def test_every_pool_of_params_has_a_deployment():
    held = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    found = {(d["entrypoint"], d["name"]): d["work_pool"]["name"] for d in held["deployments"]}
    pools = {p for p in load(ROOT / "params.yaml").pools.model_dump().values() if p}
    stage, cells = "pipelines/agents/comparison_flow.py:run_stage", "pipelines/agents/study_flow.py:run_cells"
    whole = {("pipelines/agents/comparison_flow.py:winnow", "main"), ("pipelines/agents/study_flow.py:study", "main-pool")}
    assert set(found) == {(flow, pool) for flow in (stage, cells) for pool in pools} | whole
    for (_, name), pool in found.items():
        assert pool == (MAIN_POOL if name == "main" else name)
    for entrypoint, _ in found:
        file, _, flow = entrypoint.partition(":")
        assert hasattr({"comparison_flow": comparison_flow, "study_flow": study_flow}[Path(file).stem], flow)


@pytest.mark.slow
def test_a_flow_needs_neither_torch_nor_mlflow_to_begin():
    heavy = ("torch", "mlflow", "dvc", "transformers")
    flows = "pipelines.agents.comparison_flow, pipelines.agents.study_flow"
    script = f"import sys, {flows}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
