"""make study: a grid of methods, fractions and seeds, as trials."""
