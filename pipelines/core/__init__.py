"""Files, errors, processes, locks: the base of all other packages."""
