"""The catalogue of subgroups: closure with SymPy, members and Clifford points against Qiskit's matrices."""

from __future__ import annotations

from itertools import permutations, product
from math import pi

import numpy as np
import pytest
import sympy as sp
from helpers import ARITY, CATALOGUE, STANDARD, local_matrix, pauli_matrix, up_to_phase
from qiskit import QiskitError, QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate, PauliGate, UnitaryGate
from qiskit.quantum_info import Clifford, Operator, SparsePauliOp, random_unitary
from scipy.linalg import expm

from qprune import Task
from qprune.gates.matrices import local_cliffords, unitary_instructions
from qprune.gates.sites import make_site
from qprune.gates.subgroups import Subgroup, commute, commutes_with, subgroup_of

TASK = Task(QuantumCircuit(5))
ONE_PARAMETER = [name for name, form in CATALOGUE.items() if form.family != "special"]
ROWS = sorted({(form.family, form.letters) for form in CATALOGUE.values() if form.family != "special"})
ROWS += [("pauli", "XYZ"), ("pauli", "XY")]
S, T = sp.symbols("s t", real=True)


def site_of(operation, qubits):
    return make_site(TASK, operation, qubits, (0,))


def class_of(operation, qubits):
    return subgroup_of(site_of(operation, qubits))


def on(qubits, words):
    """Dense Σ c·P on the given qubits, from (word, coefficient) pairs."""
    return sum(c * pauli_matrix([dict(word).get(q, "I") for q in qubits]) for word, c in words)


def group_of(row, qubits):
    """The class of a row on qubits in the order of its letters."""
    family, letters = row
    return Subgroup(family, tuple(sorted(zip(qubits, letters, strict=True))))


def is_clifford(matrix):
    """Whether conjugation maps Pauli words to Pauli words, by Qiskit."""
    try:
        Clifford.from_matrix(matrix)
    except QiskitError:
        return False
    return True


def symbolic_member(family, letters, t):
    """Σ_j e^{−ita_j} Π_j from the class's own eigenvalues and eigenprojectors, with SymPy's exact numbers."""
    group = group_of((family, letters), range(len(letters)))
    matrices = {"I": sp.eye(2), "X": sp.Matrix([[0, 1], [1, 0]]), "Y": sp.Matrix([[0, -sp.I], [sp.I, 0]])}
    matrices["Z"] = sp.diag(1, -1)
    total = sp.zeros(2 ** len(letters))
    for eigenvalue, projector in zip(group.eigenvalues, group.projectors, strict=True):
        for word, coefficient in projector.items():
            exact = sp.nsimplify(coefficient, [sp.sqrt(2)], tolerance=1e-12)
            factors = [matrices[dict(word).get(q, "I")] for q in reversed(range(len(letters)))]
            total += sp.exp(-sp.I * t * sp.nsimplify(eigenvalue)) * exact * sp.kronecker_product(*factors, sp.eye(1))
    return total


# -- closure (SymPy) ----------------------------------------------------------------------------------------------


def is_zero(matrix):
    return sp.simplify(matrix.applyfunc(lambda entry: sp.expand(entry, complex=False))) == sp.zeros(*matrix.shape)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_products_and_inverses_stay_in_the_subgroup(row):
    """A(s)A(t) = A(s+t), A(−t) = A(t)† = A(t)⁻¹, A(0) = 1, for all real s and t."""
    first, second = symbolic_member(*row, S), symbolic_member(*row, T)
    assert is_zero(first * second - symbolic_member(*row, S + T))
    assert is_zero(second * symbolic_member(*row, -T) - sp.eye(len(second.row(0))))
    assert is_zero(second.H - symbolic_member(*row, -T))


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_members_are_the_exponential_of_the_generator(row):
    """dA(t)/dt = −iA·A(t) with A(0) = 1 has exp(−itA) as its only solution; A is made from its letters here."""
    family, letters = row
    one = sp.eye(2)
    paulis = {"X": sp.Matrix([[0, 1], [1, 0]]), "Y": sp.Matrix([[0, -sp.I], [sp.I, 0]]), "Z": sp.diag(1, -1)}
    paulis["H"] = (paulis["X"] + paulis["Z"]) / sp.sqrt(2)
    factors = {
        "pauli": lambda p: paulis[p],  # A is half of the product
        "projector": lambda p: (one - paulis[p]) / 2,
        "controlled": lambda p: (one - paulis["Z"]) / 2 if p == "C" else paulis[p] / 2,
    }
    if family == "swap":
        swap = sum((sp.kronecker_product(paulis[p], paulis[p]) for p in "XYZ"), sp.eye(4)) / 2
        generator = (sp.eye(4) - swap) / 2
    else:
        generator = sp.kronecker_product(*(factors[family](p) for p in reversed(letters)), sp.eye(1))
        generator = generator / 2 if family == "pauli" else generator
    member = symbolic_member(family, letters, T)
    assert is_zero(sp.diff(member, T) + sp.I * generator * member)
    assert member.subs(T, 0) == sp.eye(len(member.row(0)))


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_symbolic_members_are_the_numeric_ones(row):
    """SymPy's closed form at a number, and SciPy's exponential of the generator that distances use."""
    t = 0.7123
    exact = np.array(symbolic_member(*row, sp.Float(t, 20)).evalf(), dtype=complex)
    group = group_of(row, range(len(row[1])))
    np.testing.assert_allclose(exact, expm(-1j * t * group.generator.to_matrix()), atol=1e-12)


@pytest.mark.parametrize("width", [1, 2])
def test_su2_and_su4_have_all_their_generators(width):
    """3 and 15 Pauli words, closed under commutation: [P, Q] is zero or ±2i times another of them."""
    group = class_of(UnitaryGate(np.eye(2**width)), (1, 3)[:width])
    assert len(group.words) == len(set(group.words)) == 4**width - 1
    matrices = [on((1, 3)[:width], [(word, 1.0)]) for word in group.words]
    for a, b in product(matrices, repeat=2):
        bracket = (a @ b - b @ a) / 2j
        inside = [np.allclose(bracket, sign * m) for m in matrices for sign in (1, -1)]
        assert np.allclose(bracket, 0) or any(inside)


# -- generators ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_PARAMETER)
def test_every_gate_is_the_member_at_its_coordinate(name):
    """exp(−itA) is Qiskit's gate, up to phase, on qubits in any order and for any parameter."""
    rng = np.random.default_rng(0)
    width, count = ARITY[name]
    for qubits in permutations((0, 2, 3)[:width]):
        gate = STANDARD[name](*rng.uniform(-7, 7, count))
        site = site_of(gate, qubits)
        member = expm(-1j * float(site.coordinate) * on(sorted(qubits), subgroup_of(site).generator_words))
        assert up_to_phase(member, local_matrix(gate, qubits)) < 1e-12


@pytest.mark.parametrize("word", ["X", "ZX", "XYZ", "XIZ"])
def test_pauli_gates_and_evolutions_are_members(word):
    """Little-endian labels, coefficients and identity letters."""
    for qubits in permutations((0, 2, 3)[: len(word)]):
        for gate in (PauliGate(word), PauliEvolutionGate(SparsePauliOp(word, -0.7), time=0.9)):
            site = site_of(gate, qubits)
            member = expm(-1j * float(site.coordinate) * on(sorted(qubits), subgroup_of(site).generator_words))
            assert up_to_phase(member, local_matrix(gate, qubits)) < 1e-12


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_eigenvalues_and_projectors_are_the_generators(row):
    """Π_j are orthogonal projectors that add up to one and A = Σ a_j Π_j."""
    qubits = (4, 0, 2)[: len(row[1])]
    group = group_of(row, qubits)
    ascending = sorted(qubits)
    generator = on(ascending, group.generator_words)
    projectors = [on(ascending, p.items()) for p in group.projectors]
    np.testing.assert_allclose(sum(projectors), np.eye(len(generator)), atol=1e-14)
    spectral = sum(a * p for a, p in zip(group.eigenvalues, projectors, strict=True))
    np.testing.assert_allclose(spectral, generator, atol=1e-14)
    for (j, first), (k, second) in product(enumerate(projectors), repeat=2):
        np.testing.assert_allclose(first @ second, first if j == k else 0 * first, atol=1e-14)
    assert {word for p in group.projectors for word in p if word} == set(group.words)
    assert np.allclose(np.unique(np.round(np.linalg.eigvalsh(generator), 9)), sorted(group.eigenvalues))


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_the_period_is_the_first_return_to_the_identity(row):
    """Controlled rotations return at 4π: at 2π they are a Z on the control."""
    group = group_of(row, range(len(row[1])))
    generator, one = group.generator.to_matrix(), np.eye(2 ** len(row[1]))
    for step in range(-17, 18):
        t = step * pi / 2
        back = up_to_phase(expm(-1j * t * generator), one) < 1e-9
        assert group.is_identity(t) is back
        assert back is (abs(t / group.period - round(t / group.period)) < 1e-9)
    assert group.is_identity(group.period * (1 + 1e-15))
    assert not group.is_identity(1e-6)


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_clifford_points_are_all_and_only_the_clifford_members(row):
    """A scan of the circle in steps of π/8, judged by Qiskit."""
    group = group_of(row, range(len(row[1])))
    generator = group.generator.to_matrix()
    steps = round(group.period / (pi / 8))
    grid = [k * pi / 8 for k in range(1, steps)]
    cliffords = [t for t in grid if is_clifford(expm(-1j * t * generator))]
    assert sorted(group.clifford_points()) == pytest.approx(cliffords)


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_members_as_instructions(row):
    """What replaces a gate does what the generator says, on qubits in any order."""
    made = 0
    for qubits in permutations((0, 2, 3)[: len(row[1])]):
        group = group_of(row, qubits)
        for t in (0.3, -2.0, pi, 5.0, -pi):
            found = group.member(t)
            if found is None:
                assert row[0] in ("projector", "swap")
                assert abs(abs(t) - pi) > 1e-9
                continue
            operation, where = found
            made += 1
            assert set(where) == set(qubits)
            wanted = expm(-1j * t * on(sorted(qubits), group.generator_words))
            assert up_to_phase(local_matrix(operation, where), wanted) < 1e-12
    known = {"X", "Y", "Z", "H", "ZX", "ZY", "ZZ", "ZH", "ZZX", "ZZZ", "SS"}
    assert made or (row[0] == "projector" and row[1] not in known)


# -- classes ------------------------------------------------------------------------------------------------------


def test_classes_are_subgroup_and_support():
    """Same subgroup on the same qubits, whatever the gate's name and order of equal letters."""

    def same(first, second):
        return class_of(*first) == class_of(*second)

    gate = STANDARD
    assert same((gate["z"](), (1,)), (gate["rz"](0.4), (1,)))
    assert same((gate["s"](), (1,)), (gate["p"](0.4), (1,)))
    assert same((gate["cz"](), (0, 1)), (gate["cp"](0.4), (1, 0)))
    assert same((gate["rzz"](0.1), (0, 1)), (gate["rzz"](0.4), (1, 0)))
    assert same((gate["rzx"](0.1), (0, 1)), (PauliEvolutionGate(SparsePauliOp("XZ")), (0, 1)))
    assert same((gate["u"](1, 2, 3), (1,)), (gate["r"](1, 2), (1,)))
    assert same((gate["iswap"](), (0, 1)), (gate["cu"](1, 2, 3, 4), (1, 0)))
    assert not same((gate["cx"](), (0, 1)), (gate["cx"](), (1, 0)))
    assert not same((gate["rzx"](0.1), (0, 1)), (gate["rzx"](0.1), (1, 0)))
    assert not same((gate["rz"](0.4), (1,)), (gate["rz"](0.4), (2,)))
    assert not same((gate["rz"](0.4), (1,)), (gate["rx"](0.4), (1,)))
    assert not same((gate["crz"](0.4), (0, 1)), (gate["cp"](0.4), (0, 1)))
    assert not same((gate["crx"](0.4), (0, 1)), (gate["cx"](), (0, 1)))


@pytest.mark.parametrize(
    ("operation", "qubits", "name"),
    [
        (STANDARD["rx"](0.1), (3,), "U(1)_X on 3"),
        (STANDARD["rzx"](0.1), (3, 1), "U(1)_XZ on 1,3"),
        (STANDARD["cx"](), (0, 1), "U(1)_Π[ZX] on 0,1"),
        (STANDARD["cry"](0.1), (0, 1), "U(1)_cY on 0,1"),
        (STANDARD["swap"](), (0, 1), "U(1)_SWAP on 0,1"),
        (STANDARD["h"](), (0,), "U(1)_H on 0"),
        (STANDARD["u"](1, 2, 3), (0,), "SU(2) on 0"),
        (STANDARD["iswap"](), (0, 2), "SU(4) on 0,2"),
    ],
)
def test_names(operation, qubits, name):
    assert str(class_of(operation, qubits)) == name


# -- commutation --------------------------------------------------------------------------------------------------


def test_commutation_is_that_of_the_matrices():
    """Every pair of rows, with every overlap of their qubits among three."""
    groups = [group_of(row, qubits) for row in ROWS for qubits in permutations(range(3), len(row[1]))]
    dense = np.array([on(range(3), group.generator_words) for group in groups])
    products = np.einsum("aij,bjk->abik", dense, dense)
    same = np.abs(products - products.transpose(1, 0, 2, 3)).max(axis=(2, 3)) < 1e-12
    for (j, a), (k, b) in product(enumerate(groups), repeat=2):
        assert commute(a, b) is bool(same[j, k]), (a, b)


def test_su2_su4_and_gates_outside_commute_with_nothing():
    """Their members are unknown; touching nothing in common is the caller's business."""
    special, rotation = class_of(STANDARD["u"](1, 2, 3), (0,)), class_of(STANDARD["rz"](1), (0,))
    assert not commute(special, rotation)
    assert not commute(rotation, None)
    assert not commutes_with(special, {((1, "Z"),): 1.0})
    assert not commutes_with(None, {((1, "Z"),): 1.0})


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_commutation_with_observables(row):
    """Sums too, where single words do not commute but the sum does."""
    operators = [
        {((0, "Z"),): 1.0},
        {((0, "X"), (1, "X")): 1.0, ((0, "Y"), (1, "Y")): 1.0, ((0, "Z"), (1, "Z")): 1.0},
        {((0, "Z"),): 1.0, ((1, "Z"),): 1.0},
        {((0, "X"),): 0.5, ((0, "Z"),): 0.5},
        {(): 1.0},
    ]
    for qubits in permutations(range(3), len(row[1])):
        group = group_of(row, qubits)
        generator = on(range(3), group.generator_words)
        for operator in operators:
            matrix = on(range(3), operator.items())
            expected = bool(np.allclose(generator @ matrix, matrix @ generator, atol=1e-12))
            assert commutes_with(group, operator) is expected


# -- Cliffords of SU(2) and SU(4) ---------------------------------------------------------------------------------


def test_local_cliffords_are_all_of_them():
    """24 different ones on one qubit, 576 products on two, the identity first; each is a Clifford to Qiskit."""
    single, double = local_cliffords(1), local_cliffords(2)
    assert (len(single), len(double)) == (24, 576)
    overlaps = np.abs(np.einsum("aij,bij->ab", single.conj(), single)) / 2
    assert np.allclose(np.flatnonzero(np.triu(overlaps, 1) > 1 - 1e-9), [])
    assert all(map(is_clifford, single))
    assert all(map(is_clifford, double[::97]))
    assert up_to_phase(single[0], np.eye(2)) < 1e-12
    assert up_to_phase(double[0], np.eye(4)) < 1e-12


@pytest.mark.parametrize("width", [1, 2])
def test_local_cliffords_as_gates(width):
    """The gates made of an entry multiply to it; factors that do nothing are left out."""
    qubits = (1, 3)[:width]
    for matrix in local_cliffords(width)[:: 1 if width == 1 else 23]:
        circuit = QuantumCircuit(width)
        for operation, where in unitary_instructions(matrix, qubits, width):
            assert up_to_phase(operation.to_matrix(), np.eye(2)) > 1e-6
            circuit.append(operation, [qubits.index(q) for q in where])
        assert up_to_phase(Operator(circuit).data, matrix) < 1e-12


def test_a_random_unitary_is_no_clifford():
    """The judge of these tests can say no."""
    assert not is_clifford(random_unitary(2, seed=1).data)
    assert is_clifford(Operator(STANDARD["cx"]()).data)
