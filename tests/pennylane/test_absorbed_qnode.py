"""QNodes whose last Clifford gates are measured instead of run: PennyLane's own numbers, gradients and counts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qnodes import SAME, data, needs, node, qml, results

from qprune import CertificateError, Measured, OptionError, Proven, TaskError
from qprune.pennylane import load, prune

N = 3


def layers(x, weights):
    qml.AngleEmbedding(x, wires=range(N))
    qml.StronglyEntanglingLayers(weights, wires=range(N))


def mean(x, weights):
    layers(x, weights)
    return qml.expval(qml.Z(0))


def several(x, weights):
    layers(x, weights)
    return qml.expval(qml.Z(0) @ qml.X(2)), qml.var(qml.Z(1)), qml.expval(0.5 * qml.Y(0) - 2 * qml.Z(2) + 0.25)


def some_bits(x, weights):
    layers(x, weights)
    qml.CNOT([0, 1])
    qml.X(0)
    return qml.probs(wires=[1, 0])


WEIGHTS = np.random.default_rng(3).uniform(-2, 2, (2, N, 3))


def counted(qnode, *arguments):
    return sum(k for size, k in qml.specs(qnode)(*arguments)["resources"].gate_sizes.items() if size > 1)


@pytest.mark.parametrize("circuit", [mean, several])
def test_it_returns_the_same_numbers_from_fewer_gates(circuit):
    X, original = data(4, N), node(circuit)
    plain, absorbed = (
        prune(original, Proven(1e-9), inputs=X, weights=WEIGHTS, absorb=absorb, progress=False)
        for absorb in (False, True)
    )
    np.testing.assert_allclose(results(absorbed, X, WEIGHTS), results(original, X, WEIGHTS), rtol=0, atol=SAME)
    elsewhere = WEIGHTS + 0.3  # for other weights and inputs too
    np.testing.assert_allclose(results(absorbed, -X, elsewhere), results(original, -X, elsewhere), rtol=0, atol=SAME)
    assert counted(absorbed, X[0], WEIGHTS) < counted(plain, X[0], WEIGHTS)
    assert absorbed.absorbed.two_qubit_gates == N
    assert "became part of what is measured" in absorbed.report()
    absorbed.verify()


def test_gradients_are_those_of_the_original():
    X, weights = data(2, N), qml.numpy.array(WEIGHTS, requires_grad=True)
    original = node(mean)
    pruned = prune(original, Proven(1e-9), inputs=X, weights=weights, absorb=True, progress=False)
    for x in X:
        ours, theirs = qml.grad(pruned)(x, pruned.weights), qml.grad(original)(x, weights)
        np.testing.assert_allclose(ours[1] if isinstance(ours, tuple) else ours, np.asarray(theirs), rtol=0, atol=1e-8)


def all_bits(x, weights):
    layers(x, weights)
    qml.X(1)
    return qml.probs()


@pytest.mark.parametrize(("circuit", "wires"), [(some_bits, None), (all_bits, N)])
def test_probabilities_come_back_in_their_order(circuit, wires, tmp_path):
    """Gates that permute outcomes go; PennyLane's own numbers and gradients, for batches and after loading too."""
    X, weights = data(3, N), qml.numpy.array(WEIGHTS, requires_grad=True)
    original = node(circuit, wires=wires)
    pruned = prune(original, Proven(1e-9), inputs=X, weights=weights, absorb=True, progress=False)
    assert pruned.absorbed.two_qubit_gates > 0
    elsewhere = weights + 0.3
    np.testing.assert_allclose(results(pruned, -X, elsewhere), results(original, -X, elsewhere), rtol=0, atol=SAME)
    np.testing.assert_allclose(pruned(X, elsewhere), original(X, elsewhere), rtol=0, atol=SAME)
    first, second = (qml.jacobian(each, argnums=1)(X[0], elsewhere) for each in (pruned, original))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-8)
    few = qml.set_shots(pruned, shots=[20, 30])(X[0], weights)
    assert [np.shape(each) for each in few] == [np.shape(original(X[0], weights))] * 2
    pruned.verify()
    pruned.save(tmp_path / "out", drawings=False)
    again = load(tmp_path / "out", original)
    np.testing.assert_allclose(results(again, X, weights), results(original, X, weights), rtol=0, atol=SAME)


def test_it_is_saved_with_what_it_measures_and_loaded_for_its_own_qnode_alone(tmp_path):
    X = data(4, N)
    pruned = prune(node(several), Measured(0.3), inputs=X, weights=WEIGHTS, absorb=True, progress=False)
    pruned.save(tmp_path / "out", drawings=False)
    again = load(tmp_path / "out", node(several))
    np.testing.assert_allclose(results(again, X, WEIGHTS), results(pruned, X, WEIGHTS), rtol=0, atol=SAME)
    assert again.absorbed.groups == pruned.absorbed.groups
    again.verify()
    with pytest.raises(CertificateError, match="not the one that was pruned"):
        load(tmp_path / "out", node(mean))
    about = tmp_path / "out" / "pennylane.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"absorbed": False}))
    with pytest.raises(CertificateError):
        load(tmp_path / "out", node(several))


def bits_and_mean(x, weights):
    layers(x, weights)
    return qml.probs(wires=[0, 1]), qml.expval(qml.Z(2))


def test_probabilities_beside_others_are_refused_with_the_way_out():
    options = {"inputs": data(2, N), "weights": WEIGHTS}
    with pytest.raises(TaskError, match=r"returns probs\(wires=\[0, 1\]\) beside others: let it return that alone"):
        prune(node(bits_and_mean), Proven(0.1), absorb=True, **options)
    with pytest.raises(OptionError, match="absorb must be"):
        prune(node(mean), Proven(0.1), absorb="yes", **options)


@needs("torch")
def test_layers_of_a_torch_module_measure_it_too():
    import torch

    layer = qml.qnn.TorchLayer(node(lambda inputs, weights: mean(inputs, weights)), {"weights": WEIGHTS.shape})
    X = torch.tensor(data(3, N))
    smaller = prune(torch.nn.Sequential(layer), Proven(1e-9), inputs=X, absorb=True, progress=False)
    np.testing.assert_allclose(smaller(X).detach(), layer(X).detach(), rtol=0, atol=1e-6)
    assert smaller[0].pruned.absorbed.two_qubit_gates == N
