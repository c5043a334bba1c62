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
from pipelines.trials import bundle, controls, folder
from pipelines.versioning import dvc_remote

if TYPE_CHECKING:
    from pipelines.trials.bundle import Part
    from pipelines.trials.folder import StudyFolder
    from pipelines.trials.grid import Trial

#: In the DVC remote, beside what DVC keeps there; and where there is none, what a worktree has in common with its clone.
FOLDER, HERE = "winnow-cells", SCRATCH / "cells"
ARRIVING = SCRATCH / "arriving"
LOG = logging.getLogger(__name__)


class Handover:
    """What has been handed over of a study, as far as it is known here."""

    def __init__(self) -> None:
        """Look what is there.

        Raises:
            AwayError: where the DVC remote stays away.
        """
        self._files, self._folder = dvc_remote.folder(FOLDER, without=HERE)
        self._there = dvc_remote.patiently(self._names, LOG)

    def restore(self, study: StudyFolder, *seeds: int) -> None:
        """Bring here all that is there of a study: its data, and its trials with these ``seeds``.

        Raises:
            AwayError: where the DVC remote stays away.
            Stopped: after SIGINT or SIGTERM.
        """
        if not self._take(bundle.data_of(study)):
            return  # a trial is handed over after its data: without them there is none
        for seed in seeds:
            folder.link_data(study.of(seed))
            for trial in study.grid.trials:
                if STOP.is_set():
                    raise Stopped
                if _is_planned(study, seed, trial) and not study.is_done(seed, trial.name):
                    all(self._take(part) for part in bundle.parts_of(study, seed, trial.name))

    def share(self, study: StudyFolder, seed: int, name: str) -> None:
        """Hand over what is done of a trial and is not there: the data, its warm-up, which others may share, and its own part.

        Raises:
            AwayError: where the DVC remote stays away.
            UserError: where it is full.
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
        """Bring a part here, and return whether it is; one that is torn counts as not there."""
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
        """Put a file there, whole or not at all, and remove what killed ones have left of the same."""
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
                    said = f"{where}: is full: a part of the study has {size:,} bytes; make room there, and run it again"
                    raise UserError(said) from None
                raise

    def _at(self, path: Path) -> str:
        return str(self._files.join(self._folder, path.name))


def _is_planned(study: StudyFolder, seed: int, trial: Trial) -> bool:
    """Return whether a trial has a plan with ``seed``; that of a control is made when the trial that it is after is done."""
    if not trial.after:
        return True
    if not study.is_done(seed, trial.after):
        return False
    controls.plan_after(study, seed, trial)
    return True
