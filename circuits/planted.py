"""The planted bundle: a circuit whose redundant gates are known beforehand, because they were put there."""

from itertools import chain

import bundle
import numpy as np
from bundle import Bundle
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import Parameter

SEED = 7
OBSERVABLES: list[bundle.PauliSum] = [[("IIIIZ", 1.0)], [("IIZZI", 1.0)]]
EXACT = 1e-12
MATTERS = 1e-3


class Garden:
    """A circuit under construction that remembers which of its gates were planted.

    Attributes:
        circuit: The circuit so far.
        weights: Values of its weights so far, radians.
        planted: One record per planted gate, as in task.json.
    """

    def __init__(self, n_qubits: int, rng: np.random.Generator) -> None:
        """Start an empty circuit; `rng` draws the weights."""
        self.circuit = QuantumCircuit(n_qubits)
        self.weights: list[float] = []
        self.planted: list[dict[str, object]] = []
        self._rng = rng

    def weight(self, value: float | None = None) -> Parameter:
        """Return a new weight; without a value, one far from 0 and from every Clifford angle."""
        if value is None:
            value = self._rng.choice([-1, 1]) * self._rng.uniform(0.4, 1.2)
        self.weights.append(value)
        return Parameter(f"w_{len(self.weights) - 1:03d}")

    def mark(self, kind: str, why: str) -> int:
        """Record the gate appended last as planted and return its index."""
        index = len(self.circuit.data) - 1
        gate = self.circuit.data[index].operation.name
        self.planted.append({"index": index, "gate": gate, "kind": kind, "why": why})
        return index

    def pair(self, first: int, second: int) -> None:
        """Record that two planted gates are redundant only together."""
        for record in self.planted:
            if record["index"] in (first, second):
                record["partner"] = second if record["index"] == first else first


def grow(rng: np.random.Generator) -> Garden:
    """Return the circuit: two entangling blocks that matter, and every kind of redundancy among them."""
    garden = Garden(5, rng)
    qc, w, mark = garden.circuit, garden.weight, garden.mark

    # State preparation: qubit 4 is still |0>, qubit 3 is |+>.
    for qubit, x in enumerate(bundle.input_parameters(3)):
        qc.ry(x, qubit)
    qc.rz(w(), 4)
    mark("aligned-axis", "qubit 4 is |0>, an eigenstate of Z: a global phase")
    qc.cx(4, 2)
    mark("control-zero", "the control, qubit 4, is |0>")
    qc.h(3)
    qc.rx(w(), 3)
    mark("aligned-axis", "qubit 3 is |+>, an eigenstate of X: a global phase")
    qc.cx(0, 3)
    mark("aligned-axis", "the target, qubit 3, is |+>, which X leaves alone")

    # First entangling block.
    for qubit in range(5):
        rotate = qc.rz if qubit < 4 else qc.ry  # RZ would do nothing to qubit 4 yet
        rotate(w(), qubit)
        qc.rx(w(), qubit)
    qc.h(0)
    first = mark("inverse-pair", "h h")
    qc.h(0)
    garden.pair(first, mark("inverse-pair", "h h"))
    for qubit in range(5):
        qc.cx(qubit, (qubit + 1) % 5)
    qc.rx(w(0.0), 1)
    mark("zero-angle", "the weight is 0")
    qc.ry(w(0.0), 2)
    mark("zero-angle", "the weight is 0")
    qc.rzz(w(0.0), 3, 4)
    mark("zero-angle", "the weight is 0")

    # Second entangling block.
    for qubit in range(5):
        qc.ry(w(), qubit)
        qc.rx(w(), qubit)
    qc.cx(4, 3)
    qc.cx(3, 2)
    qc.cx(1, 2)
    first = mark("inverse-pair", "cx cx")
    qc.cx(1, 2)
    garden.pair(first, mark("inverse-pair", "cx cx"))
    qc.rx(w(), 2)
    qc.rz(0.83, 2)
    first = mark("inverse-pair", across := "rz(0.83) rz(-0.83), between them a CX whose control commutes with both")
    qc.cx(2, 1)
    qc.rz(-0.83, 2)
    garden.pair(first, mark("inverse-pair", across))
    qc.ry(w(), 1)
    qc.cx(1, 0)
    for qubit in range(3):
        qc.ry(w(), qubit)

    # What follows can no longer reach Z_0 or Z_1 Z_2.
    qc.ry(w(), 4)
    mark("light-cone", "qubit 4 reaches no measured qubit any more")
    qc.cx(4, 3)
    mark("light-cone", "qubits 3 and 4 reach no measured qubit any more")
    qc.cz(1, 2)
    mark("commutes-with-observable", "diagonal, right before the Z measurements")
    qc.rz(w(), 0)
    mark("commutes-with-observable", "diagonal, right before the Z measurement")
    return garden


def certify(garden: Garden, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Check that what was planted is redundant and that nothing else is.

    Returns:
        Outputs of the circuit, shape (n_samples, n_observables).

    Raises:
        ValueError: If removing a planted gate (an inverse pair counts as one), or all of them, changes an output
            by more than 1e-12; or if removing another gate, with the planted ones there or gone, or one gate of
            an inverse pair, changes none by more than 1e-3.
    """
    circuit = qasm3.loads(qasm3.dumps(garden.circuit))  # indices refer to the circuit as read back

    def without(gone: set[int]) -> NDArray[np.float64]:
        rest = circuit.copy_empty_like()
        for index, instruction in enumerate(circuit.data):
            if index not in gone:
                rest.append(instruction)
        return bundle.outputs(rest, OBSERVABLES, garden.weights, inputs)

    groups = [{p["index"], p.get("partner", p["index"])} for p in garden.planted]
    planted = set(chain.from_iterable(groups))
    full = without(set())
    for gone in [*groups, planted]:
        change = np.abs(without(gone) - full).max()
        if change > EXACT:
            raise ValueError(f"removing the planted gates {sorted(gone)} changes an output by {change:.3g}")
    needed = {index: [set(), planted] for index in range(len(circuit.data)) if index not in planted}
    needed |= {record["index"]: [set()] for record in garden.planted if "partner" in record}
    for index, contexts in needed.items():
        change = min(np.abs(without(rest | {index}) - without(rest)).max() for rest in contexts)
        if change < MATTERS:
            gate = circuit.data[index].operation.name
            raise ValueError(f"removing only gate {index} ({gate}) should matter, but changes outputs by {change:.3g}")
    return full


def build(name: str) -> tuple[Bundle, NDArray[np.float64]]:
    """Return the bundle and its circuit's outputs, shape (n_samples, 2)."""
    rng = np.random.default_rng(SEED)
    inputs = np.round(rng.uniform(0.2, 2.9, size=(24, 3)), 6)
    garden = grow(rng)
    values = certify(garden, inputs)
    result = Bundle(
        name=name,
        description="Not trained: random rotations and CX gates on five qubits, with redundant gates of six "
        "kinds planted among them and every other gate indispensable; a known answer to prune towards.",
        circuit=garden.circuit,
        observables=OBSERVABLES,
        weights=np.array(garden.weights),
        inputs=inputs,
        targets=np.where(values[:, 0] > 0, 1, -1),
        n_train=16,
        provenance=bundle.provenance(
            name,
            seed=SEED,
            data="angles drawn uniformly from [0.2, 2.9]; label = sign of the circuit's own first output",
        ),
        extra={"planted": garden.planted},
    )
    return result, values
