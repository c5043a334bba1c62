"""Models and training runs: built, trained, checkpointed, resumed."""
