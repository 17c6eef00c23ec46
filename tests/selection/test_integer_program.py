"""The mixed-integer solver says nothing, and what others print meanwhile is kept."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from qprune.selection import integer_program
from qprune.selection.integer_program import CHATTER, solved

KNAPSACK = {
    "integrality": np.ones(3),
    "bounds": Bounds(0, 1),
    "constraints": [LinearConstraint([[2.0, 3.0, 4.0]], -np.inf, 6.0)],
}


def test_the_solution_is_that_of_scipy():
    found, theirs = solved([-3.0, -4.0, -5.0], **KNAPSACK), milp([-3.0, -4.0, -5.0], **KNAPSACK)
    np.testing.assert_array_equal(found.x, theirs.x)
    np.testing.assert_allclose(found.x, [1, 0, 1])


@pytest.mark.skipif(os.name != "posix", reason="nothing is held back there")
def test_lines_of_the_solver_go_and_all_others_stay(monkeypatch, capfd):
    """As it prints them: by the C library, beside what Python prints in another thread."""

    def talkative(objective, **options):
        ctypes.CDLL(None).puts(CHATTER + b"transformNewIntegerFeasibleSolution tmpSolver.run();")
        print("of somebody else")
        return milp(objective, **options)

    monkeypatch.setattr(integer_program.scipy.optimize, "milp", talkative)
    print("before")
    solved([-3.0, -4.0, -5.0], **KNAPSACK)
    print("after")
    assert capfd.readouterr().out.splitlines() == ["before", "of somebody else", "after"]


def test_an_error_comes_through_and_leaves_standard_output_as_it_was(capfd):
    with pytest.raises(ValueError, match="constraints"):
        solved([1.0], constraints="none")
    print("still here")
    assert capfd.readouterr().out == "still here\n"
