"""What is in the data: wrong labels, duplicates, rare classes, shift; and what fits it."""
