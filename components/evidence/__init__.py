"""Evidence about examples: losses, signals, the ledger."""
