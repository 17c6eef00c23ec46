"""Networks on noisy devices, and what density matrices say of them."""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from qprune import Task, calibrate
from qprune.gates.sites import sites_of
from qprune.noise.forecast import Forecast
from qprune.simulators.choices import final_outputs


def depolarising(p1=0.004, p2=0.03, readout=0.0):
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(p1, 1), ["sx", "x"])
    model.add_all_qubit_quantum_error(depolarizing_error(p2, 2), ["cx"])
    if readout:
        model.add_all_qubit_readout_error(ReadoutError([[1 - readout, readout], [readout, 1 - readout]]))
    return model


def predictor(task, noise, layout=None):
    calibration = calibrate(noise, layout=layout).placed(task.circuit)
    return Forecast(calibration, task), calibration


def exact(task, calibration, model):
    """⟨O_r⟩ (R, M) or distributions (2^m, M) of the circuit as compiled, under Aer's own model, no readout error."""
    gates, ends = calibration.noises.whole(task.circuit, calibration.layout)
    circuit = QuantumCircuit(1 + max([q for _, qubits in gates for q in qubits] + list(ends)))
    for gate, qubits in gates:
        circuit.append(gate, qubits)
    if task.observables is None:
        circuit.save_probabilities([ends[q] for q in task.measured_qubits])
    for r, observable in enumerate(task.observables or ()):
        circuit.save_expectation_value(observable, ends, label=str(r))
    simulator, columns = AerSimulator(method="density_matrix", noise_model=model), []
    weights = dict(zip((p.name for p in task.weight_params), task.weights, strict=True))
    for row in task.inputs:
        values = weights | dict(zip((p.name for p in task.input_params), row, strict=True))
        data = simulator.run(circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})).result().data()
        rows = [str(r) for r in range(len(task.observables or ()))]
        columns.append(data["probabilities"] if task.observables is None else [data[r] for r in rows])
    return np.array(columns).T


def outputs_of(task):
    return final_outputs(task, sites_of(task), task.selected)


def networks():
    """Trained-like circuits: inputs re-uploaded, rotations of all sizes, couplings not symmetric in the qubits."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        n = 3 + seed % 2
        circuit, weights = QuantumCircuit(n), {}
        x = [Parameter("x0"), Parameter("x1")]
        for layer in range(3):
            for q in range(n):
                circuit.ry(x[(q + layer) % 2] * (1 + 0.3 * q), q)
                for name in ("rz", "ry"):
                    w = Parameter(f"w{layer}{q}{name}")
                    weights[w] = rng.uniform(-2, 2)
                    getattr(circuit, name)(w, q)
            for q in range(n - 1):
                circuit.cx(q, (q + 1 + layer) % n) if q != (q + 1 + layer) % n else circuit.cz(q, n - 1)
        observables = ["I" * (n - 1) + "Z", SparsePauliOp(["Z" * n, "X" + "I" * (n - 1), "I" * n], [0.5, 0.8, 0.3])]
        yield Task(circuit, observables, inputs=rng.uniform(-1.5, 1.5, (3, 2)), input_params=x, weights=weights)


def redundant(seed=0):
    """Three qubits; a block of two entangling gates that nearly cancel, and one that matters."""
    rng = np.random.default_rng(seed)
    circuit, weights, x = QuantumCircuit(3), {}, [Parameter("x0"), Parameter("x1")]

    def turn(name, qubit, value):
        w = Parameter(f"w{len(weights):02d}")
        weights[w] = value
        getattr(circuit, name)(w, qubit)

    turn("ry", 0, 1.2)
    circuit.ry(0.4 * x[0], 0)
    circuit.ry(x[1], 2)
    for _ in range(2):
        circuit.cx(2, 1)
        turn("ry", 1, 0.02)
        circuit.cx(2, 1)
        turn("rx", 0, rng.normal(0, 0.03))
    circuit.cx(2, 0)
    turn("ry", 0, 0.6)
    turn("ry", 1, 0.1)
    circuit.cx(1, 0)
    return Task(circuit, "IIZ", inputs=rng.uniform(-1.2, 1.2, (8, 2)), input_params=x, weights=weights)
