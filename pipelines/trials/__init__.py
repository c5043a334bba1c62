"""One training of a study each: grid, folder, run, summary."""
