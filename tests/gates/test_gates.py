"""The circuit as sites: what is taken apart, what is kept whole, whose gate is whose (THEORY section 2)."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import ARITY, CATALOGUE, INPUTS, STANDARD, WEIGHTS, deviation, pauli_matrix, state, up_to_phase
from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import Gate, Instruction, Parameter, Reset
from qiskit.circuit.library import (
    CSwapGate,
    DiagonalGate,
    HamiltonianGate,
    Initialize,
    MCXGate,
    PauliEvolutionGate,
    PauliGate,
    PermutationGate,
    QFTGate,
    RCCXGate,
    RVGate,
    RYGate,
    StatePreparation,
    UCGate,
    UnitaryGate,
    XGate,
    XXPlusYYGate,
)
from qiskit.quantum_info import Operator, SparseObservable, SparsePauliOp, random_unitary

from qprune import Task, TaskError, Threshold, prune
from qprune.gates.sites import (
    circuit_of,
    make_site,
    off_diagonal_weight,
    pauli_label,
    sites_of,
    words_of,
)

x, w = INPUTS[0], WEIGHTS[0]


def task_of(circuit, observables=None, **options):
    """Inputs and weights get values by their order."""
    inputs = [p for p in circuit.parameters if p in INPUTS]
    weights = {p: 0.3 + 0.4 * j for j, p in enumerate(q for q in circuit.parameters if q not in INPUTS)}
    rows = np.linspace(-1.1, 1.7, 3 * len(inputs)).reshape(3, len(inputs)) if inputs else None
    return Task(circuit, observables, inputs=rows, input_params=inputs, weights=weights, **options)


def names(circuit):
    return [site.name for site in sites_of(task_of(circuit))]


def same_state(task):
    """The sites' circuit prepares the original's state, up to phase, on every sample."""
    flat = task.with_circuit(circuit_of(task, sites_of(task)))
    for i in range(task.num_samples):
        first, second = state(task.bound_circuit(i)), state(flat.bound_circuit(i))
        assert abs(np.vdot(first, second)) == pytest.approx(1, abs=1e-12)


# -- what is taken apart ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOGUE)
def test_gates_of_the_catalogue_stay_as_they_are(name):
    """One site, the gate's own name, qubits in the gate's order, family of the table."""
    width, count = ARITY[name]
    circuit = QuantumCircuit(4)
    circuit.append(STANDARD[name](*(0.1 + j for j in range(count))), (3, 0, 2)[:width])
    (site,) = sites_of(task_of(circuit))
    assert (site.name, site.qubits, site.role) == (name, (3, 0, 2)[:width], "fixed")
    assert site.family == CATALOGUE[name].family
    assert (site.coordinate is None) is (site.family == "special")


def test_composites_are_decomposed_only_as_far_as_needed():
    """Down to catalogue gates, which are not taken apart further, at any depth of nesting."""
    inner = QuantumCircuit(2, name="inner")
    inner.rzz(0.3, 1, 0)
    inner.append(XXPlusYYGate(0.2), [0, 1])
    outer = QuantumCircuit(3, name="outer", global_phase=0.7)
    outer.append(inner.to_gate(), [2, 0])
    outer.ccx(2, 1, 0)
    circuit = QuantumCircuit(4)
    circuit.append(outer.to_instruction(), [3, 1, 0])
    circuit.append(outer.to_gate().inverse(), [0, 2, 1])
    task = task_of(circuit)
    assert [site.name for site in sites_of(task)][:3] == ["rzz", "xx_plus_yy", "ccx"]
    assert [site.qubits for site in sites_of(task)][:3] == [(3, 0), (0, 3), (0, 1, 3)]
    assert all(site.family for site in sites_of(task))
    assert [site.origins for site in sites_of(task)] == [(k,) for k in range(6)]
    same_state(task)


@pytest.mark.parametrize(
    "operation",
    [
        UnitaryGate(random_unitary(8, seed=0)),
        DiagonalGate([1, 1j, -1, 1]),
        PermutationGate([2, 0, 1]),
        StatePreparation([0.6, 0.8j]),
        UCGate([np.eye(2), random_unitary(2, seed=1).data]),
        STANDARD["id"](),
    ],
    ids=lambda o: o.name,
)
def test_gates_better_kept_whole_are_fixed(operation):
    """Not in the catalogue, never an error, never replaced."""
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, range(3))
    circuit.append(operation, list(range(3))[: operation.num_qubits][::-1])
    task = task_of(circuit)
    site = sites_of(task)[-1]
    assert (site.name, site.family, site.role) == (operation.name, None, "fixed")
    same_state(task)
    if operation.name != "id":
        left = prune(task, Threshold(0.0)).circuit
        assert operation.name in [item.operation.name for item in left.data]


@pytest.mark.parametrize(
    "operation",
    [
        CSwapGate(),
        RCCXGate(),
        MCXGate(3),
        RVGate(0.1, 0.2, 0.3),
        QFTGate(3),
        XGate().control(1, ctrl_state=0),
        RYGate(0.3).control(2, ctrl_state=1),
        UnitaryGate(random_unitary(2, seed=0)).control(1),
        CSwapGate(ctrl_state=0),
        STANDARD["ccx"](ctrl_state=1),
        STANDARD["crx"](0.4, ctrl_state=0),
        STANDARD["h"]().to_mutable().control(annotated=True),
        STANDARD["s"]().power(0.5, annotated=True),
    ],
    ids=lambda o: o.name,
)
def test_other_gates_become_gates_of_the_catalogue(operation):
    """Open controls, many controls, library circuits and annotated operations."""
    circuit = QuantumCircuit(4)
    circuit.ry(0.4, range(4))
    circuit.append(operation, [2, 0, 3, 1][: operation.num_qubits])
    task = task_of(circuit)
    assert all(site.family for site in sites_of(task))
    same_state(task)


# -- Paulis and their exponentials --------------------------------------------------------------------------------


def test_pauli_gates_and_evolutions_of_one_word_are_rotations():
    """The coordinate carries coefficient and time; identity letters are outside the word."""
    circuit = QuantumCircuit(4)
    circuit.append(PauliGate("XIZ"), [3, 1, 0])
    circuit.append(PauliEvolutionGate(SparsePauliOp("XIZ", -0.7), time=w), [3, 1, 0])
    pauli, evolution = sites_of(task_of(circuit))
    assert pauli.word == evolution.word == ((0, "X"), (3, "Z"))
    assert pauli.coordinate == pi
    assert evolution.role == "trainable"
    assert evolution.coordinate.bind({w: 1.0}).numeric() == pytest.approx(-1.4)


@pytest.mark.parametrize(
    "operator",
    [
        SparsePauliOp(["ZZ", "XI"], [0.4, -0.2]),
        SparsePauliOp(["II", "ZX"], [0.4, 0.2]),
        SparseObservable.from_list([("Z0", 0.4), ("+r", -0.3)]),
        [SparsePauliOp("ZZ", 0.4), SparsePauliOp(["XI", "IX"], [0.3, 0.3])],
    ],
    ids=["sum", "with the identity", "with projectors", "list"],
)
def test_a_sum_is_evolved_by_its_product_formula(operator):
    """What runs on a device is the synthesis, not the exact exponential: pruning starts from that."""
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, range(3))
    circuit.append(PauliEvolutionGate(operator, time=1.3), [2, 0])
    task = task_of(circuit)
    formula = QuantumCircuit(3)
    formula.ry(0.4, range(3))
    formula.compose(circuit.data[-1].operation.definition, [2, 0], inplace=True)
    np.testing.assert_allclose(state(task.bound_circuit(0)), state(formula), atol=1e-12)
    assert all(site.family for site in sites_of(task))
    same_state(task)
    result = prune(task, Threshold(0.3))
    change = deviation(task, state(formula), state(result.task.bound_circuit(0)))
    assert np.all(change <= np.array(result.certificate.bound)[:, 0] + 1e-10)


def test_weights_as_coefficients():
    """Where Qiskit lets a coefficient be free, the rotations are trainable."""
    try:
        gate = PauliEvolutionGate(SparsePauliOp(["ZZ", "IX"], [w, 0.3]), time=0.8)
    except ValueError:
        pytest.skip("this version of Qiskit takes numbers only")
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.append(gate, [0, 1])
    task = task_of(circuit)
    assert any(site.role == "trainable" for site in sites_of(task))
    same_state(task)


def test_the_identity_word_is_no_gate():
    """exp(−it·1) and the Pauli II are global phases: kept or dropped, nothing breaks."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.append(PauliGate("II"), [0, 1])
    circuit.append(PauliEvolutionGate(SparsePauliOp("II"), time=0.4), [0, 1])
    same_state(task_of(circuit))
    assert prune(task_of(circuit, "XX")).certificate.largest_measured <= 1e-12


# -- a user's gates that bear names of the library ----------------------------------------------------------------

BORROWED = [
    "id",
    "barrier",
    "delay",
    "measure",
    "reset",
    "diagonal",
    "multiplexer",
    "unitary",
    "h",
    "rx",
    "cx",
    "permutation",
    "state_preparation",
    "initialize",
    "pauli",
    "PauliEvolution",
    "kraus",
    "save_state",
]


def borrowed(name, kind, angle=1.1):
    """A user's gate of this name: ry on the first qubit, then a CX."""
    body = QuantumCircuit(2, name=name)
    body.ry(angle, 0)
    body.cx(0, 1)
    if kind == "class":
        made = type("Own", (Gate,), {"_define": lambda self: setattr(self, "definition", body)})
        return made(name, 2, [])
    if kind == "controlled":
        return body.to_gate().control(1)
    return body.to_gate() if kind == "gate" else body.to_instruction()


@pytest.mark.thinned(3)
@pytest.mark.parametrize("kind", ["gate", "instruction", "class"])
@pytest.mark.parametrize("name", BORROWED)
def test_a_users_gate_may_bear_any_name(name, kind):
    """It does what its definition says: in the sites, in the forward pass and in the pruned circuit."""
    plain, named = QuantumCircuit(2), QuantumCircuit(2)
    for circuit in (plain, named):
        circuit.rx(0.4, 1)
    plain.ry(1.1, 0)
    plain.cx(0, 1)
    named.append(borrowed(name, kind), [0, 1])
    for circuit in (plain, named):
        circuit.ry(0.02, 0)
    if name in ("kraus", "save_state"):  # said rather than guessed: a name alone tells it from a channel
        with pytest.raises(TaskError, match="not a unitary gate"):
            Task(named, ["ZI", "IX"])
        return
    task = Task(named, ["ZI", "IX"])
    result = prune(task, Threshold(0.05))
    assert [item.operation.name for item in result.flat.data] == ["rx", "ry", "cx", "ry"]
    real = deviation(task, state(plain), state(result.task.bound_circuit(0)))
    np.testing.assert_allclose(real, np.array(result.certificate.measured)[:, 0], atol=1e-12)
    assert np.all(real <= np.array(result.certificate.bound)[:, 0] + 1e-10)


def test_a_users_gate_with_the_librarys_action_is_the_librarys():
    """As OpenQASM 3 reads rzz back: name, parameters and action agree."""
    angle = Parameter("t")
    body = QuantumCircuit(2, name="rzz")
    body.cx(0, 1)
    body.rz(angle, 1)
    body.cx(0, 1)
    circuit = QuantumCircuit(2)
    circuit.append(body.to_gate({angle: w}), [0, 1])
    task = task_of(circuit)
    (site,) = sites_of(task)
    assert (site.name, site.family, site.role) == ("rzz", "pauli", "trainable")
    same_state(task)


def test_a_users_gate_of_other_action_is_taken_apart():
    """`rzz` that turns the other way keeps its own meaning."""
    body = QuantumCircuit(2, name="rzz")
    body.cx(0, 1)
    body.rz(-0.3, 1)
    body.cx(0, 1)
    gate = Gate("rzz", 2, [0.3])
    gate.definition = body
    circuit = QuantumCircuit(2)
    circuit.append(gate, [0, 1])
    assert names(circuit) == ["cx", "rz", "cx"]


def opaque_instruction(name, num_qubits, params):
    return Instruction(name, num_qubits, 0, params)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", [Gate, opaque_instruction])
def test_a_gate_without_definition_is_refused(kind, nested):
    """An opaque gate has no action that could be simulated."""
    circuit = QuantumCircuit(2)
    circuit.append(kind("mystery", 1, []), [1])
    if nested:
        outer = QuantumCircuit(3)
        outer.append(circuit.to_instruction(), [2, 1])
        circuit = outer
    with pytest.raises(TaskError, match=r"mystery on qubits \[1\].*(definition|not a unitary gate)"):
        prune(Task(circuit))


@pytest.mark.parametrize("operation", [Reset(), Initialize(1)], ids=lambda o: o.name)
def test_what_is_not_unitary_may_not_hide_in_a_composite(operation):
    inner = QuantumCircuit(1, name="inner")
    inner.append(operation, [0])
    circuit = QuantumCircuit(2)
    circuit.append(inner.to_instruction(), [1])
    with pytest.raises(TaskError, match=r"reset on qubits \[1\] has neither"):
        prune(Task(circuit))


@pytest.mark.parametrize("name", ["own", "cx", "unitary", "swap"])
def test_a_gate_that_is_only_a_matrix_is_kept(name):
    """No definition, but an action, whatever its name says."""

    class Own(Gate):
        def __array__(self, dtype=None, copy=None):
            return np.asarray(random_unitary(4, seed=5).data, dtype=dtype)

    circuit = QuantumCircuit(3)
    circuit.ry(0.4, range(3))
    circuit.append(Own(name, 2, []), [2, 0])
    circuit.ry(0.03, 1)
    task = task_of(circuit)
    assert [site.family for site in sites_of(task)][-2:] == [None, "pauli"]
    result = prune(task, Threshold(0.05))
    assert name in [item.operation.name for item in result.circuit.data]
    real = deviation(task, state(circuit), state(result.circuit))
    np.testing.assert_allclose(real, np.array(result.certificate.measured)[:, 0], atol=1e-12)


# -- roles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("angle", "role"),
    [
        (0.3, "fixed"),
        (w, "trainable"),
        (2 * w - WEIGHTS[1] + 1, "trainable"),
        (x, "encoding"),
        (x * w, "encoding"),
        ((pi - x) * (pi - INPUTS[1]), "encoding"),
        (x.sin() * w.exp(), "encoding"),
    ],
    ids=str,
)
def test_roles(angle, role):
    """An input makes an encoding gate, whatever else enters; every parameter of a gate counts."""
    circuit = QuantumCircuit(2)
    circuit.rx(angle, 0)
    circuit.u(0.1, 0.2, angle, 1)
    circuit.crz(angle, 0, 1)
    task = task_of(circuit)
    assert [site.role for site in sites_of(task)] == [role] * 3
    same_state(task)


def test_a_gate_that_cannot_be_taken_apart_with_free_parameters_says_so():
    """HamiltonianGate needs its time as a number."""
    circuit = QuantumCircuit(3)
    circuit.append(HamiltonianGate(np.diag([1.0, 2, 3, 4, 5, 6, 7, 8]), w), [0, 1, 2])
    with pytest.raises(TaskError, match=r"hamiltonian.*\[0, 1, 2\].*bind"):
        prune(task_of(circuit))
    result = prune(task_of(circuit.assign_parameters({w: 0.3})), Threshold(0.0))
    assert abs(np.vdot(state(result.circuit), state(circuit.assign_parameters({w: 0.3})))) == pytest.approx(1)


# -- small things -------------------------------------------------------------------------------------------------


def test_labels_are_little_endian():
    """A word's label has its first qubit rightmost; Qiskit reads it back on the same qubits."""
    word = ((0, "X"), (2, "Y"), (5, "Z"))
    assert pauli_label(word) == ("ZYX", [0, 2, 5])
    assert off_diagonal_weight(word) == 2
    circuit = QuantumCircuit(6)
    label, qubits = pauli_label(word)
    circuit.append(PauliGate(label), qubits)
    np.testing.assert_allclose(Operator(circuit).data, pauli_matrix("XIYIIZ"), atol=1e-15)


def test_words_of_a_sum():
    """Coefficients by word, equal words added, on qubits in any order."""
    operator = SparsePauliOp(["XZ", "II", "XZ"], [0.5, 2.0, 0.25])
    assert words_of(operator, (4, 1)) == {((1, "X"), (4, "Z")): 0.75, (): 2.0}


def test_binding_a_gate_leaves_the_symbolic_one_alone():
    """With inputs in it, for one sample; numbers and arrays pass through."""
    circuit = QuantumCircuit(1)
    circuit.u(x, w, 0.5, 0)
    task = task_of(circuit)
    operation = circuit.data[0].operation
    for sample in range(3):
        bound = task.bound_operation(operation, None if sample is None else task.inputs[sample])
        assert bound.params == pytest.approx([task.inputs[sample, 0], task.weights[0], 0.5])
    assert operation.params[0] == x
    unitary = UnitaryGate(np.eye(2))
    assert task.bound_operation(unitary) is unitary


def test_global_phase_and_registers_survive():
    """The sites' circuit has the same qubits, registers, name and phase."""
    circuit = QuantumCircuit(QuantumRegister(2, "a"), QuantumRegister(1, "b"), name="net", global_phase=w)
    circuit.ry(0.3, 2)
    task = task_of(circuit)
    back = circuit_of(task, sites_of(task))
    assert (back.name, back.qregs, back.global_phase) == ("net", circuit.qregs, w)
    assert up_to_phase(Operator(task.bound_circuit(0)).data, Operator(back.assign_parameters({w: 2.0})).data) < 1e-12


def test_a_site_of_its_own():
    """`make_site` places a gate without a circuit around it."""
    task = Task(QuantumCircuit(6))
    site = make_site(task, STANDARD["crx"](0.4), (5, 2), (7, 9))
    assert (site.word, site.origins, site.coordinate) == (((2, "X"), (5, "C")), (7, 9), 0.4)
