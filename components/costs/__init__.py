"""Cost arithmetic: what a run cost and saved."""
