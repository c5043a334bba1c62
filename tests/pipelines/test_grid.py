"""A study's grid: which cells it has, what they cost, and what makes one run again."""

import copy
import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines import artifacts, cells, plan
from pipelines.cells import DECIDING, lay_out
from pipelines.errors import UserError
from pipelines.grid import grid_of
from pipelines.params import code_of, load

ROOT = Path(__file__).parents[2]
STUDY = {"methods": {"swiftlearn": "two-epochs", "infobatch": "none"}, "fractions": [0.1, 0.5], "seeds": [0, 1]}


@pytest.fixture
def grid(write_params):
    """Return the grid of a digits study with ``changes``."""

    def read(changes=None, **study):
        write_params({"task": "digits", "study": copy.deepcopy(STUDY | study)} | (changes or {}))
        return grid_of(load())

    return read


@pytest.fixture
def place(grid, tmp_path):
    """Return the place of a digits study, in a folder that has the project's code."""
    for name in ("components", "pipelines", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)

    def laid(changes=None, **study):
        read = grid(changes, **study)
        return lay_out(load(), read)

    return laid


def test_a_method_has_a_cell_a_fraction_and_one_without(grid):
    found = [(c.name, c.method, c.fraction) for c in grid().cells if c.role != "control"]
    expected = [("full", "full", None), ("swiftlearn-0.1", "swiftlearn", 0.1), ("swiftlearn-0.5", "swiftlearn", 0.5)]
    assert found == [*expected, ("infobatch", "infobatch", None)]


def test_every_cell_has_two_controls_at_its_own_cost(grid):
    read = grid()
    planned = plan.files_of(read.params)
    for cell in read.cells:
        cost = planned[f"methods/{cell.name}"]["planned_cost"]
        # A fraction of four digits, over six epochs.
        assert cost == pytest.approx(cell.cost, abs=3.1e-4)
        assert [read[c].method for c in cell.controls] == (["uniform", "short"] if cell.role == "method" else [])
        for control in cell.controls:
            assert read[control].cost == cell.cost
            assert read.params.warm_ups[read.params.compare[control]].epochs == 0


def test_cells_of_one_cost_share_their_controls(grid):
    shared = {"methods.swiftlearn-sampled": {"method": "swiftlearn", "fraction": 0.3, "select": "sample"}}
    read = grid(shared, methods={"swiftlearn": "two-epochs", "swiftlearn-sampled": "two-epochs"})
    assert [c.name for c in read.cells if c.role == "control"] == [
        "uniform-at-2.4", "short-at-2.4", "uniform-at-4.0", "short-at-4.0",
    ]  # fmt: skip
    assert read["swiftlearn-0.1"].controls == read["swiftlearn-sampled-0.1"].controls


def test_a_method_of_a_proxy_has_cells_and_controls(grid):
    warm_up = {"epochs": 2, "proxy": {"model": {"family": "small", "name": "mlp", "options": {"hidden": 8}}, "share": 0.3}}
    read = grid({"warm_ups.proxy": warm_up}, methods={"selection-via-proxy": "proxy"})
    cell = read["selection-via-proxy-0.5"]
    assert cell.cost == pytest.approx(0.5 * 6 + 0.3 * (2 + 1 / 3))
    assert [read.params.compare[c] for c in cell.controls] == ["none", "none"]


def test_a_cell_that_costs_as_much_as_full_is_controlled_by_full(grid):
    read = grid(fractions=[1.0], methods={"swiftlearn": "two-epochs"})
    assert [c.name for c in read.cells] == ["full", "swiftlearn-1.0"]
    assert read["swiftlearn-1.0"].controls == ("full", "full")


def test_uniform_at_the_same_fraction_may_be_a_method_too(grid):
    read = grid(methods={"uniform": "none"})
    assert read.params.methods["uniform-0.5"] == {"method": "uniform", "fraction": 0.5}
    assert read["uniform-0.5"].cost == 3.0


def test_a_start_from_nothing_is_there_even_if_params_name_none(grid, gone):
    read = grid({"warm_ups.none": gone, "compare": {"full": "two-epochs"}}, methods={"swiftlearn": "two-epochs"})
    assert read.params.compare["full"] == "nothing"
    assert read.params.warm_ups["nothing"].epochs == 0


BAD = {
    "no section": ({"study": None}, r"study: is missing"),
    "unknown method": ({"study.methods.swiftlern": "none"}, r"study.methods.swiftlern: no such .* did you mean 'swiftlearn'\?"),
    "unknown warm-up": ({"study.methods.swiftlearn": "two"}, r"study.methods.swiftlearn: 'two': no such warm-up"),
    "fraction of nothing": ({"study.fractions": [0.0]}, r"study.fractions.0: .*greater than 0, got 0.0"),
    "fraction above one": ({"study.fractions": [0.1, 1.5]}, r"study.fractions.1: .*got 1.5; the nearest that works is 1"),
    "no seeds": ({"study.seeds": []}, r"study: seeds: must name one or more, got none; the least that can be run is \[0\]"),
    "no methods": ({"study.methods": {}}, r"study: methods: must name one or more"),
    "a seed twice": ({"study.seeds": [0, 1, 0]}, r"study: seeds: each must be there once, got 0 2 times"),
    "a fraction twice": ({"study.fractions": [0.3, 0.3]}, r"study: fractions: each must be there once, got 0.3 2 times"),
    "unknown key": ({"study.seed": 1}, r"study: 'seed': no such key, did you mean 'seeds'\?"),
    "a negative seed": ({"study.seeds": [-1]}, r"study.seeds.0: .*greater than or equal to 0, got -1"),
    "full": ({"study.methods.full": "none"}, r"study.methods.full: 'full' is in every study by itself"),
    "a control": ({"study.methods.short": "none"}, r"study.methods.short: 'short' is in every study by itself"),
    "a warm-up too short": ({"study.methods.swiftlearn": "none"}, r"swiftlearn-0.1: needs a warm-up of at least 2 epochs"),
    "one name twice": (
        {"study.fractions": [1e-05], "methods.swiftlearn-1e-05": ["infobatch"], "study.methods.swiftlearn-1e-05": "none"},
        r"study.methods.swiftlearn-1e-05: its cell 'swiftlearn-1e-05' has the name of another one",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(grid, tmp_path, changes, text):
    with pytest.raises(UserError, match=text):
        grid(changes)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["params.yaml"]


def test_more_methods_fractions_and_seeds_move_nothing_that_was_there(place):
    first = place()
    marks = {(s, n): [key for _, key, _ in steps(first, s, n)] for s, n in first.missing()}
    more = {"methods": STUDY["methods"] | {"uniform": "none"}, "fractions": [0.3, 0.1, 0.5], "seeds": [2, 1, 0]}
    second = place({"warm_ups.longer": {"epochs": 1}}, **more)
    assert second.folder == first.folder
    assert len(second.missing()) > len(marks)
    assert {(s, n): [key for _, key, _ in steps(second, s, n)] for s, n in marks} == marks


def steps(place, seed, name):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.of(seed))
        return cells._steps(name)


@pytest.mark.parametrize(
    "changes",
    [{"tasks.digits.training.batch_size": 64}, {"tasks.digits.test": 0.3}, {"seed": 5}, {"tasks.digits.model.name": "cnn"}],
    ids=str,
)
def test_another_task_or_setting_has_another_place(place, changes):
    assert place().folder != place(changes).folder


def test_another_setting_of_a_method_is_another_cell_of_the_same_place(place):
    first = place()
    second = place({"methods.swiftlearn.select": "sample"})
    assert second.folder == first.folder
    assert steps(second, 0, "infobatch")[1][1] == steps(first, 0, "infobatch")[1][1]
    done = [key for _, key, _ in steps(second, 0, "swiftlearn-0.1")]
    place()
    assert done[0] == steps(first, 0, "swiftlearn-0.1")[0][1]
    assert done[1] != steps(first, 0, "swiftlearn-0.1")[1][1]


def test_other_code_has_another_place(place, tmp_path):
    first = place()
    (tmp_path / "dvc.yaml").unlink()
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text().replace("components/scoring.py", "components/energy.py"))
    assert place().folder != first.folder


def test_dvc_yaml_names_every_component_that_decides_results():
    stages = ", ".join(f"pipelines.{s}" for s in (*DECIDING, "running", "checkpoints"))
    listed = (
        f"import sys, {stages}; import components.evaluation; print(*(m for m in sys.modules if m.startswith('components.')))"
    )
    done = subprocess.run([sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True)
    named = [Path(p) for p in code_of(DECIDING, ROOT / "dvc.yaml")]
    paths = {Path(*module.split(".")).with_suffix(".py") for module in done.stdout.split()}
    lacking = {p for p in paths if not any(p == n or p.is_relative_to(n) or p.with_suffix("") == n for n in named)}
    # They hold clocks and watts, and what is made of results.
    assert lacking <= {Path("components/energy.py"), Path("components/comparison.py")}


def test_the_split_is_that_of_the_projects_seed_for_every_seed(place):
    laid = place({"seed": 3})
    for seed in laid.seeds:
        read = artifacts.read_json(laid.of(seed) / artifacts.plan_of("task"))
        assert read["seed"] == 3
        assert artifacts.read_json(laid.of(seed) / artifacts.plan_of("training"))["seed"] == seed


def test_paths_are_relative_to_the_projects_folder(place, tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for kind in ("cats", "dogs"):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
            Image.fromarray(rng.integers(0, 255, (8, 8), np.uint8)).save(tmp_path / "data" / split / kind / "1.png")
    changes = {"tasks.digits.source": {"from": "folder", "folder": "data"}, "tasks.digits.test": None}
    laid = place(changes)
    cells._prepare(laid)
    assert artifacts.read_json(laid.folder / "data" / artifacts.MANIFEST)["classes"] == ["cats", "dogs"]
    (tmp_path / "data" / "train" / "cats" / "1.png").write_bytes((tmp_path / "data" / "test" / "dogs" / "1.png").read_bytes())
    assert place(changes).folder != laid.folder
    laid = place({"tasks.digits.source": {"from": "folder", "folder": "pets"}, "tasks.digits.test": None})
    with pytest.raises(UserError, match=r"^pets: no such folder"):
        cells.run(laid, 0, "full")
    assert Path.cwd() == tmp_path


def test_a_proxys_model_is_found_from_below(grid, tmp_path):
    model = {"family": "transformers", "source": {"from": "folder", "folder": "models/encoder"}}
    changes = {"task": "movie-reviews", "tasks.movie-reviews.model": model}
    changes["warm_ups.proxy"] = {"epochs": 1, "proxy": {"model": model | {"num_hidden_layers": 1}}}
    for name in ("components", "pipelines", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    read = grid(changes, methods={"selection-via-proxy": "proxy"})
    with chdir(lay_out(load(), read).of(0)):
        planned = artifacts.read_json(artifacts.plan_of("warm_ups", "proxy"))
    assert planned["proxy"]["model"]["source"]["folder"] == f"{cells.UP}/models/encoder"


def test_a_mark_of_work_that_was_begun_anew_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells._once("train@x", "one", lambda: None)
    assert cells._is_marked("train@x", "one")

    def dies():
        assert not cells._mark("train@x").exists()
        raise KeyboardInterrupt

    cells._once("train@x", "one", dies)
    with pytest.raises(KeyboardInterrupt):
        cells._once("train@x", "two", dies)
    # What it would find is not all of setting one any more.
    assert not cells._is_marked("train@x", "one")


def test_a_relative_cache_is_the_projects(place, monkeypatch):
    laid = place()
    monkeypatch.setenv("WINNOW_CACHE", "cache")
    monkeypatch.setattr(cells, "_prepare", lambda place: None)
    monkeypatch.setattr(cells, "_steps", lambda name: [])
    cells.run(laid, 0, "full")
    assert Path(os.environ["WINNOW_CACHE"]) == Path.cwd() / "cache"


def test_a_study_that_is_not_run_stands_in_no_comparisons_way(write_params):
    write_params(
        {
            "task": "digits",
            "study.methods.swiftlearn": "nowhere",
            "tasks.digits.training.epochs": 2,
            "compare": {"full": "none"},
        }
    )
    assert load().study is not None
