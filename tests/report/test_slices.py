"""Plots between the samples: what they draw is what dense states give."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import outputs_on
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import qprune
from qprune import Domain, Measured, OptionError, Proven, Task, prune
from qprune.report.slices import deviations_over_domain, slice_through_worst

X, W = ParameterVector("x", 2), ParameterVector("w", 2)


@pytest.fixture(scope="module")
def result():
    circuit = QuantumCircuit(2)
    circuit.ry(X[0], 0)
    circuit.ry(X[1], 1)
    circuit.rzz(W[0], 0, 1)
    circuit.rx(W[1], 0)
    rows = np.random.default_rng(0).uniform(0, 0.3, (6, 2))
    task = Task(circuit, ["IZ", "ZZ"], inputs=rows, input_params=list(X), weights=[0.4, 0.3])
    return prune(task.with_domain(Domain.box(0, np.pi)), Measured(0.25))


def changes(result, rows):
    return np.abs(outputs_on(result.task, rows) - outputs_on(result.original, rows)).T


def test_a_slice_goes_through_the_worst_input(result):
    found = slice_through_worst(result)
    claim = result.certificate.every_input
    r, i = result.original.output_names.index(found.output), [p.name for p in X].index(found.input)
    rows = np.tile(claim.outputs[r].worst, (len(found.values), 1))
    rows[:, i] = found.values
    np.testing.assert_allclose(found.deviations, changes(result, rows)[r], atol=1e-12)
    np.testing.assert_allclose(found.sample_deviations, changes(result, result.original.inputs)[r], atol=1e-12)
    assert found.deviations.max() <= found.upper + 1e-12
    assert (found.values[0], found.values[-1]) == (0, np.pi)


def test_the_spread_over_the_domain_stays_below_the_limit(result):
    found = deviations_over_domain(result, 300)
    assert np.all(np.diff(found) >= 0)
    assert found[-1] <= result.certificate.every_input.upper + 1e-12
    assert found[-1] > 0.5 * result.certificate.every_input.lower


@pytest.mark.parametrize("show", ["slice", "domain"])
def test_they_are_plots_of_a_result(result, show):
    pytest.importorskip("pylatexenc")
    axes = qprune.plot(result, show=show)
    assert axes.get_legend() is not None
    with pytest.raises(OptionError, match="everywhere"):
        qprune.plot(prune(result.original, Proven(0.0)), show=show)
    with pytest.raises(OptionError, match="show must be"):
        qprune.plot(result, show="worst")
