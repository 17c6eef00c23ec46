"""Bounds in your own tests: assertions on results, Hypothesis strategies, saved results verified by pytest."""

from qprune.testing.assertions import assert_holds, assert_within
from qprune.testing.strategies import inputs, tasks

__all__ = ["assert_holds", "assert_within", "inputs", "tasks"]
