"""Pruned QNodes on Qiskit Aer through PennyLane's bridge, which needs older Qiskit: `make test-plugin`."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qnodes import (
    make,
    needs,
    results,
)

from qprune import Threshold

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions

    import qprune.pennylane as qpp

pytestmark = pytest.mark.filterwarnings("ignore")


@needs("pennylane_qiskit")
@pytest.mark.parametrize("measurement", ["Z", "probs"])
@pytest.mark.parametrize("circuit", ["angle+strong", "hand-written", "amplitude"])
def test_aer(circuit, measurement):
    original, X, w = make(circuit, measurement, device="qiskit.aer", wires=3, shots=20_000)
    pruned = qpp.prune(original, Threshold(0.1), inputs=X[:5], weights=w)
    exact = qpp.prune(make(circuit, measurement)[0], Threshold(0.1), inputs=X[:5], weights=w)
    np.testing.assert_allclose(results(pruned, X[:1], w), results(exact, X[:1], w), atol=0.05)
