"""Arrays of a stored QNode are those that were certified; what cannot be certified is refused with its cause."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pennylane as qml
import pytest
from mutations import Mutation, applied, mutations, one_of_each

import qprune.pennylane as qpp
from qprune import CertificateError, Measured, QpruneError, TaskError, Threshold
from qprune.pennylane.stored import tied
from qprune.results.manifest import seal

X = np.random.default_rng(0).uniform(-1, 1, (5, 2))
W = np.array([0.02, 0.7, 0.03, 0.4])
SHARE = 1 if os.environ.get("QPRUNE_SOAK") else 3  # one in so many forgeries is tried


@qml.qnode(qml.device("default.qubit", wires=2))
def network(inputs, weights):
    qml.AngleEmbedding(inputs, wires=[0, 1])
    qml.RZ(weights[0], 0)
    qml.RY(weights[1], 1)
    qml.CNOT([0, 1])
    qml.RX(weights[2], 0)
    qml.RY(weights[3], 1)
    return qml.expval(qml.Z(1))


@pytest.fixture
def folder(tmp_path):
    qpp.prune(network, Threshold(0.1), inputs=X, weights=W).save(tmp_path / "out", drawings=False)
    return tmp_path / "out"


def arrays_of(folder):
    with np.load(folder / "pennylane.npz") as stored:
        return dict(stored)


def test_every_array_is_tied_to_the_certificate(folder):
    """Also where the forger writes the manifest anew: but for the present weights, which void the certificate."""
    assert qpp.load(folder, network).verify().checks
    for mutation in one_of_each(m for m in mutations(folder) if m.file.startswith("pennylane."))[::SHARE]:
        if not mutation.field and mutation.file.endswith(".npz"):
            continue  # its bytes: other bytes of the same arrays are the same arrays
        with applied(folder, mutation, reseal=True):
            try:
                loaded = qpp.load(folder, network)
            except QpruneError:
                continue
            harmless = mutation.file == "pennylane.json" and np.array_equal(
                loaded.weights if loaded.single else loaded.weights["weights"], W
            )
            assert harmless or not loaded.certificate_valid, str(mutation)


@pytest.mark.parametrize("kinds", [("weights", "certified"), ("weights", "certified", "original"), ("inputs",)])
def test_arrays_moved_together_with_their_hash(folder, kinds):
    """Who makes the hash fit as well is caught by what the QNode and the certified circuits measure."""
    arrays, pruned = arrays_of(folder), qpp.load(folder, network)
    forged = {n: a + 0.1 if n.split()[0] in kinds else a for n, a in arrays.items()}
    np.savez_compressed(folder / "pennylane.npz", **forged)
    told = {name: array for name, array in forged.items() if not name.startswith("weights ")}
    seal(folder, tied(pruned.result, told).certificate)
    with pytest.raises(CertificateError, match=r"not those of the certified circuit|is not what was certified"):
        qpp.load(folder, network)


def test_any_file_changed_is_noticed(folder):
    data = (folder / "pennylane.npz").read_bytes()
    change = Mutation("pennylane.npz", "", "lengthened", {"pennylane.npz": data + b"0"})
    with applied(folder, change), pytest.raises(CertificateError, match=r"pennylane\.npz was changed"):
        qpp.load(folder, network)


def test_weights_trained_further_are_loaded(tmp_path):
    pruned = qpp.prune(network, Measured(0.1, refit=True), inputs=X, weights=W)
    moved = pruned.with_weights(pruned.weights + 0.05)
    moved.save(tmp_path / "out", drawings=False)
    again = qpp.load(tmp_path / "out", network)
    np.testing.assert_array_equal(again.weights, moved.weights)
    assert not again.certificate_valid
    assert again.with_weights(pruned.weights).verify().checks
    with pytest.raises(TaskError, match=r"argument weights must have shape .*, got \(2,\)"):
        again.with_weights([0.1, 0.2])


def test_complex_weights_are_refused():
    with pytest.raises(TaskError, match="argument weights must be real numbers, got complex128"):
        qpp.prune(network, Threshold(0.1), inputs=X, weights=W + 0.3j)


def test_complex_angles_are_refused():
    @qml.qnode(qml.device("default.qubit", wires=2))
    def odd(inputs, weights):
        qml.RX(inputs[0] * (1 + 0.3j), 0)
        qml.RY(weights[0], 0)
        return qml.expval(qml.Z(0))

    with pytest.raises(TaskError, match="complex angle"):
        qpp.prune(odd, Threshold(0.1), inputs=X, weights=W)


def random_network(rng):
    @qml.qnode(qml.device("default.qubit", wires=2))
    def odd(inputs, weights):
        qml.AngleEmbedding(inputs, wires=[0, 1])
        qml.RZ(rng.normal(0, 0.01), 0)
        qml.RY(weights[0], 1)
        qml.CNOT([0, 1])
        return qml.expval(qml.Z(1))

    return odd


def test_angles_drawn_at_each_call_are_refused():
    with pytest.raises(TaskError, match="builds another circuit each time it is called: 1 angles differ"):
        qpp.prune(random_network(np.random.default_rng(0)), Threshold(0.1), inputs=X, weights=W)


def test_angles_drawn_once_are_not():
    class Fixed:
        def normal(self, *_):
            return np.random.default_rng(5).normal(0, 0.01)

    assert qpp.prune(random_network(Fixed()), Threshold(0.1), inputs=X, weights=W).verify().checks


def test_the_hash_is_among_the_records(folder):
    result = qpp.load(folder, network).result
    certificate = replace(
        result.certificate, records={k: v for k, v in result.certificate.records.items() if k != "pennylane"}
    )
    seal(folder, certificate)
    with pytest.raises(CertificateError, match="their hash differs"):
        qpp.load(folder, network)
