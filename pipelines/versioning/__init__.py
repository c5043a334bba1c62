"""DVC and git: stages, lock file, remote, worktrees, provenance."""
