"""The tasks of the field: data by brute force, energies by dense matrices and published values, encodings by states."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pennylane as qml
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector

from benchmarks.tasks import data, encodings, fermions, networks
from benchmarks.tasks.catalogue import TASKS, best_cut
from benchmarks.tasks.training import outputs, trained
from qprune import MissingExtraError

PUBLISHED_H2 = -1.137270  # hartree, H2 at 0.7414 Å in STO-3G: McArdle et al., Rev. Mod. Phys. 92, 015003 (2020)
MOLECULES = ["h2", "lih", "h2o"]


def rows(split):
    return [(*row, label) for row, label in zip(split.inputs.tolist(), split.labels.tolist(), strict=True)]


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 3), (3, 3)])
def test_bars_and_stripes_are_all_there_and_told_apart(height, width):
    """Without noise, against every image of two colours."""
    found = data.bars_and_stripes(height, width, count=480, noise=0.0)
    seen = {1: set(), -1: set()}
    for split in (found.train, found.selection, found.test):
        for *angles, label in rows(split):
            seen[label].add(tuple(np.round(np.array(angles) / np.pi).astype(int).tolist()))
    images = [np.array(bits).reshape(height, width) for bits in product((0, 1), repeat=height * width)]
    mixed = [image for image in images if 0 < image.sum() < image.size]
    bars = {tuple(image.ravel().tolist()) for image in mixed if np.ptp(image, axis=0).max() == 0}
    stripes = {tuple(image.ravel().tolist()) for image in mixed if np.ptp(image, axis=1).max() == 0}
    assert seen == {1: bars, -1: stripes}


def splits_of(make):
    try:
        found = make()
    except MissingExtraError as error:
        pytest.skip(str(error))
    return [found.train, found.selection, found.test]


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: data.bars_and_stripes(3, 3, 800), 800),
        (lambda: data.mnist((3, 6), 6), 1000),
        (lambda: data.mnist_amplitudes((9, 4)), 1000),
    ],
    ids=["bars", "mnist", "amplitudes"],
)
def test_splits_share_no_sample_and_hold_each_class_in_proportion(make, count):
    splits = splits_of(make)
    sets = [set(rows(split)) for split in splits]
    assert all(not one & other for one, other in combinations(sets, 2))
    assert sum(len(split.labels) for split in splits) == count
    assert [len(split.labels) for split in splits] == [count // 2, count // 4, count // 4]
    assert all(split.labels.sum() == 0 for split in splits)


def test_preprocessing_is_fitted_on_the_training_split_alone():
    """Every component of the training split fills [0, π]; other splits are cut to it."""
    train, *others = splits_of(lambda: data.mnist((3, 6), 6))
    np.testing.assert_allclose([train.inputs.min(axis=0), train.inputs.max(axis=0)], [[0] * 6, [np.pi] * 6], atol=1e-6)
    assert all(split.inputs.min() >= 0 and split.inputs.max() <= np.pi + 1e-6 for split in others)


def test_segments_are_the_ten_colours_of_three_kinds_against_four():
    """330 patches of each of seven kinds; the sky is where blue stands out most."""
    splits = splits_of(data.segments)
    assert [split.inputs.shape for split in splits] == [(1155, 10), (577, 10), (578, 10)]
    assert sum(int((split.labels == 1).sum()) for split in splits) == 3 * 330
    bluest = np.argsort(splits[0].inputs[:, data.COLOURS.index("rawblue")])[-100:]
    assert np.all(splits[0].labels[bluest] == 1)


@pytest.mark.parametrize("qubits", [1, 2, 4])
def test_amplitudes_are_prepared(qubits):
    vector = np.random.default_rng(qubits).uniform(0, 1, 2**qubits)
    vector[0] = 0.0
    names = [Parameter(f"x_{j}") for j in range(2**qubits - 1)]
    circuit = QuantumCircuit(qubits)
    encodings.amplitudes(circuit, names)
    angles = encodings.multiplexed_angles(vector[None])[0]
    state = Statevector(circuit.assign_parameters(dict(zip(names, angles, strict=True)))).data
    np.testing.assert_allclose(state, vector / np.linalg.norm(vector), atol=1e-12)


@pytest.mark.parametrize("name", MOLECULES)
def test_energies_are_those_of_dense_matrices(name):
    """The ground state; Hartree-Fock as one basis state; particles are conserved."""
    found = fermions.molecule(name)
    matrix = found.hamiltonian.to_matrix()
    assert np.linalg.eigvalsh(matrix)[0] == pytest.approx(found.exact, abs=1e-9)
    filled = 2**found.electrons - 1
    assert matrix[filled, filled].real == pytest.approx(found.hartree_fock, abs=1e-8)
    number = np.diag([bin(state).count("1") for state in range(len(matrix))])
    assert np.abs(matrix @ number - number @ matrix).max() < 1e-10
    assert found.full <= found.exact + 1e-9


def test_hydrogen_is_the_published_one():
    assert fermions.molecule("h2").exact == pytest.approx(PUBLISHED_H2, abs=1e-6)
    nuclei = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.7414]])
    molecule = qml.qchem.Molecule(["H", "H"], nuclei, unit="angstrom")
    theirs, _ = qml.qchem.molecular_hamiltonian(molecule, method="dhf", mapping="jordan_wigner")
    spectra = [np.linalg.eigvalsh(m) for m in (fermions.molecule("h2").hamiltonian.to_matrix(), qml.matrix(theirs))]
    np.testing.assert_allclose(*spectra, atol=1e-5)


def test_excitations_are_those_of_another_jordan_wigner():
    """T − T† of a double excitation against PennyLane's, and how many there are against counting by hand."""
    words = list(fermions.excitations(4, 2))
    assert len(words) == 3
    ours = SparsePauliOp.from_list([(label, 1j * value) for label, value in words[-1]]).to_matrix()
    ladder = qml.FermiC(2) * qml.FermiC(3) * qml.FermiA(0) * qml.FermiA(1)
    theirs = qml.matrix(qml.jordan_wigner(ladder), wire_order=[3, 2, 1, 0])
    np.testing.assert_allclose(ours, theirs - theirs.conj().T, atol=1e-12)
    assert len(list(fermions.excitations(6, 2))) == 8  # two to two up, as many down, four pairs


def test_coupled_cluster_turns_by_the_exponential():
    """One excitation's gates against the dense exponential; all of them find the ground state of H2."""
    words = list(fermions.excitations(4, 2))
    task = networks.eigensolver("h2").network(1)
    angle, values = 0.37, np.zeros(3)
    values[2] = angle
    circuit = QuantumCircuit(4)
    networks.coupled_cluster(circuit, 1, electrons=2)
    names = sorted(circuit.parameters, key=lambda p: p.name)
    unitary = Operator(circuit.assign_parameters(dict(zip(names, values, strict=True)))).data
    generator = SparsePauliOp.from_list([(label, 1j * value) for label, value in words[2]]).to_matrix()
    roots, vectors = np.linalg.eig(generator)
    np.testing.assert_allclose(unitary, vectors @ np.diag(np.exp(angle * roots)) @ np.linalg.inv(vectors), atol=1e-10)
    weights = trained(task, np.full(3, 0.01), steps=200, rate=0.0, seed=0)
    energy = outputs(task.with_weights(weights))[0, 0]
    assert energy == pytest.approx(fermions.molecule("h2").exact, abs=1e-6)


def test_cuts_are_counted():
    """Against every partition, one by one; without weights QAOA cuts half of the edges."""
    known = TASKS["maxcut-8q"]
    task = known.family().network(2)
    edges = [tuple(sorted(task.circuit.find_bit(q).index for q in g.qubits)) for g in task.circuit if g.name == "rzz"]
    edges = sorted(set(edges))
    most = max(sum((s >> a & 1) != (s >> b & 1) for a, b in edges) for s in range(2**8))
    assert best_cut(8, edges) == most == -known.target()
    assert known.score(task, "test") == pytest.approx(len(edges) / 2 / most)


@pytest.mark.parametrize("classes", [2, 4])
def test_training_descends_and_repeats(classes):
    """The same weights from the same seed; the loss written down here falls."""
    rng = np.random.default_rng(0)
    inputs = rng.uniform(0, np.pi, (64, 4))
    labels = rng.integers(0, 4, 64) if classes == 4 else np.where(inputs[:, 0] > inputs[:, 1], 1, -1)
    task = networks.classifier(4, networks.strongly_entangling, classes=classes).network(2)
    task = task.with_inputs(inputs, labels=labels)

    def loss(weights):
        values = 5 * outputs(task.with_weights(weights))
        if classes == 2:
            return np.log(1 + np.exp(-labels * values[0])).mean()
        return (np.log(np.exp(values).sum(axis=0)) - values[labels, np.arange(64)]).mean()

    start = rng.normal(scale=0.1, size=len(task.weights))
    first, second = (trained(task, start, steps=40, rate=0.05, seed=3) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert loss(first) < loss(start)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_network(name):
    """Weights in the order of their names, one output for two classes; inputs as many as the data have."""
    task = TASKS[name].family().network(1)
    assert len(task.weights)
    assert [p.name for p in task.weight_params] == [f"w_{j:03d}" for j in range(len(task.weights))]
    if TASKS[name].data is not None and name.startswith("bars"):
        assert TASKS[name].split("test").inputs.shape[1] == len(task.input_params)
