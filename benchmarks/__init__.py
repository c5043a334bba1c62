"""Where the figures of the documentation come from; never part of the tests."""
