"""`prune` on circuits as people have them, and what a result promises besides its bound."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from math import pi

import numpy as np
import pytest
from helpers import BOUND_SLACK, INPUTS, ROOT, WEIGHTS, deviation, outputs, state
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import (
    EfficientSU2,
    NLocal,
    PauliFeatureMap,
    RealAmplitudes,
    RYGate,
    TwoLocal,
    ZZFeatureMap,
    efficient_su2,
    evolved_operator_ansatz,
    hamiltonian_variational_ansatz,
    n_local,
    pauli_feature_map,
    qaoa_ansatz,
    quantum_volume,
    real_amplitudes,
    zz_feature_map,
)
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import CouplingMap

import qprune
from qprune import Measured, Proven, Task, Threshold, calibrate, prune
from qprune.results.result import plan_actions

warnings.filterwarnings("ignore", category=DeprecationWarning)
x, y = INPUTS
w, v = WEIGHTS[:2]


def trained(circuit, observables=None, inputs=(), spread=0.25, **options):
    """Small random weights, so that there is something to prune; two samples."""
    rng = np.random.default_rng(3)
    inputs = list(inputs)
    free = [p for p in circuit.parameters if p not in set(inputs)]
    rows = rng.uniform(0.2, 2.5, (2, len(inputs))) if inputs else None
    return Task(
        circuit,
        observables,
        inputs=rows,
        input_params=inputs,
        weights=rng.normal(scale=spread, size=len(free)),
        weight_params=free,
        **options,
    )


def encoded(feature_map, ansatz):
    """Feature map, then ansatz."""
    circuit = feature_map.copy()
    circuit.compose(ansatz, inplace=True)
    return circuit, list(feature_map.parameters)


def classifier():
    circuit, inputs = encoded(zz_feature_map(3, reps=1), real_amplitudes(3, reps=2))
    return trained(circuit, "ZZZ", inputs)


def deprecated_classifier():
    """The classes of Qiskit 1: composite instructions inside."""
    circuit, inputs = encoded(ZZFeatureMap(3, reps=2), EfficientSU2(3, reps=1, entanglement="circular"))
    return trained(circuit, ["ZII", "IXX"], inputs)


def re_uploading():
    """Inputs again in every layer, scaled by weights; one weight in several gates."""
    xs, ws = ParameterVector("x", 2), ParameterVector("w", 9)
    circuit = QuantumCircuit(2)
    for layer in range(3):
        circuit.ry(xs[0] * ws[3 * layer] + ws[3 * layer + 1], 0)
        circuit.rx((pi - xs[0]) * (pi - xs[1]) / 4, 1)
        circuit.barrier()
        circuit.rzz(ws[3 * layer + 2], 0, 1)
        circuit.ry(ws[2] / 2 - 0.1, 1)
    return trained(circuit, ["ZI", "IZ"], list(xs))


def nested():
    """Composites within composites, one used twice with other weights, a global phase at every level."""
    t = ParameterVector("t", 2)
    inner = QuantumCircuit(2, name="inner", global_phase=0.3)
    inner.ry(t[0], 0)
    inner.cz(0, 1)
    outer = QuantumCircuit(3, name="outer", global_phase=0.2)
    outer.append(inner.to_gate(), [2, 0])
    outer.rx(t[1], 1)
    outer.append(inner.to_gate().inverse(), [1, 2])
    circuit = QuantumCircuit(4, global_phase=0.5)
    circuit.h(range(4))
    circuit.append(outer.to_instruction(dict(zip(t, WEIGHTS[:2], strict=True))), [3, 1, 0])
    circuit.append(outer.to_gate(dict(zip(t, (WEIGHTS[2], WEIGHTS[0] / 2), strict=True))), [0, 2, 3])
    return trained(circuit, ["ZIZI", "XXII"])


def measured():
    """Several registers, some qubits measured in another order, delays, identities, barriers."""
    first, second = QuantumRegister(2, "first"), QuantumRegister(2, "second")
    circuit = QuantumCircuit(first, second, ClassicalRegister(3, "c"), ClassicalRegister(1, "d"))
    for q in range(4):
        circuit.ry(WEIGHTS[q], q)
        circuit.delay(20, q)
        circuit.id(q)
    circuit.cx(first[0], second[1])
    circuit.barrier(first)
    circuit.cx(second[0], first[1])
    circuit.rx(0.05, second[1])
    circuit.measure(second[1], 0)
    circuit.measure(first[0], 3)
    circuit.measure(second[0], 1)
    return trained(circuit)


def open_controls():
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.append(RYGate(w).control(1, ctrl_state=0), [0, 1])
    circuit.append(RYGate(0.04).control(2, ctrl_state=1), [2, 0, 1])
    circuit.ccx(0, 2, 1, ctrl_state=2)
    circuit.ry(v, 1)
    return trained(circuit, ["ZZZ", "IXI"])


def on_a_device(num_qubits):
    """Transpiled to a heavy-hexagon device: many idle qubits, the observable moved along."""
    circuit, inputs = encoded(zz_feature_map(3, reps=1, entanglement="linear"), real_amplitudes(3, reps=1))
    coupling = CouplingMap.from_heavy_hex(7) if num_qubits == 115 else CouplingMap.from_line(num_qubits)
    first, second, third = next((a, b, c) for a, b in coupling for d, c in coupling if a > 60 and b == d and a != c)
    moved = transpile(
        circuit,
        coupling_map=coupling,
        basis_gates=["cx", "rz", "sx", "x"],
        initial_layout=[first, second, third],
        optimization_level=1,
        seed_transpiler=1,
    )
    return trained(moved, SparsePauliOp(["ZZI", "IXX"], [0.7, 0.4]).apply_layout(moved.layout), inputs)


NETWORKS = {
    "zz_feature_map, real_amplitudes": classifier,
    "ZZFeatureMap, EfficientSU2": deprecated_classifier,
    "RealAmplitudes": lambda: trained(RealAmplitudes(3, reps=1, insert_barriers=True), "XXX"),
    "TwoLocal": lambda: trained(TwoLocal(3, ["ry", "rz"], "crx", reps=1, skip_final_rotation_layer=True), "ZXZ"),
    "NLocal": lambda: trained(NLocal(2, RYGate(w), QuantumCircuit(2), reps=1), "ZX"),
    "PauliFeatureMap": lambda: trained(p := PauliFeatureMap(2, paulis=["Z", "YY"]), "XY", p.parameters),
    "efficient_su2": lambda: trained(efficient_su2(3, su2_gates=["rx", "y"], reps=1)),
    "n_local": lambda: trained(n_local(3, ["h", "rx"], "cz", entanglement="pairwise", reps=2), "ZZZ"),
    "pauli_feature_map": lambda: trained(p := pauli_feature_map(3, paulis=["Z", "XYZ"], reps=1), "XYI", p.parameters),
    "qaoa": lambda: trained(qaoa_ansatz(SparsePauliOp(["ZZI", "IZZ", "ZII"]), reps=2), SparsePauliOp(["ZZI", "IZZ"])),
    "evolved_operator": lambda: trained(evolved_operator_ansatz([SparsePauliOp("XY"), SparsePauliOp("ZI")]), "ZZ"),
    "hamiltonian_variational": lambda: trained(
        hamiltonian_variational_ansatz(SparsePauliOp(["ZZI", "IZZ", "XII", "IXI"]), reps=1), "ZZZ"
    ),
    "quantum_volume": lambda: trained(quantum_volume(3, 2, seed=1), "ZIZ"),
    "re-uploading": re_uploading,
    "nested": nested,
    "measured": measured,
    "open controls": open_controls,
    "line of 127 qubits": lambda: on_a_device(127),
    "heavy hexagon of 115 qubits": lambda: on_a_device(115),
}
OPTIONS = [
    {"limit": Threshold(0.15)},
    {"limit": Proven(0.3)},
    {"limit": Threshold(0.2), "representatives": "class", "noise": 0.9},
    {"limit": Measured(0.2)},
]


def active(task):
    """The task's circuit and observables on the qubits in use, for dense simulation of wide circuits."""
    used = sorted(
        {task.circuit.find_bit(q).index for item in task.circuit.data for q in item.qubits}
        | {q for support in task.output_supports for q in support}
    )
    return used


def dense_outputs(task, used, sample):
    bound = task.bound_circuit(sample)
    small = QuantumCircuit(len(used), global_phase=bound.global_phase)
    for item in bound.data:
        small.append(item.operation, [used.index(bound.find_bit(q).index) for q in item.qubits])
    vector = Statevector(small)
    if task.observables is None:
        return vector.probabilities([used.index(q) for q in task.measured_qubits])
    found = []
    for observable in task.observables:
        terms = [(label, [used.index(q) for q in qubits], c) for label, qubits, c in observable.to_sparse_list()]
        local = SparsePauliOp.from_sparse_list(terms, num_qubits=len(used))
        found.append(vector.expectation_value(local).real)
    return np.array(found)


@pytest.mark.thinned(12)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("name", NETWORKS)
def test_circuits_as_people_have_them(name, options):
    """Pruned, within the bound by dense simulation, and trainable as before."""
    task = NETWORKS[name]()
    result = prune(task, **options)
    certificate = result.certificate
    used = active(task)
    assert len(used) <= 8
    for i in range(task.num_samples):
        before, after = dense_outputs(task, used, i), dense_outputs(result.task, used, i)
        change = np.abs(after - before)
        change = np.array([change.sum() / 2]) if task.observables is None else change
        np.testing.assert_allclose(change, np.array(certificate.measured)[:, i], atol=BOUND_SLACK)
        if certificate.limited_by_proof:
            assert np.all(change <= np.array(certificate.bound)[:, i] + BOUND_SLACK)
        if certificate.budget is not None:
            assert change.max() <= certificate.budget + BOUND_SLACK
    still_trainable(task, result)
    one_fate_for_every_gate(result)


def still_trainable(task, result):
    """Surviving weights and inputs are the same parameters, free, with the values they had."""
    left = set(result.circuit.parameters)
    assert left == set(result.task.weight_params) | (left & set(result.task.input_params))
    assert {p.name for p in left} <= {p.name for p in task.circuit.parameters}
    for old, new in zip(task.weights, result.weight_map, strict=True):
        if new is not None:
            assert result.weights[new] == old
    assert [j for j in result.weight_map if j is not None] == list(range(len(result.weights)))
    assert result.circuit.num_qubits == task.num_qubits
    assert result.circuit.qregs == task.circuit.qregs


def one_fate_for_every_gate(result):
    """The plan has an entry for each gate of the flat original, and its counts are the circuits'."""
    assert [entry.index for entry in result.plan] == list(range(result.flat.size()))
    assert [entry.gate for entry in result.plan] == [item.operation.name for item in result.flat.data]
    kept = sum(entry.action == "keep" for entry in result.plan)
    removed = {entry.index for entry in result.plan if entry.action == "remove"}
    gone = {k for e in result.certificate.replaced if e.by == "identity" for k in e.origins}
    assert removed <= gone
    assert kept <= result.circuit.size() <= result.simplified.size() <= result.flat.size() or kept == 0
    assert sum(plan_actions(result.plan).values()) == len(result.plan)


def test_there_is_something_to_prune_in_each():
    """Else the tests above would hold of a function that does nothing."""
    sizes = {
        name: (lambda r: (r.circuit.size(), r.flat.size()))(prune(make(), Threshold(0.3)))
        for name, make in NETWORKS.items()
    }
    assert all(after < before for name, (after, before) in sizes.items() if name != "quantum_volume"), sizes


# -- large circuits -----------------------------------------------------------------------------------------------


def test_only_the_light_cone_is_simulated():
    """Forty qubits, of which an output sees four."""
    circuit = QuantumCircuit(40)
    circuit.ry(0.3, range(40))
    for q in range(0, 38, 4):
        circuit.cx(q, q + 1)
        circuit.cx(q + 1, q + 2)
        circuit.rx(0.02, q + 2)
    result = prune(Task(circuit, SparsePauliOp.from_sparse_list([("ZX", [1, 2], 1.0)], 40)), Threshold(0.05))
    assert result.circuit.count_ops() == {"ry": 3, "cx": 1}
    assert {e.detail for e in result.plan if e.qubits == (39,)} == {"light cone"}


# -- geometry -----------------------------------------------------------------------------------------------------


def test_noise_widens_the_tolerance_and_deforms_the_distance():
    """ε_k² = ε₀² + γ(1−λ)(1−2^−|S|); λ = 1 is no noise; the options are on record."""
    task = classifier()
    plain, one, noisy = (prune(task, Threshold(0.1), noise=n) for n in (None, 1.0, calibrate(0.9, beta=2.0, gamma=0.5)))
    assert plain.certificate.replaced == one.certificate.replaced
    for entry in noisy.certificate.replaced:
        assert entry.tolerance**2 == pytest.approx(0.01 + 0.5 * 0.1 * (1 - 0.5 ** len(entry.qubits)))
        assert entry.kappa == pytest.approx((2 / (1 + 1 / np.cosh(0.2))) ** (len(entry.qubits) / 2))
    assert len(noisy.certificate.replaced) > len(plain.certificate.replaced)
    recorded = noisy.certificate.options
    assert [recorded[name] for name in ("coherence", "beta", "gamma")] == [0.9, 2.0, 0.5]
    assert recorded["limit"]["tolerance"] == 0.1
    stronger = prune(task, Threshold(0.1), noise=calibrate(0.5, beta=3.0, gamma=0.0))
    shared = {e.site: e.distance for e in plain.certificate.replaced}
    assert any(abs(e.distance - shared[e.site]) > 1e-6 for e in stronger.certificate.replaced if e.site in shared)


def test_default_tolerance():
    task = classifier()
    assert prune(task).certificate == prune(task, Threshold(0.05)).certificate
    assert prune(task, Proven(0.1)).certificate.options["limit"]["tolerance"] is None


# -- nothing but the arguments matters ----------------------------------------------------------------------------

SCRIPT = """
import sys, numpy as np
import qprune
from qiskit.circuit.library import real_amplitudes, z_feature_map
np.random.seed(int(sys.argv[1]))
inputs, ansatz = z_feature_map(2, reps=1), real_amplitudes(2, reps=1)
rng = np.random.default_rng(0)
task = qprune.Task(inputs.compose(ansatz), ["ZI", "XX"], inputs=rng.normal(size=(4, 2)), input_params=inputs.parameters,
                   weights=rng.normal(scale=0.3, size=4), weight_params=ansatz.parameters, holdout=0.25, seed=5)
for options in (
    {"limit": qprune.Threshold(0.08), "representatives": "class"},
    {"limit": qprune.Proven(0.1)},
    {"limit": qprune.Proven(0.2), "strategy": "random", "seed": 3},
    {"limit": qprune.Measured(0.1)},
    {"limit": qprune.Measured(0.2, refit=True)},
):
    sys.stdout.write(qprune.prune(task, **options).certificate.to_json())
"""


def test_certificates_are_byte_identical_in_any_process(monkeypatch, capsys):
    """Other hash seeds, other global random state, another process: the same JSON as here."""
    salt = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, salt],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": salt},
        capture_output=True,
        text=True,
        check=True,
    )
    monkeypatch.setattr(sys, "argv", ["script", "7"])
    before = np.random.get_state()  # noqa: NPY002
    exec(SCRIPT, {})
    np.random.set_state(before)  # noqa: NPY002
    assert capsys.readouterr().out == done.stdout
    assert done.stdout.count('"format"') == 5


@pytest.mark.parametrize("options", [*OPTIONS, {"limit": Measured(0.3, refit=True)}], ids=lambda o: str(o["limit"]))
def test_again_in_the_same_process(options):
    """Caches of the first run change nothing in the second, and neither changes the task."""
    task = re_uploading()
    circuit, weights, inputs = task.circuit.copy(), task.weights.copy(), task.inputs.copy()
    assert prune(task, **options).certificate.to_json() == prune(task, **options).certificate.to_json()
    assert task.circuit == circuit
    np.testing.assert_array_equal(task.weights, weights)
    np.testing.assert_array_equal(task.inputs, inputs)


def test_threads_change_nothing_that_matters():
    """Up to the rounding of sums in another order."""
    task = classifier()
    one, two = (prune(task, Threshold(0.15), simulator=qprune.Statevector(threads=t)) for t in (1, 2))
    assert [e.site for e in one.certificate.replaced] == [e.site for e in two.certificate.replaced]
    np.testing.assert_allclose(one.certificate.bound, two.certificate.bound, atol=1e-9)


def test_no_progress_where_there_is_no_terminal(capfd):
    prune(classifier(), Threshold(0.1), progress=True)
    assert capfd.readouterr() == ("", "")


# -- the pruned network is a task ---------------------------------------------------------------------------------


def test_the_result_can_be_pruned_again():
    """On the same ensemble; nothing more goes at the same tolerance once nothing is left to go."""
    first = prune(classifier(), Threshold(0.1))
    second = prune(first.task, Threshold(0.0))
    assert second.circuit.size() == first.circuit.size()
    third = prune(first.task, Proven(0.3))
    for i in range(2):
        before, after = (state(t.bound_circuit(i)) for t in (first.task, third.task))
        assert deviation(first.task, before, after).max() <= 0.3 + 1e-12


def test_inputs_whose_gates_are_gone_keep_their_columns():
    """The same data fit the smaller network."""
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.ry(y, 1)
    circuit.ry(w, 0)
    task = Task(circuit, "IZ", inputs=[[0.1, 0.2], [0.3, 0.4]], input_params=[x, y], weights=[0.5])
    result = prune(task, Threshold(0.0))
    assert y not in result.circuit.parameters
    assert [p.name for p in result.task.input_params] == ["x0", "x1"]
    assert result.task.inputs.shape == (2, 2)
    np.testing.assert_allclose(outputs(result.task, state(result.task.bound_circuit(1))), [np.cos(0.8)], atol=1e-12)


def test_accuracy_before_and_after():
    """By the labels, on all samples, those held out among them."""
    circuit = QuantumCircuit(1)
    circuit.ry(x, 0)
    circuit.ry(w, 0)
    inputs = np.linspace(0, pi, 10)
    labels = np.where(np.cos(inputs) > 0, 1, -1)
    task = Task(circuit, "Z", inputs=inputs, input_params=[x], weights=[0.7], labels=labels, holdout=0.3)
    result = prune(task, Threshold(0.5))
    assert result.accuracy == (np.mean(np.where(np.cos(inputs + 0.7) > 0, 1, -1) == labels), 1.0)
    assert prune(classifier()).accuracy is None
