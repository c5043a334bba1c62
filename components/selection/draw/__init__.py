"""Methods that choose before an epoch which examples are drawn."""
