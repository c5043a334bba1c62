"""The project's tree: which package imports which, how large folders and files are."""

import logging
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.conftest import ROOT

CODE = sorted(path for root in ("components", "pipelines") for path in (ROOT / root).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FOLDERS = sorted({path.parent for path in CODE})
MODULES, LINES = 12, 250
#: Modules without a test file of their name, with the reason.
UNTESTED = {"pipelines/sources/raw.py": "holds a type, which the tests of every source build"}


def named(path):
    return str(path.relative_to(ROOT))


@pytest.fixture
def loggers():
    """Put back what is disabled: the linter sets up logging, which disables the loggers of all that was imported before."""
    there = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = [logger.disabled for logger in there]
    yield
    for logger, disabled in zip(there, before, strict=True):
        logger.disabled = disabled


def test_each_package_imports_only_those_below_it(monkeypatch, loggers):
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=".importlinter", no_cache=True) == 0


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_a_folder_has_few_files(folder):
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MODULES


@pytest.mark.parametrize("path", [path for path in CODE + TESTS if path.read_text().count("\n") > LINES // 2], ids=named)
def test_a_file_is_short(path):
    assert path.read_text(encoding="utf-8").count("\n") <= LINES


@pytest.mark.parametrize("path", CODE, ids=named)
def test_a_module_leaves_the_working_directory_of_its_process_as_it_is(path):
    """Whatever works in a folder is told which, so that one process can work in several."""
    assert "chdir" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_a_package_says_what_it_is_for(folder):
    first = (folder / "__init__.py").read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith('"""')
    assert first.endswith('"""')
    assert len(first) > 12


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=named)
def test_tests_of_a_package_lie_in_a_folder_of_its_name(path: Path):
    folder = path.parent.relative_to(ROOT / "tests")
    assert folder == Path() or folder.name == "end_to_end" or (ROOT / folder).is_dir()


@pytest.mark.parametrize("path", CODE, ids=named)
def test_a_module_is_named_in_few_plain_words(path):
    first = path.read_text(encoding="utf-8").partition("\n")[0].strip('"')
    assert len(first.split()) <= 15
    assert first.split()[0] not in ("What", "Whether", "Where", "Which", "How", "Who", "Of")


@pytest.mark.parametrize("path", [path for path in CODE if not path.name.startswith("__")], ids=named)
def test_a_module_has_a_test_file_of_its_name(path):
    module = path.relative_to(ROOT)
    there = (ROOT / "tests" / module.with_name(f"test_{module.name}")).exists()
    assert there != (str(module) in UNTESTED)
