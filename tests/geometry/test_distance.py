"""Distances and angles in closed form against dense matrices, for every row of the catalogue (THEORY section 3).

The oracle has the gate from Qiskit, D_η from the K^½ sandwich on each qubit, and a trace; states are random and mixed.
"""

from __future__ import annotations

from itertools import product
from math import pi, sqrt

import numpy as np
import pytest
from helpers import (
    ARITY,
    CATALOGUE,
    STANDARD,
    deform,
    expectations,
    local_matrix,
    near_identity,
    overlap,
    pauli_matrix,
    random_density,
    random_state,
    squared_distance,
)
from qiskit import QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate, PauliGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp, random_unitary
from scipy.linalg import expm
from scipy.optimize import minimize

from qprune import Task
from qprune._rounding import EXPECTATION_ROUNDING
from qprune.gates.sites import make_site
from qprune.gates.subgroups import subgroup_of
from qprune.geometry.distance import compare_matrices, compare_members
from qprune.geometry.q_numbers import deformation, eta, kappa

PLACES = {1: [(2,)], 2: [(1, 3), (3, 1)], 3: [(0, 2, 3), (3, 0, 2), (2, 3, 0)]}
GEOMETRIES = [(1.0, 1.0), (0.8, 1.0), (0.3, 2.0), (0.0, 4.0)]
HIDDEN_ANGLE = 5e-7  # what rounding of an expectation may hide: angles are upper limits by as much
TASK = Task(QuantumCircuit(4))


def random_gate(name, rng):
    """The gate with random parameters."""
    return STANDARD[name](*rng.uniform(-2 * pi, 2 * pi, ARITY[name][1]))


EXTRA = {
    "pauli": lambda rng: PauliGate("XZY"),
    "evolution": lambda rng: PauliEvolutionGate(SparsePauliOp("YIX", 0.7), time=rng.uniform(-4, 4)),
    "unitary1": lambda rng: UnitaryGate(random_unitary(2, seed=rng)),
    "unitary2": lambda rng: UnitaryGate(random_unitary(4, seed=rng)),
}
ROWS = [*CATALOGUE, *EXTRA]


def drawn(name, rng):
    return EXTRA[name](rng) if name in EXTRA else random_gate(name, rng)


def placed(operation, qubits):
    """Site, class, dense matrix on ascending qubits, and those of the generator's qubits."""
    site = make_site(TASK, operation, qubits, (0,))
    group = subgroup_of(site)
    return site, group, local_matrix(operation, qubits), tuple(sorted(qubits))


def states(num_qubits, rng):
    """Pure, mixed, and low-rank states."""
    return [random_density(num_qubits, rng, rank) for rank in (1, 2, None)]


def check(found, rho, gate, member, coherence, beta):
    """d_q² and θ against the trace formula."""
    wanted = squared_distance(deform(rho, coherence, beta), gate, member)
    # near √2 the package takes |o| from 1 − |o|², which halves its digits
    assert found.deformed[0] ** 2 == pytest.approx(wanted, abs=1e-13 if wanted < 1.9 else 1e-7)
    kept = overlap(rho, gate, member)
    turned = gate.conj().T @ member - kept * np.eye(len(gate))  # the part of the change that leaves the state
    theta = np.arctan2(np.sqrt(np.trace(turned @ rho @ turned.conj().T).real), abs(kept))
    assert theta - 1e-12 <= found.angle[0] <= theta + HIDDEN_ANGLE


def test_the_oracle_is_the_dephasing_channel():
    """The sandwich with K^½ multiplies every off-diagonal element by η for each qubit it differs on."""
    rng = np.random.default_rng(0)
    for num_qubits in (1, 2, 3):
        rho = random_density(num_qubits, rng)
        flips = np.array([[(i ^ j).bit_count() for j in range(len(rho))] for i in range(len(rho))])
        for coherence, beta in GEOMETRIES:
            expected = rho * (1 / np.cosh(beta * (1 - coherence))) ** flips
            np.testing.assert_allclose(deform(rho, coherence, beta), expected, atol=1e-14)


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
def test_pauli_words_shrink_by_eta_to_their_weight(num_qubits):
    """⟨P⟩_η = η^w ⟨P⟩ with w the number of X and Y."""
    rng = np.random.default_rng(1)
    for coherence, beta in GEOMETRIES:
        rho = random_density(num_qubits, rng)
        deformed = deform(rho, coherence, beta)
        for word in product("IXYZ", repeat=num_qubits):
            matrix = pauli_matrix(word)
            weight = sum(letter in "XY" for letter in word)
            factor = deformation(eta(coherence, beta), weight)
            assert np.trace(deformed @ matrix) == pytest.approx(factor * np.trace(rho @ matrix), abs=1e-14)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", ROWS)
def test_distance_to_the_identity(name):
    """Every row of the catalogue, its gate on qubits in any order, against the identity."""
    rng = np.random.default_rng(sum(map(ord, name)))
    width = drawn(name, rng).num_qubits
    for qubits in PLACES[width]:
        site, group, gate, ascending = placed(drawn(name, rng), qubits)
        for rho in states(width, rng):
            for coherence, beta in GEOMETRIES:
                ask, factor = expectations(rho, ascending), eta(coherence, beta)
                if group.family == "special":
                    found = compare_matrices(group, ask, gate.conj().T, factor)
                else:
                    found = compare_members(group, ask, -float(site.coordinate), factor)
                check(found, rho, gate, np.eye(len(gate)), coherence, beta)


@pytest.mark.thinned(5)
@pytest.mark.parametrize("name", [name for name in ROWS if name in CATALOGUE or name in ("pauli", "evolution")])
def test_distance_to_another_member(name):
    """Members exp(−itA) made by the matrix exponential, at random t, at the gate itself and at its opposite."""
    rng = np.random.default_rng(sum(map(ord, name)))
    width = drawn(name, rng).num_qubits
    for qubits in PLACES[width]:
        site, group, gate, ascending = placed(drawn(name, rng), qubits)
        if group.family == "special":
            return
        generator = sum(
            c * pauli_matrix([dict(word).get(q, "I") for q in ascending]) for word, c in group.generator_words
        )
        for target in (*rng.uniform(-7, 7, 2), float(site.coordinate), float(site.coordinate) + pi):
            member = expm(-1j * target * generator)
            for rho in states(width, rng)[:2]:
                for coherence, beta in GEOMETRIES[:3]:
                    ask = expectations(rho, ascending)
                    found = compare_members(group, ask, target - float(site.coordinate), eta(coherence, beta))
                    check(found, rho, gate, member, coherence, beta)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("kind", ["generic", "near", "degenerate", "equal"])
def test_distance_between_members_of_su2_and_su4(width, kind):
    """Random, nearly equal, with repeated eigenvalues (a reflection), and equal up to phase."""
    rng = np.random.default_rng(width)
    for _ in range(4):
        gate = random_unitary(2**width, seed=rng).data
        vector = random_state(width, rng)
        relative = {
            "generic": random_unitary(2**width, seed=rng).data,
            "near": near_identity(width, int(rng.integers(1000)), 1e-3),
            "degenerate": np.eye(2**width) - 2 * np.outer(vector, vector.conj()),
            "equal": np.exp(0.4j) * np.eye(2**width),
        }[kind]
        _, group, _, ascending = placed(UnitaryGate(gate), (1, 3)[:width])
        for rho in states(width, rng):
            for coherence, beta in GEOMETRIES:
                found = compare_matrices(group, expectations(rho, ascending), relative, eta(coherence, beta))
                check(found, rho, gate, gate @ relative, coherence, beta)


# -- the closed forms as THEORY writes them -----------------------------------------------------------------------


@pytest.mark.parametrize("word", ["X", "Y", "Z", "XY", "ZZ", "ZX"])
def test_closed_form_of_pauli_rotations(word):
    """|o|² = 1 − sin²(δ/2)(1 − ⟨P⟩²) with the deformed expectation."""
    rng = np.random.default_rng(3)
    pauli = pauli_matrix(word)
    for coherence, beta in GEOMETRIES:
        for delta in (1e-3, 0.5, pi, 5.0):
            rho = deform(random_density(len(word), rng, 1), coherence, beta)
            dense = abs(overlap(rho, np.eye(len(rho)), expm(-0.5j * delta * pauli))) ** 2
            mean = np.trace(rho @ pauli).real
            assert dense == pytest.approx(1 - np.sin(delta / 2) ** 2 * (1 - mean**2), abs=1e-13)


@pytest.mark.parametrize("letters", ["ZX", "ZZ", "ZZX"])
def test_closed_form_of_projectors(letters):
    """|o|² = 1 − 4⟨Π⟩(1 − ⟨Π⟩) sin²(δ/2)."""
    rng = np.random.default_rng(4)
    projector = np.eye(1)
    for letter in letters:
        projector = np.kron((np.eye(2) - pauli_matrix(letter)) / 2, projector)
    for coherence, beta in GEOMETRIES:
        for delta in (1e-3, 0.5, pi, 5.0):
            rho = deform(random_density(len(letters), rng, 1), coherence, beta)
            dense = abs(overlap(rho, np.eye(len(rho)), expm(-1j * delta * projector))) ** 2
            mean = np.trace(rho @ projector).real
            assert dense == pytest.approx(1 - 4 * mean * (1 - mean) * np.sin(delta / 2) ** 2, abs=1e-13)


@pytest.mark.parametrize("letter", "XYZ")
def test_closed_form_of_controlled_rotations(letter):
    """o = 1 − c + c cos(δ/2) ± i sin(δ/2)⟨(1−Z)/2 ⊗ P⟩, c the probability of the control."""
    rng = np.random.default_rng(5)
    control = np.kron(np.eye(2), np.diag([0, 1]))
    conditioned = np.kron(pauli_matrix(letter), np.diag([0, 1]))
    for coherence, beta in GEOMETRIES:
        for delta in (1e-3, 0.5, pi, 2 * pi, 5.0):
            rho = deform(random_density(2, rng, 1), coherence, beta)
            dense = overlap(rho, np.eye(4), expm(-0.5j * delta * conditioned))
            c, mean = np.trace(rho @ control).real, np.trace(rho @ conditioned).real
            assert dense == pytest.approx(1 - c + c * np.cos(delta / 2) - 1j * np.sin(delta / 2) * mean, abs=1e-13)


# -- digits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [1e-3, 1e-6, 1e-9, 1e-12])
def test_small_distances_keep_their_digits(delta):
    """2 − 2|o| would lose them all below 10⁻⁸; the series d = (δ/2)√(1−⟨P⟩²) is the oracle here."""
    _, group, _, ascending = placed(STANDARD["ry"](0.3), (2,))
    rho = random_density(1, np.random.default_rng(6), 1)
    mean = np.trace(rho @ pauli_matrix("Y")).real
    found = compare_members(group, expectations(rho, ascending), delta, 1.0)
    assert found.deformed[0] == pytest.approx(delta / 2 * sqrt(1 - mean**2), rel=1e-6)
    assert found.angle[0] == pytest.approx(delta / 2 * sqrt(1 - mean**2), rel=1e-6)


def test_an_eigenstate_costs_no_distance_but_what_rounding_hides():
    """rz on |0⟩: d_q is zero; the angle stays an upper limit for every expectation within rounding."""
    _, group, _, ascending = placed(STANDARD["rz"](0.3), (2,))
    found = compare_members(group, expectations(np.diag([1.0, 0.0]), ascending), pi, 1.0)
    assert found.deformed[0] == 0
    wrong = 1 - EXPECTATION_ROUNDING  # a mean that rounding could have turned into one
    assert np.arcsin(np.sqrt(1 - wrong**2)) <= found.angle[0] <= HIDDEN_ANGLE


def test_shapes():
    """One shift, one per sample, one per candidate."""
    _, group, _, _ = placed(STANDARD["rx"](0.3), (2,))

    def means(word):
        return np.array([0.1, -0.5, 0.9])

    assert compare_members(group, means, 0.3, 0.9).deformed.shape == (3,)
    each = compare_members(group, means, np.array([0.3, 0.2, 0.1]), 0.9)
    assert each.deformed.shape == each.angle.shape == (3,)
    table = compare_members(group, means, np.array([[0.3], [0.1]]), 0.9)
    assert table.deformed.shape == table.angle.shape == (2, 3)
    assert table.deformed[0, 0] == each.deformed[0]
    assert table.deformed[1, 2] == each.deformed[2]


# -- κ ------------------------------------------------------------------------------------------------------------


@pytest.mark.thinned(12)
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize(("coherence", "beta"), GEOMETRIES[1:])
def test_ordinary_distance_is_at_most_kappa_times_the_deformed_one(width, coherence, beta):
    """d_1 ≤ κ d_q for random gates and states, as the package computes both."""
    rng = np.random.default_rng(8)
    _, group, _, ascending = placed(UnitaryGate(np.eye(2**width)), (1, 3)[:width])
    limit = kappa(eta(coherence, beta), width)
    for _ in range(150):
        rho = random_density(width, rng, rng.integers(1, 2**width + 1))
        relative = random_unitary(2**width, seed=rng).data
        ask = expectations(rho, ascending)
        ordinary = compare_matrices(group, ask, relative, 1.0).deformed[0]
        assert ordinary <= limit * compare_matrices(group, ask, relative, eta(coherence, beta)).deformed[0] + 1e-12


@pytest.mark.thinned(3)
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize(("coherence", "beta"), [(0.5, 2.0), (0.0, 8.0)])
def test_kappa_is_met(width, coherence, beta):
    """A search over states and reflections finds d_1 = κ d_q: no smaller constant would do."""
    size = 2**width

    def ratio(x):
        (a, b), (c, d) = x.reshape(2, 2, size)
        vector, normal = (a + 1j * b) / np.linalg.norm(a + 1j * b), (c + 1j * d) / np.linalg.norm(c + 1j * d)
        rho, member = np.outer(vector, vector.conj()), np.eye(size) - 2 * np.outer(normal, normal.conj())
        deformed = squared_distance(deform(rho, coherence, beta), np.eye(size), member)
        return -np.sqrt(squared_distance(rho, np.eye(size), member) / deformed) if deformed > 1e-9 else 0.0

    rng = np.random.default_rng(width)
    limit = kappa(eta(coherence, beta), width)
    best = min((minimize(ratio, rng.normal(size=4 * size), method="BFGS") for _ in range(4)), key=lambda r: r.fun)
    assert -best.fun == pytest.approx(limit, abs=1e-6)
    assert -best.fun <= limit + 1e-9


def test_deformed_state_dominates_the_ordinary_one():
    """D_η(ρ) ⪰ ((1+η)/2)^|S| ρ, from which κ follows."""
    rng = np.random.default_rng(9)
    for width in (1, 2, 3):
        for coherence, beta in GEOMETRIES:
            rho = random_density(width, rng, 1)
            least = ((1 + eta(coherence, beta)) / 2) ** width
            assert np.linalg.eigvalsh(deform(rho, coherence, beta) - least * rho).min() >= -1e-14
