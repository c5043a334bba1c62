"""Data diagnosis: wrong labels, duplicates, rare classes, shift, and the method that fits."""
