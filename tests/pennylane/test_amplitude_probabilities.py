"""A QNode that gives the probabilities of classes for images as amplitudes: every image at once (T9, step 9)."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from qprune import CertificateViolation, Everywhere, OptionError, everywhere, verify

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml

    import qprune.pennylane as qpp

pytestmark = pytest.mark.filterwarnings("ignore")


def classifier(qubits, classes):
    """Pixels as amplitudes, two layers, and the probabilities of 2^classes classes."""

    @qml.qnode(qml.device("default.qubit", wires=qubits))
    def images(x, w):
        qml.AmplitudeEmbedding(x, wires=range(qubits), normalize=True)
        for layer in range(2):
            for q in range(qubits):
                qml.RY(w[layer, q], q)
            for q in range(qubits):
                qml.CNOT([q, (q + 1) % qubits])
        return qml.probs(wires=range(classes))

    return images


def trained(qubits):
    rng = np.random.default_rng(0)
    weights = 0.5 * rng.normal(size=(2, qubits))
    weights[0, 1], weights[1, 0] = 0.01, 0.02
    return np.abs(rng.normal(size=(8, 2**qubits))), weights


def test_four_classes_keep_the_budget_for_every_image():
    images, (rows, weights) = classifier(3, 2), trained(3)
    pruned = qpp.prune(images, Everywhere(0.1), inputs={"x": rows}, weights={"w": weights})
    result, claim = pruned.result, pruned.certificate.every_input
    (output,) = claim.outputs
    assert result.circuit.size() < result.original.circuit.size()
    assert output.lower <= output.upper <= 0.1
    assert output.method == "largest eigenvalue, real states"
    verify(result.original, result)
    others = np.abs(np.random.default_rng(1).normal(size=(30, 8)))
    change = [np.abs(images(x, weights) - pruned(x, weights)).sum() / 2 for x in others]
    assert max(change) <= output.upper + 1e-9
    assert everywhere(result).certificate.every_input.upper == pytest.approx(output.upper)
    forged = replace(claim, outputs=(replace(output, lower=0.0, upper=0.9 * output.upper),))
    with pytest.raises(CertificateViolation, match="probabilities"):
        verify(result.original, replace(result, certificate=replace(result.certificate, every_input=forged)))


def test_sixteen_classes_are_refused_with_a_way_out():
    images, (rows, weights) = classifier(4, 4), trained(4)
    with pytest.raises(OptionError, match="measure fewer qubits, or observables: probabilities of 16 outcomes"):
        qpp.prune(images, Everywhere(0.1), inputs={"x": rows}, weights={"w": weights})
