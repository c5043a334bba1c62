"""Archives of packages for tests, where fetched ones would lie."""

import zipfile

import pytest

from pipelines.core import artifacts


@pytest.fixture
def archive_of(tmp_path, monkeypatch):
    """Put an archive of files, text by name, where a fetched one would lie; return its source without members."""

    def run(files):
        monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
        with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        sha256 = artifacts.digest_of(tmp_path / "archive")
        (tmp_path / "cache" / sha256).mkdir(parents=True)
        (tmp_path / "archive").rename(tmp_path / "cache" / sha256 / "archive")
        return {"from": "package", "package": "own", "version": "1.0", "archive": "wheel", "sha256": sha256}

    return run
