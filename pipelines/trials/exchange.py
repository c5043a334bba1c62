"""Exchange of trials between machines, through the DVC remote or a shared folder."""

from __future__ import annotations

import errno
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pipelines.core.artifacts import SCRATCH
from pipelines.core.errors import Stopped, UserError
from pipelines.core.signals import STOP
from pipelines.trials import bundle, controls, study_folder
from pipelines.versioning import dvc_remote

if TYPE_CHECKING:
    from pipelines.trials.bundle import Part
    from pipelines.trials.grid import Trial
    from pipelines.trials.study_folder import StudyFolder

#: Folder in the DVC remote, beside DVC's own; and without a remote, the folder that worktrees share with their clone.
FOLDER, HERE = "winnow-cells", SCRATCH / "cells"
ARRIVING = SCRATCH / "arriving"
LOG = logging.getLogger(__name__)


class Handover:
    """Restores and shares parts of studies; the shared files are listed once, at creation."""

    def __init__(self) -> None:
        """List the shared files.

        Raises:
            AwayError: if the DVC remote stays unreachable.
        """
        self._files, self._folder = dvc_remote.folder(FOLDER, without=HERE)
        self._there = dvc_remote.patiently(self._names, LOG)

    def restore(self, study: StudyFolder, *seeds: int) -> None:
        """Download a study's data, and its shared trials with these ``seeds``.

        Raises:
            AwayError: if the DVC remote stays unreachable.
            Stopped: after SIGINT or SIGTERM.
        """
        if not self._take(bundle.data_of(study)):
            return  # data are uploaded before trials: without data there are no trials
        for seed in seeds:
            study_folder.link_data(study.of(seed))
            for trial in study.grid.trials:
                if STOP.is_set():
                    raise Stopped
                if _is_planned(study, seed, trial) and not study.is_done(seed, trial.name):
                    all(self._take(part) for part in bundle.parts_of(study, seed, trial.name))

    def share(self, study: StudyFolder, seed: int, name: str) -> None:
        """Upload the completed parts of a trial that are not shared yet, with its data.

        Raises:
            AwayError: if the DVC remote stays unreachable.
            UserError: if it is full.
        """
        own = bundle.parts_of(study, seed, name) if _is_planned(study, seed, study.grid[name]) else ()
        for part in (bundle.data_of(study), *own):
            if part.is_restored and part.name not in self._there:
                path = ARRIVING / part.name
                try:
                    bundle.pack(part, path)
                    dvc_remote.patiently(partial(self._put, path), LOG)
                finally:
                    path.unlink(missing_ok=True)
                self._there.add(part.name)

    def _take(self, part: Part) -> bool:
        """Download a part unless it is here; return False if it is missing or incomplete."""
        if part.is_restored:
            return True
        if part.name not in self._there:
            return False
        path = ARRIVING / part.name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            taken = dvc_remote.patiently(partial(self._get, path), LOG) and bundle.unpack(part, path)
        finally:
            path.unlink(missing_ok=True)
        if not taken:
            self._there.discard(part.name)
        return taken

    def _names(self) -> set[str]:
        with dvc_remote.asking():
            self._files.fs.invalidate_cache()
            try:
                return {str(path).rpartition("/")[2] for path in self._files.ls(self._folder)}
            except FileNotFoundError:
                return set()

    def _get(self, path: Path) -> bool:
        with dvc_remote.asking():
            try:
                self._files.get_file(self._at(path), str(path))
            except FileNotFoundError:
                return False
        return True

    def _put(self, path: Path) -> None:
        """Upload a file atomically, and remove leftovers of interrupted uploads of the same file."""
        target = self._at(path)
        with dvc_remote.asking():
            try:
                self._files.makedirs(self._folder)
                part = f"{target}.{uuid4().hex}.part"
                self._files.put_file(str(path), part)
                self._files.mv(part, target)
                for left in self._names():
                    if left.startswith(f"{path.name}."):
                        self._files.rm_file(self._files.join(self._folder, left))
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    size, where = path.stat().st_size, dvc_remote.address() or self._folder
                    message = f"{where}: is full: a part of the study has {size:,} bytes; make room there, and run it again"
                    raise UserError(message) from None
                raise

    def _at(self, path: Path) -> str:
        return str(self._files.join(self._folder, path.name))


def _is_planned(study: StudyFolder, seed: int, trial: Trial) -> bool:
    """Return whether a trial has a plan; plan a control whose trial is done."""
    if not trial.after:
        return True
    if not study.is_done(seed, trial.after):
        return False
    controls.plan_after(study, seed, trial)
    return True
