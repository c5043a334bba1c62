"""Methods that choose within a batch which examples get a backward pass."""
