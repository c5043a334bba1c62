"""Files, errors, processes, locks: what every package stands on."""
