"""Cost records: time, counts and energy of a stage."""
