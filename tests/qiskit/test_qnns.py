"""Tasks from Qiskit Machine Learning's networks, and smaller networks from results."""

from types import SimpleNamespace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Statevector
from small_networks import OBSERVABLES, network, weights

from qprune import Measured, OptionError, Proven, Task, TaskError, prune
from qprune.qiskit import from_qnn, to_qnn


@pytest.fixture(scope="module")
def qml():
    return pytest.importorskip(
        "qiskit_machine_learning.neural_networks", reason="qiskit-machine-learning not installed"
    )


def parity(outcome):
    return outcome.bit_count() % 2


def test_an_estimator_network_becomes_its_task(qml):
    from qiskit.primitives import StatevectorEstimator

    circuit, x = network(), np.random.default_rng(2).uniform(-1, 1, (5, 2))
    names = {p.name: p for p in circuit.parameters}
    qnn = qml.EstimatorQNN(
        circuit=circuit,
        estimator=StatevectorEstimator(),
        observables=list(OBSERVABLES),
        input_params=[names["x[0]"], names["x[1]"]],
        weight_params=[names[f"w[{j}]"] for j in range(12)],
        default_precision=0.0,
    )
    task = from_qnn(qnn, x, weights(), holdout=0.2, seed=1)
    assert task.holdout == 0.2
    dense = [[Statevector(task.bound_circuit(i)).expectation_value(o).real for o in OBSERVABLES] for i in range(5)]
    assert np.allclose(qnn.forward(x, weights()), dense, atol=1e-9)
    result = prune(task, Proven(0.2))
    smaller = to_qnn(result, qnn)
    assert type(smaller) is type(qnn)
    assert smaller.default_precision == 0.0
    change = np.abs(smaller.forward(x, result.weights) - qnn.forward(x, weights())).T
    assert np.all(change[:, task.selected] <= np.array(result.certificate.bound) + 1e-9)
    assert 0 < result.certificate.largest_bound <= 0.2


def test_the_default_observable_of_an_estimator_network_is_kept(qml):
    circuit = network()
    names = {p.name: p for p in circuit.parameters}
    inputs = [names["x[0]"], names["x[1]"]]
    qnn = qml.EstimatorQNN(circuit=circuit, input_params=inputs, weight_params=[names[f"w[{j}]"] for j in range(12)])
    assert from_qnn(qnn, [[0.1, 0.2]], weights()).output_names == ("ZZZZ",)


@pytest.mark.parametrize("measured", [None, (2, 0)])
def test_the_bound_of_a_sampler_network_holds_after_interpretation(qml, measured):
    circuit, x = network(measured=measured), np.random.default_rng(2).uniform(-1, 1, (5, 2))
    names = {p.name: p for p in circuit.parameters}
    qnn = qml.SamplerQNN(
        circuit=circuit,
        interpret=parity,
        output_shape=2,
        input_params=[names["x[0]"], names["x[1]"]],
        weight_params=[names[f"w[{j}]"] for j in range(12)],
    )
    task = from_qnn(qnn, x, weights())
    assert task.output_names == ("probabilities",)
    assert task.measured_qubits == (measured or (0, 1, 2, 3))
    result = prune(task, Proven(0.2))
    assert result.certificate.replaced
    for i in range(5):
        odd = []
        for t in (task, result.task):
            p = Statevector(t.bound_circuit(i)).probabilities(list(t.measured_qubits))
            odd.append(sum(p[k] for k in range(len(p)) if qnn.interpret(k)))
        assert abs(odd[1] - odd[0]) <= result.certificate.bound[0][i] + 1e-9
        shots = to_qnn(result, qnn).forward(x[i], result.weights)
        assert abs(shots[0, 1] - odd[1]) < 0.1  # six standard errors of the sampler's 1024 shots


def test_a_trained_model_gives_its_network_and_weights(qml):
    from qiskit_machine_learning.algorithms import NeuralNetworkClassifier
    from qiskit_machine_learning.optimizers import COBYLA

    circuit = QuantumCircuit(2)
    x, w = ParameterVector("x", 2), ParameterVector("w", 4)
    for q in range(2):
        circuit.ry(x[q], q)
        circuit.ry(w[q], q)
    circuit.cx(0, 1)
    circuit.ry(w[2], 0)
    circuit.ry(w[3], 1)
    qnn = qml.EstimatorQNN(circuit=circuit, input_params=list(x), weight_params=list(w), default_precision=0.0)
    model = NeuralNetworkClassifier(qnn, optimizer=COBYLA(maxiter=3), initial_point=np.full(4, 0.1))
    X = np.random.default_rng(0).uniform(-1, 1, (6, 2))
    with pytest.raises(TaskError, match="no trained weights"):
        from_qnn(model, X)
    model.fit(X, np.array([1, -1, 1, -1, 1, -1]))
    task = from_qnn(model, X)
    np.testing.assert_array_equal(task.weights, model.weights)
    result = prune(task, Measured(0.1))
    change = to_qnn(result, model).forward(X, result.weights) - qnn.forward(X, model.weights)
    assert np.abs(change).max() <= 0.1 + 1e-9
    with pytest.raises(OptionError, match="result must be one of this network"):
        to_qnn(prune(Task(QuantumCircuit(1), "Z"), Proven(0.1)), model)


def test_a_network_without_inputs_is_a_task_too():
    circuit = QuantumCircuit(1)
    circuit.ry(ParameterVector("w", 1)[0], 0)
    stand_in = SimpleNamespace(
        circuit=circuit, observables=["Z"], input_params=[], weight_params=list(circuit.parameters)
    )
    task = from_qnn(stand_in, None, [0.4])
    assert task.num_samples == 1
    assert task.output_names == ("Z",)


@pytest.mark.parametrize(
    "thing", [None, QuantumCircuit(1), SimpleNamespace(circuit=None, input_params=(), weight_params=())]
)
def test_other_things_are_no_networks(thing):
    with pytest.raises(TaskError, match="qnn must be an EstimatorQNN or a SamplerQNN"):
        from_qnn(thing, None, None)
