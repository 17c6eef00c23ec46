"""Train the reference networks and write them as task bundles.

    python circuits/train.py NAME...            # train and write these
    python circuits/train.py --all              # every bundle
    python circuits/train.py --table            # only rewrite the table in README.md
    python circuits/train.py --all --out DIR    # write elsewhere, e.g. to compare two runs

Training happens in PennyLane; the Qiskit circuit is built by separate code, and `bundle.write` refuses a pair
whose outputs differ.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import bundle
import numpy as np
import pennylane as qml
import planted
from bundle import Bundle
from numpy.typing import NDArray
from pennylane import numpy as pnp
from qiskit import QuantumCircuit
from qiskit.circuit.library import efficient_su2, zz_feature_map
from qiskit.quantum_info import SparsePauliOp
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

Trained = tuple[Bundle, NDArray[np.float64]]  # a bundle, and the outputs its circuit must have

SEED = 7
LOGIT_SCALE = 5  # expectation values are at most 1, too small for a softmax to become sure
ANGLE_DECIMALS = 6  # the rounded angles are the data: training, file and checks see the same numbers


class Data(NamedTuple):
    """Encoded samples, train split first.

    Attributes:
        inputs: Shape (n_samples, n_features), radians.
        targets: Shape (n_samples,), +1 or -1, or 0, 1, … with more than two classes.
        n_train: Number of samples in the train split.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.int64]
    n_train: int


def encode(
    features: NDArray[np.float64],
    targets: NDArray[np.int64],
    *steps: object,
    train: int,
    test: int,
    interval: tuple[float, float] = (0.0, np.pi),
) -> Data:
    """Split (stratified, seeded), preprocess and scale to angles; every step is fitted on the train split."""
    split = train_test_split(features, targets, train_size=train, test_size=test, stratify=targets, random_state=SEED)
    x_train, x_test, y_train, y_test = split
    pipeline = make_pipeline(*steps, MinMaxScaler(interval)).fit(x_train)
    inputs = np.concatenate([pipeline.transform(x_train), pipeline.transform(x_test)])
    return Data(np.round(inputs, ANGLE_DECIMALS), np.concatenate([y_train, y_test]), train)


def iris() -> Data:
    """Versicolor (+1) against virginica (-1)."""
    features, species = datasets.load_iris(return_X_y=True)
    keep = species > 0
    return encode(features[keep], np.where(species[keep] == 1, 1, -1), train=60, test=40)


def digits() -> Data:
    """Handwritten 3 (+1) against 6 (-1), six principal components."""
    images, digit = datasets.load_digits(return_X_y=True)
    keep = (digit == 3) | (digit == 6)
    targets = np.where(digit[keep] == 3, 1, -1)
    return encode(images[keep], targets, PCA(6, svd_solver="full"), train=200, test=int(keep.sum()) - 200)


def four_digits() -> Data:
    """Handwritten 0, 1, 2 and 3, eight principal components."""
    images, digit = datasets.load_digits(return_X_y=True)
    keep = digit < 4
    return encode(images[keep], digit[keep], PCA(8, svd_solver="full"), train=200, test=168)


def similar_digits() -> Data:
    """Handwritten 3 (+1) against 8 (-1), ten principal components."""
    images, digit = datasets.load_digits(return_X_y=True)
    keep = (digit == 3) | (digit == 8)
    targets = np.where(digit[keep] == 3, 1, -1)
    return encode(images[keep], targets, PCA(10, svd_solver="full"), train=200, test=int(keep.sum()) - 200)


def wine() -> Data:
    """Cultivar 1 (+1) against the other two (-1), six principal components of the standardised features."""
    features, cultivar = datasets.load_wine(return_X_y=True)
    steps = StandardScaler(), PCA(6, svd_solver="full")
    interval = np.pi - 0.7, np.pi + 0.7
    return encode(features, np.where(cultivar == 1, 1, -1), *steps, train=118, test=60, interval=interval)


def cancer() -> Data:
    """Benign (+1) against malignant (-1), four principal components of the standardised features."""
    features, benign = datasets.load_breast_cancer(return_X_y=True)
    # Quantiles, because the long tails of the components would squeeze most samples into a small angle.
    steps = StandardScaler(), PCA(4, svd_solver="full"), QuantileTransformer(n_quantiles=50)
    return encode(features, np.where(benign == 1, 1, -1), *steps, train=200, test=170)


def circles() -> Data:
    """Inner circle (+1) against outer circle (-1)."""
    points, inner = datasets.make_circles(n_samples=340, noise=0.1, factor=0.5, random_state=SEED)
    return encode(points, np.where(inner == 1, 1, -1), train=200, test=140, interval=(-np.pi / 2, np.pi / 2))


def pauli_z(qubit: int, n_qubits: int) -> bundle.PauliSum:
    """Return Z on one qubit as a little-endian Pauli sum."""
    return [("I" * (n_qubits - 1 - qubit) + "Z" + "I" * qubit, 1.0)]


def strongly_entangling_qnode(n_qubits: int, n_outputs: int) -> qml.QNode:
    """Return the PennyLane classifier (weights, inputs) -> [<Z_0>, <Z_1>, …], inputs broadcast over samples."""

    @qml.qnode(qml.device("default.qubit", wires=n_qubits), diff_method="backprop")
    def network(weights: pnp.tensor, inputs: NDArray[np.float64]) -> list[pnp.tensor]:
        qml.AngleEmbedding(inputs, wires=range(n_qubits), rotation="Y")
        qml.StronglyEntanglingLayers(weights, wires=range(n_qubits))
        return [qml.expval(qml.Z(wire)) for wire in range(n_outputs)]

    return network


def strongly_entangling_circuit(n_qubits: int, n_layers: int) -> QuantumCircuit:
    """Return the same classifier in Qiskit, PennyLane's Rot written out as RZ, RY, RZ."""
    circuit = QuantumCircuit(n_qubits)
    weights = iter(bundle.weight_parameters(3 * n_layers * n_qubits))
    for qubit, x in enumerate(bundle.input_parameters(n_qubits)):
        circuit.ry(x, qubit)
    for layer in range(n_layers):
        for qubit in range(n_qubits):
            circuit.rz(next(weights), qubit)
            circuit.ry(next(weights), qubit)
            circuit.rz(next(weights), qubit)
        distance = layer % (n_qubits - 1) + 1
        for qubit in range(n_qubits):
            circuit.cx(qubit, (qubit + distance) % n_qubits)
    return circuit


def reupload_qnode() -> qml.QNode:
    """Return the two-qubit data re-uploading classifier (weights, inputs) -> [<Z_0>], broadcast over samples."""

    @qml.qnode(qml.device("default.qubit", wires=2), diff_method="backprop")
    def network(weights: pnp.tensor, inputs: NDArray[np.float64]) -> list[pnp.tensor]:
        for layer, block in enumerate(weights):
            for wire, (scale, shift, angle) in enumerate(block):
                qml.RX(2 * inputs[:, wire], wires=wire)
                qml.RY(scale * inputs[:, 1 - wire] + shift, wires=wire)
                qml.RZ(angle, wires=wire)
            if layer % 2:
                qml.CNOT(wires=[1, 0])
            else:
                qml.CZ(wires=[0, 1])
        return [qml.expval(qml.Z(0))]

    return network


def reupload_circuit(n_layers: int) -> QuantumCircuit:
    """Return the same classifier in Qiskit."""
    circuit = QuantumCircuit(2)
    x = bundle.input_parameters(2)
    weights = iter(bundle.weight_parameters(6 * n_layers))
    for layer in range(n_layers):
        for qubit in range(2):
            scale, shift, angle = next(weights), next(weights), next(weights)
            circuit.rx(2 * x[qubit], qubit)
            circuit.ry(scale * x[1 - qubit] + shift, qubit)
            circuit.rz(angle, qubit)
        if layer % 2:
            circuit.cx(1, 0)
        else:
            circuit.cz(0, 1)
    return circuit


def efficient_su2_qnode(n_qubits: int) -> qml.QNode:
    """Return the PennyLane classifier (weights, inputs) -> [<Z_0>], broadcast over samples.

    Written out gate by gate: Qiskit's ZZ feature map with neighbours entangled, then its EfficientSU2 ansatz with
    the qubits entangled in a circle. Weights have shape (n_layers, 2, n_qubits).
    """

    @qml.qnode(qml.device("default.qubit", wires=n_qubits), diff_method="backprop")
    def network(weights: pnp.tensor, inputs: NDArray[np.float64]) -> list[pnp.tensor]:
        x = inputs.T
        for wire in range(n_qubits):
            qml.Hadamard(wire)
            qml.PhaseShift(2 * x[wire], wires=wire)
        for wire in range(n_qubits - 1):
            qml.CNOT(wires=[wire, wire + 1])
            qml.PhaseShift(2 * (np.pi - x[wire]) * (np.pi - x[wire + 1]), wires=wire + 1)
            qml.CNOT(wires=[wire, wire + 1])
        for layer, (y_angles, z_angles) in enumerate(weights):
            if layer:
                for wire in range(n_qubits):
                    qml.CNOT(wires=[(wire - 1) % n_qubits, wire])
            for wire in range(n_qubits):
                qml.RY(y_angles[wire], wires=wire)
                qml.RZ(z_angles[wire], wires=wire)
        return [qml.expval(qml.Z(0))]

    return network


def efficient_su2_circuit(n_qubits: int, n_layers: int) -> QuantumCircuit:
    """Return the same classifier from Qiskit's circuit library, with the bundle's parameter names."""
    encoding = zz_feature_map(n_qubits, reps=1, entanglement="linear")
    ansatz = efficient_su2(n_qubits, reps=n_layers - 1, entanglement="circular")
    inputs, weights = bundle.input_parameters(n_qubits), bundle.weight_parameters(2 * n_qubits * n_layers)
    encoding.assign_parameters(inputs, inplace=True)
    ansatz.assign_parameters(weights, inplace=True)
    return encoding.compose(ansatz)


def squared_error(values: pnp.tensor, targets: NDArray[np.int64]) -> pnp.tensor:
    """Return the mean squared distance of <Z_0> to the label +1 or -1.

    Args:
        values: Shape (1, n_samples).
        targets: Shape (n_samples,).
    """
    return pnp.mean((values[0] - targets) ** 2)


def cross_entropy(values: pnp.tensor, targets: NDArray[np.int64]) -> pnp.tensor:
    """Return the mean cross-entropy of softmax(LOGIT_SCALE * values) and the labels 0, 1, ….

    Args:
        values: Shape (n_classes, n_samples).
        targets: Shape (n_samples,).
    """
    logits = LOGIT_SCALE * values
    chosen = logits[targets, np.arange(len(targets))]
    return pnp.mean(pnp.log(pnp.sum(pnp.exp(logits), axis=0)) - chosen)


LOSS_NAMES = {
    squared_error: "mean over the batch of (<Z_0> - label)^2",
    cross_entropy: f"mean over the batch of the cross-entropy of softmax({LOGIT_SCALE} <Z_0>, {LOGIT_SCALE} <Z_1>, …)",
}


def classifier(
    name: str,
    *,
    description: str,
    data: Callable[[], Data],
    source: str,
    labels: tuple[str, ...],
    qnode: qml.QNode,
    circuit: QuantumCircuit,
    shape: tuple[int, ...],
    epochs: int,
    batch: int = 20,
    stepsize: float = 0.02,
) -> Trained:
    """Train a classifier by Adam on mini-batches.

    Two classes, +1 and -1 in this order, are told by the sign of <Z_0> and trained on the squared error; more
    classes, 0, 1, …, by the largest of <Z_0>, <Z_1>, … and trained on the cross-entropy.

    Returns:
        The bundle, and the QNode's outputs, shape (n_samples, n_observables).
    """
    measure = cross_entropy if len(labels) > 2 else squared_error

    def loss(weights: pnp.tensor, x: NDArray[np.float64], y: NDArray[np.int64]) -> pnp.tensor:
        return measure(pnp.stack(qnode(weights, x)), y)

    rng = np.random.default_rng(SEED)
    inputs, targets, n_train = data()
    # Small angles start the network near the identity, away from barren plateaus.
    weights = pnp.array(rng.normal(scale=0.1, size=shape), requires_grad=True)
    optimizer = qml.AdamOptimizer(stepsize)
    for _ in range(epochs):
        for chosen in np.array_split(rng.permutation(n_train), n_train // batch):
            weights, *_ = optimizer.step(loss, weights, inputs[chosen], targets[chosen])
    weights = np.asarray(weights)
    values = np.stack(qnode(weights, inputs), axis=-1)
    classes = range(len(labels)) if len(labels) > 2 else (1, -1)
    record = bundle.provenance(
        name,
        seed=SEED,
        data=source,
        packages=("pennylane", "scikit-learn"),
        epochs=epochs,
        batch_size=batch,
        optimizer=f"Adam, step {stepsize}",
        loss=LOSS_NAMES[measure],
        **bundle.accuracies(values, targets, n_train),
    )
    result = Bundle(
        name=name,
        description=description,
        circuit=circuit,
        observables=[pauli_z(qubit, circuit.num_qubits) for qubit in range(values.shape[1])],
        weights=weights.ravel(),
        inputs=inputs,
        targets=targets,
        n_train=n_train,
        labels={str(value): label for value, label in zip(classes, labels, strict=True)},
        provenance=record,
    )
    return result, values


def hydrogen(
    name: str, *, bond_length: float = 0.7414, layers: int = 3, steps: int = 300, stepsize: float = 0.05
) -> Trained:
    """Train a hardware-efficient VQE ansatz for H2 in STO-3G.

    Args:
        name: Folder name.
        bond_length: Distance of the nuclei, angstrom.
        layers: Number of blocks of RY, RZ and a CX ladder; a last row of rotations follows.
        steps: Adam steps.
        stepsize: Adam's step.

    Raises:
        RuntimeError: If the energy ends more than 1 mHa above the exact ground state.
    """
    n_qubits = 4
    nuclei = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, bond_length]])
    molecule = qml.qchem.Molecule(["H", "H"], nuclei, unit="angstrom")
    hamiltonian, _ = qml.qchem.molecular_hamiltonian(molecule, method="dhf", mapping="jordan_wigner")
    # PennyLane's wire i is Qiskit's qubit i, and Qiskit writes the highest qubit first.
    terms = [
        ("".join(word.get(wire, "I") for wire in reversed(range(n_qubits))), float(np.real(coefficient)))
        for word, coefficient in qml.pauli.pauli_sentence(hamiltonian).items()
    ]
    exact = float(np.linalg.eigvalsh(SparsePauliOp.from_list(terms).to_matrix())[0])

    @qml.qnode(qml.device("default.qubit", wires=n_qubits), diff_method="backprop")
    def energy(weights: pnp.tensor) -> pnp.tensor:
        qml.BasisState(np.array([1, 1, 0, 0]), wires=range(n_qubits))
        for row, block in enumerate(weights):
            for wire, (y, z) in enumerate(block):
                qml.RY(y, wires=wire)
                qml.RZ(z, wires=wire)
            if row < layers:
                for wire in range(n_qubits - 1):
                    qml.CNOT(wires=[wire, wire + 1])
        return qml.expval(hamiltonian)

    circuit = QuantumCircuit(n_qubits)
    circuit.x([0, 1])
    free = iter(bundle.weight_parameters(2 * n_qubits * (layers + 1)))
    for row in range(layers + 1):
        for qubit in range(n_qubits):
            circuit.ry(next(free), qubit)
            circuit.rz(next(free), qubit)
        if row < layers:
            for qubit in range(n_qubits - 1):
                circuit.cx(qubit, qubit + 1)

    rng = np.random.default_rng(SEED)
    weights = pnp.array(rng.normal(scale=0.1, size=(layers + 1, n_qubits, 2)), requires_grad=True)
    optimizer = qml.AdamOptimizer(stepsize)
    for _ in range(steps):
        weights = optimizer.step(energy, weights)
    weights = np.asarray(weights)
    reached = float(energy(weights))
    if not reached - exact < 1e-3:
        raise RuntimeError(f"{name}: energy {reached:.6f} Ha, but the exact ground state has {exact:.6f} Ha")
    record = bundle.provenance(
        name,
        seed=SEED,
        data=f"H2 at {bond_length} angstrom, STO-3G, Jordan-Wigner; integrals computed by PennyLane's qchem",
        packages=("pennylane",),
        steps=steps,
        optimizer=f"Adam, step {stepsize}",
        loss="energy",
        energy_hartree=reached,
        exact_energy_hartree=exact,
        error_mha=1e3 * (reached - exact),
    )
    result = Bundle(
        name=name,
        description="Ground-state energy of H2 at its equilibrium bond length: a hardware-efficient ansatz on "
        "top of the Hartree-Fock state, trained by VQE.",
        circuit=circuit,
        observables=[terms],
        weights=weights.ravel(),
        provenance=record,
    )
    return result, np.array([[reached]])


def strongly_entangling(
    name: str, *, n_qubits: int, n_layers: int, labels: tuple[str, ...], **options: object
) -> Trained:
    """Train a `classifier` of angle encoding and strongly entangling layers."""
    return classifier(
        name,
        labels=labels,
        qnode=strongly_entangling_qnode(n_qubits, len(labels) if len(labels) > 2 else 1),
        circuit=strongly_entangling_circuit(n_qubits, n_layers),
        shape=(n_layers, n_qubits, 3),
        **options,
    )


BUNDLES: dict[str, Callable[[str], Trained]] = {
    "iris-4q": partial(
        strongly_entangling,
        description="Tells iris versicolor from virginica: four flower measurements as RY angles, four "
        "strongly entangling layers, <Z_0>.",
        n_qubits=4,
        n_layers=4,
        data=iris,
        source="scikit-learn iris, classes 1 and 2; four features scaled to [0, pi]; scaling fitted on the train split",
        labels=("versicolor", "virginica"),
        epochs=60,
    ),
    "digits-6q": partial(
        strongly_entangling,
        description="Tells a handwritten 3 from a 6: six principal components as RY angles, five strongly "
        "entangling layers, <Z_0>.",
        n_qubits=6,
        n_layers=5,
        data=digits,
        source="scikit-learn digits, classes 3 and 6; PCA to 6, scaled to [0, pi]; both fitted on the train split",
        labels=("digit 3", "digit 6"),
        epochs=40,
    ),
    "digits4-8q": partial(
        strongly_entangling,
        description="Tells handwritten 0, 1, 2 and 3 apart: eight principal components as RY angles, four strongly "
        "entangling layers, the largest of <Z_0> to <Z_3>.",
        n_qubits=8,
        n_layers=4,
        data=four_digits,
        source="scikit-learn digits, classes 0 to 3, 368 of 720 samples; PCA to 8, scaled to [0, pi]; both fitted on "
        "the train split",
        labels=("digit 0", "digit 1", "digit 2", "digit 3"),
        epochs=60,
    ),
    "digits-10q": partial(
        strongly_entangling,
        description="Tells a handwritten 3 from an 8: ten principal components as RY angles, four strongly "
        "entangling layers, <Z_0>.",
        n_qubits=10,
        n_layers=4,
        data=similar_digits,
        source="scikit-learn digits, classes 3 and 8; PCA to 10, scaled to [0, pi]; both fitted on the train split",
        labels=("digit 3", "digit 8"),
        epochs=40,
    ),
    "wine-6q": partial(
        classifier,
        description="Tells one of three wine cultivars from the others: six principal components through Qiskit's "
        "ZZ feature map, then its EfficientSU2 ansatz with three rounds of CX in a circle, <Z_0>.",
        data=wine,
        source="scikit-learn wine, class 1 against 0 and 2; standardised, PCA to 6, scaled to [pi - 0.7, pi + 0.7]; "
        "all fitted on the train split",
        labels=("cultivar 1", "cultivar 0 or 2"),
        qnode=efficient_su2_qnode(6),
        circuit=efficient_su2_circuit(6, 4),
        shape=(4, 2, 6),
        epochs=60,
    ),
    "cancer-4q": partial(
        strongly_entangling,
        description="Tells benign from malignant breast tumours: four principal components as RY angles, six "
        "strongly entangling layers, <Z_0>; deeper than the problem needs.",
        n_qubits=4,
        n_layers=6,
        data=cancer,
        source="scikit-learn breast_cancer, 370 of 569 samples; standardised, PCA to 4, components replaced "
        "by their quantiles, scaled to [0, pi]; all fitted on the train split",
        labels=("benign", "malignant"),
        epochs=40,
    ),
    "reupload-2q": partial(
        classifier,
        description="Tells an inner from an outer circle by data re-uploading: every layer encodes the point "
        "again, through RX(2x) and through RY(wx + b), whose frequency is trained.",
        data=circles,
        source="scikit-learn make_circles(n_samples=340, noise=0.1, factor=0.5); scaled to [-pi/2, pi/2]; "
        "scaling fitted on the train split",
        labels=("inner circle", "outer circle"),
        qnode=reupload_qnode(),
        circuit=reupload_circuit(6),
        shape=(6, 2, 3),
        epochs=40,
    ),
    "h2-vqe-4q": hydrogen,
    "planted-5q": planted.build,
}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Train the reference networks and write them as bundles.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"bundles to write: {', '.join(BUNDLES)}")
    parser.add_argument("--all", action="store_true", help="write every bundle")
    parser.add_argument("--table", action="store_true", help="only rewrite the table in README.md")
    parser.add_argument("--out", type=Path, default=bundle.HERE, help="parent folder (default: here)")
    args = parser.parse_args()
    names = list(BUNDLES) if args.all else args.names
    if unknown := sorted(set(names) - set(BUNDLES)):
        parser.error(f"unknown bundle {unknown[0]!r}; choose from {', '.join(BUNDLES)}")
    if not names and not args.table:
        parser.error("give bundle names, --all or --table")
    with threadpool_limits(1):  # sums in a fixed order, so that a second run writes the same bytes
        for name in names:
            start = time.perf_counter()
            result, expected = BUNDLES[name](name)
            bundle.write(result, expected, args.out)
            print(f"{name}: written after {time.perf_counter() - start:.0f} s")
    if args.out.resolve() == bundle.HERE:
        bundle.rewrite_table()


if __name__ == "__main__":
    main()
