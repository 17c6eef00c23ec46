"""Runs of gates on two qubits get the fewest CX that do the same at the weights' values; nothing else changes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from helpers import BOUND_SLACK, outputs, state, up_to_phase
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import CXGate, UnitaryGate, efficient_su2
from qiskit.quantum_info import Operator, random_unitary
from qiskit.synthesis import TwoQubitBasisDecomposer
from qiskit.transpiler import PassManager

import qprune
from qprune import Measured, Proven, Threshold, UnderNoise
from qprune.cli.command import main
from qprune.exact.cx_networks import shorten_networks
from qprune.exact.resynthesis import resynthesise, with_shorter_runs
from qprune.exact.simplify import simplify
from qprune.gates.sites import circuit_of, sites_of
from qprune.qiskit.faces import PruneGates

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml

    import qprune.pennylane as qpp

SYNTHESIS_SLACK = 1e-12
"""What a block may miss its unitary by, and a few dense products."""


def cx_needed(circuit):
    """CX of the circuit with every gate taken apart by its own definition, the peer's count."""
    return transpile(circuit, basis_gates=["cx", "u"], optimization_level=0).count_ops().get("cx", 0)


def compiled(circuit):
    return transpile(circuit, basis_gates=["cx", "u"], optimization_level=3).count_ops().get("cx", 0)


def bound(result):
    return result.circuit.assign_parameters(dict(zip(result.task.weight_params, result.weights, strict=True)))


def task_of(circuit, observables=None, seed=5, **options):
    count = circuit.num_parameters - len(options.get("input_params", ()))
    weights = np.random.default_rng(seed).uniform(0.3, 2.8, count)
    return qprune.Task(circuit, observables, weights=weights, **options)


def one_round(task):
    """The circuit after one round alone, where only runs were touched."""
    sites, changes = with_shorter_runs(task, sites_of(task))
    return task.with_circuit(circuit_of(task, sites)), changes


def rotations(circuit, rng, qubits=(0, 1), free=False):
    for q in qubits:
        for name in ("ry", "rz"):
            angle = rng.uniform(0.3, 2.8)
            getattr(circuit, name)(Parameter(f"w{circuit.size():03d}") if free else angle, q)


def network(seed, gates=30, qubits=4, names=("cx", "cz"), free=True, directed=False):
    """Gates between neighbours, so that pairs meet again and again."""
    rng, circuit = np.random.default_rng(seed), QuantumCircuit(qubits)
    for _ in range(gates):
        low = int(rng.integers(qubits - 1))
        pair = (low, low + 1) if directed or rng.integers(2) else (low + 1, low)
        if rng.integers(2):
            name = names[rng.integers(len(names))]
            angle = [Parameter(f"w{circuit.size():03d}") if free else 0.7] if name.startswith(("r", "cr")) else []
            getattr(circuit, name)(*angle, *pair)
        elif rng.integers(4):
            name, angle = ("rx", "ry", "rz")[rng.integers(3)], Parameter(f"w{circuit.size():03d}") if free else 1.1
            getattr(circuit, name)(angle, low)
        else:
            getattr(circuit, ("h", "s", "sx")[rng.integers(3)])(low)
    return circuit


# -- planted answers ---------------------------------------------------------------------------------------------------


def entanglers(*gates):
    """Gates on two qubits with turns about unlike axes between them."""
    circuit, rng = QuantumCircuit(2), np.random.default_rng(len(gates))
    for name, *rest in gates:
        rotations(circuit, rng)
        getattr(circuit, name)(*rest)
    rotations(circuit, rng)
    return circuit


def plain(*gates):
    circuit = QuantumCircuit(2)
    for name, *rest in gates:
        getattr(circuit, name)(*rest)
    return circuit


def matrices(count):
    circuit = QuantumCircuit(2)
    for k in range(count):
        circuit.append(UnitaryGate(random_unitary(4, seed=k)), [k % 2, 1 - k % 2])
    return circuit


TINY = (("rxx", 1e-6, 0, 1), ("ryy", 2e-6, 1, 0), ("rzz", 3e-6, 0, 1))
PLANTED = {
    "four CX": (entanglers(*[("cx", 0, 1)] * 4), 3, "cx"),
    "both ways": (entanglers(("cx", 0, 1), ("cx", 1, 0), ("cx", 0, 1), ("cx", 1, 0)), 3, "cx"),
    "CZ alone": (entanglers(*[("cz", 0, 1)] * 5), 3, "cz"),
    "CX and CZ": (entanglers(("cz", 0, 1), ("cx", 1, 0), ("cz", 0, 1), ("cx", 1, 0)), 3, "cx"),
    "two rotations": (entanglers(("rzz", 0.7, 0, 1), ("rxx", 0.4, 0, 1)), 2, "cx"),
    "three rotations": (entanglers(("rzz", 0.7, 0, 1), ("rxx", 0.4, 0, 1), ("ryy", 0.5, 1, 0)), 3, "cx"),
    "controlled": (entanglers(("crx", 0.7, 0, 1), ("crz", 0.4, 1, 0)), 2, "cx"),
    "two that commute": (plain(("rxx", 0.7, 0, 1), ("ryy", 0.4, 0, 1)), 2, "cx"),
    "three that commute": (plain(("rxx", 0.7, 0, 1), ("ryy", 0.4, 0, 1), ("rzz", 0.2, 0, 1)), 3, "cx"),
    "swap and CX": (plain(("swap", 0, 1), ("ry", 0.3, 0), ("cx", 0, 1)), 2, "cx"),
    "CZ as CX": (plain(("cx", 1, 0), ("h", 0), ("cz", 0, 1), ("h", 0)), 0, "cx"),
    "hidden CX": (plain(("ry", 1.1, 0), ("cx", 0, 1), ("h", 1), ("cz", 0, 1), ("sx", 0), ("ch", 0, 1)), 1, "cx"),
    "any two": (matrices(2), 3, "cx"),
    "tiny": (plain(*TINY), 3, "cx"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_fewest_gates_that_are_the_same_unitary(name):
    circuit, fewest, kind = PLANTED[name]
    task = task_of(circuit)
    after, changes = one_round(task)
    assert set(after.circuit.count_ops()) <= {"rx", "ry", "rz", "u", kind}
    assert after.circuit.count_ops().get(kind, 0) == fewest < cx_needed(circuit)
    assert up_to_phase(Operator(after.circuit).data, Operator(circuit).data) < SYNTHESIS_SLACK
    assert sorted(origin for change in changes for origin in change.origins) == list(range(circuit.size()))
    assert len(after.circuit.data) - fewest <= 2 * (fewest + 1)  # one gate between two, at the most
    assert one_round(after)[1] == ()


def test_what_is_nearly_nothing_is_not_taken_for_nothing():
    """Qiskit's own call would: it is why the unspecialised decomposition is used."""
    circuit, _, _ = PLANTED["tiny"]
    lost = TwoQubitBasisDecomposer(CXGate())(Operator(circuit).data, approximate=False)
    assert lost.count_ops().get("cx", 0) == 0
    assert up_to_phase(Operator(lost).data, Operator(circuit).data) > 1e-7
    off = plain(*[("cx", 0, 1)], ("rz", 1e-9, 1), ("cx", 0, 1))  # an rzz of 1e-9
    assert one_round(task_of(off))[1] == ()


def test_runs_that_meet_once_another_is_gone_become_one():
    """The run on qubits 1 and 2 does nothing; between runs, one gate on a qubit is enough."""
    circuit, busy = QuantumCircuit(3), entanglers(*[("cx", 0, 1)] * 4)
    circuit.compose(busy, [0, 1], inplace=True)
    circuit.compose(plain(("cx", 0, 1), ("h", 1), ("cz", 0, 1), ("h", 1)), [1, 2], inplace=True)
    circuit.compose(busy, [1, 0], inplace=True)
    circuit.compose(busy, [1, 2], inplace=True)
    task = task_of(circuit)
    sites, _ = resynthesise(task, sites_of(task))
    after = circuit_of(task, sites)
    assert [site.qubits for site in sites if len(site.qubits) == 2] == [(0, 1)] * 3 + [(1, 2)] * 3
    assert len(sites) <= 6 + 8 + 7
    np.testing.assert_allclose(outputs(task, state(after)), outputs(task, state(circuit)), atol=SYNTHESIS_SLACK)


def test_matrices_that_are_not_quite_unitary_are_left_alone():
    circuit, rng = QuantumCircuit(2), np.random.default_rng(0)
    for seed in range(3):
        circuit.append(UnitaryGate(random_unitary(4, seed=seed).data + 1e-9 * rng.normal(size=(4, 4))), [0, 1])
    assert one_round(task_of(circuit))[1] == ()


# -- what stays --------------------------------------------------------------------------------------------------------

NOTHING_TO_GAIN = {
    "three CX": entanglers(("cx", 0, 1), ("cx", 1, 0), ("cx", 0, 1)),
    "a rotation": plain(("h", 0), ("cx", 0, 1), ("rz", 0.7, 1), ("cx", 0, 1), ("h", 1)),
    "efficient_su2": efficient_su2(4, reps=2, entanglement="full"),
}


@pytest.mark.parametrize("name", NOTHING_TO_GAIN)
def test_without_a_saving_nothing_changes(name):
    task = task_of(NOTHING_TO_GAIN[name])
    usual, asked = (qprune.prune(task, Threshold(0), resynthesis=r) for r in (False, True))
    assert asked.certificate.pruned_hash == usual.certificate.pruned_hash
    assert asked.plan == usual.plan
    assert asked.weight_map == usual.weight_map
    assert asked.fixed_weights == ()
    assert "resynthesis" not in str(asked)


def busy_pair(between):
    """Four CX on qubits 1 and 2 with a gate amid them, and others around."""
    circuit, a, b, c = QuantumCircuit(3), *(Parameter(name) for name in "abc")
    circuit.ry(a, 1)
    circuit.ry(0.9, 0)
    circuit.rx(0.5, 2)
    circuit.cx(0, 1)
    circuit.rx(0.3, 0)
    for k in range(4):
        circuit.cx(1, 2)
        circuit.ry(0.4 + k, 1)
        circuit.ry(0.7 - k, 2)
        if k == 1:
            between(circuit, b)
    circuit.rz(c, 2)
    circuit.cx(2, 0)
    return circuit


def test_weights_in_a_run_become_numbers_and_others_stay_free():
    circuit = busy_pair(lambda circuit, b: circuit.rz(b, 2))
    task = task_of(circuit, ["YXY"])
    result = qprune.prune(task, Threshold(0), resynthesis=True)
    assert cx_needed(result.circuit) == 5
    assert result.weight_map == (0, None, 1)  # a comes before the run, c after it
    assert result.fixed_weights == ("b",)
    assert "resynthesis fixed 1 weight: b\n" in str(result)
    assert [entry.gate for entry in result.plan if entry.fixes] == ["rz"]
    details = [entry.detail for entry in result.plan if entry.action == "simplify"]
    assert details.count("resynthesised; fixes b") == 1
    assert details.count("resynthesised") == len(details) - 1 >= 11
    qprune.verify(task, result)
    for shift in (0.0, 0.9):  # also away from where it was trained
        new = task.weights + np.array([shift, 0, -shift])
        want = state(circuit.assign_parameters(new))
        got = state(result.circuit.assign_parameters(new[[0, 2]]))
        np.testing.assert_allclose(outputs(task, got), outputs(task, want), atol=SYNTHESIS_SLACK)


def test_a_weight_that_moves_other_gates_stays_free_for_those():
    """The run keeps the value it had, so the gates are not tied any more."""
    circuit = busy_pair(lambda circuit, b: circuit.rz(2 * b, 2))
    b = next(p for p in circuit.parameters if p.name == "b")
    circuit.ry(b, 0)
    task = task_of(circuit, ["XIZ"])
    result = qprune.prune(task, Threshold(0), resynthesis=True)
    assert result.weight_map == (0, 1, 2)
    assert result.fixed_weights == ()
    assert any(entry.fixes == ("b",) for entry in result.plan)
    moved = task.weights + np.array([0, 0.8, 0])
    old = busy_pair(lambda circuit, _: circuit.rz(2 * task.weights[1], 2))
    old.ry(moved[1], 0)
    want = outputs(task, state(old.assign_parameters({p: task.weights["abc".index(p.name)] for p in old.parameters})))
    np.testing.assert_allclose(
        outputs(task, state(result.circuit.assign_parameters(moved))), want, atol=SYNTHESIS_SLACK
    )


@pytest.mark.parametrize(
    "stop",
    [lambda c, b: c.rx(Parameter("x"), 1), lambda c, b: c.rzz(Parameter("x") * b, 1, 2), lambda c, b: c.cx(0, 2)],
    ids=["input", "input and weight", "another qubit"],
)
def test_a_run_ends_at_inputs_and_other_qubits(stop):
    circuit = busy_pair(stop)
    inputs = [p for p in circuit.parameters if p.name == "x"]
    data = {"inputs": np.array([[0.3], [1.4]]), "input_params": inputs} if inputs else {}
    task = task_of(circuit, ["ZZX"], **data)
    assert one_round(task)[1] == ()


@pytest.mark.parametrize("seed", range(6))
def test_a_routed_circuit_stays_routed(seed):
    """A device may couple neighbours only, and have CX in one direction."""
    task = task_of(network(seed, gates=50, names=("cx",), directed=True))
    after, changes = one_round(task)
    assert changes
    places = {tuple(after.circuit.find_bit(q).index for q in item.qubits) for item in after.circuit.data}
    assert {pair for pair in places if len(pair) == 2} <= {(q, q + 1) for q in range(3)}


# -- against Qiskit ----------------------------------------------------------------------------------------------------


@pytest.mark.thinned(2)
@pytest.mark.parametrize("n", [4, 5])
@pytest.mark.parametrize("options", [{"limit": Threshold(0)}, {"limit": Proven(0.3)}, {"limit": Measured(0.1)}])
def test_at_most_the_gates_of_optimisation_level_3_on_full_layers(n, options):
    circuit = efficient_su2(n, reps=2, entanglement="full")
    task = qprune.Task(circuit, ["Z" * n], weights=np.random.default_rng(n).normal(0, 0.4, circuit.num_parameters))
    result = qprune.prune(task, resynthesis=True, **options)
    usual = qprune.prune(task, **options)
    assert cx_needed(result.circuit) <= min(compiled(task.bound_circuit(0)), compiled(bound(usual)))
    assert compiled(bound(result)) == cx_needed(result.circuit)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(12))
def test_at_most_the_gates_of_optimisation_level_3_between_neighbours(seed):
    """And the distribution is the same, whatever the sequence of networks, runs and simplifications."""
    task = task_of(network(seed))
    sites, _ = shorten_networks(task, simplify(task, sites_of(task))[0])
    before = task.with_circuit(circuit_of(task, sites))
    after = task.with_circuit(circuit_of(task, resynthesise(before, sites)[0]))
    assert cx_needed(after.circuit) <= compiled(before.bound_circuit(0)) <= cx_needed(before.circuit)
    want, got = (outputs(task, state(some.bound_circuit(0))) for some in (task, after))
    np.testing.assert_allclose(got, want, atol=BOUND_SLACK)


# -- in every mode -----------------------------------------------------------------------------------------------------

MIXED = ("cx", "cz", "rzz", "crx", "swap")
MODES = {
    "nothing": {"limit": Threshold(0)},
    "tolerance": {"limit": Threshold(0.2), "noise": 0.9},
    "budget": {"limit": Proven(0.3, window=0)},
    "class": {"limit": Threshold(0.3), "representatives": "class"},
    "clifford": {"limit": Threshold(0.3), "representatives": "clifford"},
    "local": {"limit": Proven(0.5), "representatives": "local"},
    "verified": {"limit": Measured(0.1)},
    "mps": {"limit": Proven(0.1), "simulator": "matrix_product_state"},
    "noise": {"limit": Proven(0.1), "noise": "depolarizing-1e-2"},
}


def learner(observables):
    """Encoding gates first, so that the inputs matter and runs come after."""
    circuit = QuantumCircuit(3)
    x = [Parameter(f"x{q}") for q in range(3)]
    for q in range(3):
        circuit.ry(x[q], q)
    circuit.compose(network(4, gates=26, qubits=3, names=MIXED), inplace=True)
    circuit.rx(x[0], 1)
    circuit.compose(network(1, gates=8, qubits=3, free=False), inplace=True)
    inputs = np.random.default_rng(0).uniform(-1, 1, (4, 3))
    return task_of(circuit, observables, inputs=inputs, input_params=x, holdout=[3])


@pytest.mark.thinned(6)
@pytest.mark.parametrize("observables", [["ZXI", "IIY"], None], ids=["observables", "probabilities"])
@pytest.mark.parametrize("mode", MODES)
def test_outputs_stay_and_the_certificate_holds(mode, observables):
    task, options = learner(observables), MODES[mode]
    result, usual = (qprune.prune(task, resynthesis=r, **options) for r in (True, False))
    assert any(entry.detail.startswith("resynthesised") for entry in result.plan)
    assert cx_needed(result.circuit) < cx_needed(usual.circuit)
    for i in range(task.num_samples):
        want, got = (outputs(task, state(some.task.bound_circuit(i))) for some in (usual, result))
        np.testing.assert_allclose(got, want, atol=BOUND_SLACK)
    left = {p.name for p in result.task.weight_params}
    gone = {p.name for p in usual.task.weight_params} - left
    assert set(result.fixed_weights) == gone
    kept = dict(zip(usual.task.weight_params, usual.weights, strict=True))
    assert dict(zip(result.task.weight_params, result.weights, strict=True)).items() <= kept.items()
    assert result.certificate.options["resynthesis"] is True
    qprune.verify(task, result)


def test_refitted_weights_are_taken_at_their_new_values():
    """Planted: a small rotation goes, and the weights of the run move to make up for it before they are fixed."""
    circuit, x = QuantumCircuit(2), Parameter("x")
    small, b, c, d = (Parameter(name) for name in "abcd")
    circuit.ry(x, 0)
    circuit.rx(small, 0)
    circuit.rxx(b, 0, 1)
    circuit.ryy(c, 0, 1)
    circuit.rx(x, 1)
    circuit.ry(d, 0)
    data = {"inputs": np.array([[-0.8], [0.2], [0.9]]), "input_params": [x]}
    task = qprune.Task(circuit, ["ZX", "XI"], weights={small: 0.05, b: 0.7, c: 1.1, d: 0.4}, **data)
    options = {"limit": Measured(0.02, refit=True)}
    result, usual = (qprune.prune(task, resynthesis=r, **options) for r in (True, False))
    assert set(result.fixed_weights) == {"b", "c"}
    assert cx_needed(result.circuit) == 2 < cx_needed(usual.circuit)
    assert np.max(np.abs(usual.weights[:2] - [0.7, 1.1])) > 1e-5
    for i in range(3):
        want, got = (outputs(task, state(some.task.bound_circuit(i))) for some in (usual, result))
        np.testing.assert_allclose(got, want, atol=BOUND_SLACK)
    qprune.verify(task, result)


def test_the_noisy_device_is_predicted_for_the_circuit_it_gets():
    task = task_of(network(7, gates=16, qubits=2), ["ZX"])
    options = {"limit": UnderNoise(), "noise": "depolarizing-1e-2"}
    result, usual = (qprune.prune(task, resynthesis=r, **options) for r in (True, False))
    assert cx_needed(result.circuit) < cx_needed(usual.circuit)
    assert result.certificate.noise.totals[2] < usual.certificate.noise.totals[2]
    qprune.verify(task, result)


# -- where it is asked for ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_drawings")
def test_results_are_kept_pruned_again_and_printed(tmp_path, capsys):
    task = learner(["ZXI", "IIY"])
    task.save(tmp_path / "task")
    arguments = ["prune", str(tmp_path / "task"), "--threshold", "0", "--resynthesis", "--tradeoff", "0"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    result = qprune.load(tmp_path / "out")
    assert result.fixed_weights
    line = f"resynthesis fixed {len(result.fixed_weights)} weights: {', '.join(result.fixed_weights)}"
    assert line in capsys.readouterr().out
    assert line in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert main(["verify", str(tmp_path / "out")]) == 0
    again = qprune.prune(result.task, Threshold(0.1), resynthesis=True)
    qprune.verify(result.task, again)
    assert cx_needed(again.circuit) <= cx_needed(result.circuit)
    points = qprune.trade_off(result, points=2)
    assert points[0].two_qubit_gates <= result.circuit.num_nonlocal_gates()


def test_what_is_no_choice_is_refused():
    with pytest.raises(qprune.OptionError, match="resynthesis must be True or False, got 'CX'"):
        qprune.prune(learner(["ZXI"]), resynthesis="CX")


def test_in_a_pass_manager():
    task = task_of(network(5), ["YXYX"])
    manager = PassManager([PruneGates(task, Threshold(0), resynthesis=True)])
    small = manager.run(task.circuit)
    assert manager.property_set["qprune_result"].fixed_weights
    weights = manager.property_set["qprune_weights"]
    got = state(small.assign_parameters({name: weights[name] for name in (p.name for p in small.parameters)}))
    np.testing.assert_allclose(outputs(task, got), outputs(task, state(task.bound_circuit(0))), atol=BOUND_SLACK)


@pytest.mark.filterwarnings("ignore")
def test_a_qnode_keeps_its_outputs_and_trains_on():
    """PennyLane's own simulator on both; the weights of a run move nothing any more, the others what they did."""

    def circuit(inputs, weights, pairs):
        qml.AngleEmbedding(inputs, wires=range(3))
        qml.StronglyEntanglingLayers(weights, wires=range(3))
        for k in range(2):
            qml.IsingXX(pairs[k], wires=[1, 2])
            qml.RY(pairs[2 + k], wires=2)
            qml.CNOT(wires=[2, 1])
        qml.RX(pairs[4], wires=2)
        return qml.expval(qml.PauliZ(0) @ qml.PauliX(1) @ qml.PauliY(2))

    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (4, 3))
    weights = {"weights": qml.numpy.array(rng.normal(size=(2, 3, 3))), "pairs": qml.numpy.array(rng.normal(size=5))}
    qnode = qml.QNode(circuit, qml.device("default.qubit", wires=3))
    pruned = qpp.prune(qnode, Threshold(0), inputs=X, weights=weights, resynthesis=True)
    pruned.verify()
    for x in X:
        np.testing.assert_allclose(pruned(x, **pruned.weights), qnode(x, **weights), atol=BOUND_SLACK)
    counts = [qml.specs(each)(X[0], **weights)["resources"].gate_types for each in (qnode, pruned.qnode)]
    assert "IsingXX" in counts[0]
    assert "IsingXX" not in counts[1]
    assert not pruned.trainable_mask["pairs"][:4].any()
    assert pruned.trainable_mask["weights"].sum() > 9

    def slopes(qnode):
        found = qml.grad(lambda w, p: qnode(X[0], w, p))(*weights.values())
        return dict(zip(weights, found, strict=True))

    before, after = slopes(qnode), slopes(pruned)
    for name, mask in pruned.trainable_mask.items():
        np.testing.assert_allclose(after[name], np.where(mask, before[name], 0), atol=1e-9)
