"""DVC's run cache, for a process whose working directory is any folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvc.stage import PipelineStage, create_stage
from dvc.stage.cache import StageCache
from dvc.stage.loader import StageLoader


class RunCache(StageCache):  # type: ignore[misc] # DVC has no types
    """A run cache that resolves stages in its working copy's dvc.yaml; DVC's own uses the working directory's."""

    def _create_stage(self, cache: Mapping[str, Any], wdir: str | None = None) -> PipelineStage:
        """Return the stage of the run cache entry ``cache``; DVC passes the folder ``wdir`` in which the stage runs."""
        path, outs = Path(self.repo.root_dir, "dvc.yaml"), [out["path"] for out in cache["outs"]]
        stage = create_stage(PipelineStage, repo=self.repo, path=path, cmd=cache["cmd"], wdir=wdir, outs=outs)
        StageLoader.fill_from_lock(stage, cache)
        return stage
