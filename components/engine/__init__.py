"""The training loop, with the learner, optimizers and processes that it needs."""
