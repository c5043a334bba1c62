"""What is known of examples: losses, signals, the ledger."""
