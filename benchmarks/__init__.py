"""Benchmarks that produce the documentation's figures; never part of the tests."""
