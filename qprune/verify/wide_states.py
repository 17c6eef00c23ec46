"""Simulation for `verify` of circuits too wide for a statevector, by Aer's matrix product states.

Certificates of such circuits come from `mps`, another program in another canonical form, so this is independent of
them. Aer drops singular values below 10⁻⁸ without a word; what that leaves of accuracy is part of what is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qprune._arrays import FloatArray
from qprune._progress import bar
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task
from qprune.verify.states import ComplexArray, Found, Pieces, Replacements, gates_on, run_gates, used_qubits

DROPPED = 4e-8  # norm that Aer may drop at one gate on neighbouring qubits: a few singular values at its limit
SQUARED_WORDS = 64  # Pauli words of an observable up to which its variance is computed


def simulate_wide(
    task: Task,
    simplified: Task,
    pruned: Task,
    by: Replacements,
    cones: Sequence[tuple[bool, ...]],
    q_inverse: FloatArray,
    progress: bool,
) -> Found:
    """As `simulation.simulate`."""
    import qiskit_aer  # noqa: F401  # gives circuits save_density_matrix and its like

    used = used_qubits(task, simplified, pruned)
    outputs, at = _Outputs(task, used), {site: j for j, site in enumerate(by)}
    everything = (True,) * len(by)
    choices = list(dict.fromkeys([everything, *cones]))
    rows, state_error = [], 0.0
    for i in bar("verifying", "sample", progress, of=range(task.num_samples)):
        gates = list(gates_on(simplified.bound_circuit(i), used))
        rewritten = {choice: _rewritten(gates, by, choice) for choice in choices}
        whole = _rewritten(gates, {}, ())
        original, final = (_rewritten(list(gates_on(t.bound_circuit(i), used)), {}, ()) for t in (task, pruned))
        state_error = max(state_error, *(DROPPED * _bonds_crossed(pieces) for pieces in (original, whole, final)))

        watched = QuantumCircuit(len(used))
        for k, (gate, places) in enumerate(gates):
            if k in at:
                watched.save_density_matrix(sorted(places), label=f"before {at[k]}")
            _append(watched, gate)
        outputs.save(watched)
        data = _run(watched)
        deformed, angle, doubt = np.zeros((3, len(by)))
        for j, (site, matrix) in enumerate(by.items()):
            rho, turn = np.asarray(data[f"before {j}"]), _matrix(*gates[site]).conj().T
            turn = turn if matrix is None else turn @ matrix
            angle[j], doubt[j] = _angle(rho, turn)
            deformed[j] = 2 * np.sin(_angle(_deformed(rho, float(q_inverse[j])), turn)[0] / 2)
        exact, _ = outputs.read(data)
        (before, spread), (replayed, _), (after, _) = (
            outputs.read(_run(outputs.circuit(pieces))) for pieces in (original, rewritten[everything], final)
        )
        made = {choice: _angle_between(len(used), whole, other) for choice, other in rewritten.items()}
        deviations = (outputs.deviation(*pair) for pair in ((before, exact), (before, after), (replayed, after)))
        means = (values if task.observables is not None else values[:0] for values in (before, after))
        made_in = [made[choice] for choice in (everything, *cones)]
        rows.append((*deviations, *means, spread, deformed, angle, made_in, doubt))
    *found, doubts = (np.array(column).T for column in zip(*rows, strict=True))
    # ρ is known to 2 D in trace norm, and sin²θ is Tr[ρ (V−o)†(V−o)]; |⟨φ|ψ⟩|, from two circuits, is known to 2 D.
    gate_error = np.sqrt(2 * state_error) * doubts.max(axis=1, initial=0)
    return Found._make([*found, state_error, gate_error, float(np.sqrt(4 * state_error))])


def _rewritten(gates: list[tuple[Pieces, tuple[int, ...]]], by: Replacements, chosen: Sequence[bool]) -> Pieces:
    """A circuit's matrices, with the chosen replacements made."""
    made: dict[int, Pieces] = {
        site: [] if matrix is None else [(matrix, tuple(sorted(gates[site][1])))]
        for (site, matrix), is_chosen in zip(by.items(), chosen, strict=True)
        if is_chosen
    }
    return [piece for k, (gate, _) in enumerate(gates) for piece in made.get(k, gate)]


def _append(circuit: QuantumCircuit, pieces: Pieces) -> None:
    for matrix, places in pieces:
        circuit.unitary(matrix, list(places))


def _run(circuit: QuantumCircuit) -> dict[str, Any]:
    from qiskit_aer import AerSimulator

    # With `enable_truncation`, its default, Aer up to 0.18 gives wrong means here, by as much as 1; `mps_lapack` has
    # crashed the process on entangled chains. And it refuses what would need more memory than there is if bonds
    # were as large as can be; these are not, or the certificate's own chain could not have had them.
    simulator = AerSimulator(
        method="matrix_product_state",
        max_memory_mb=10**15,
        max_parallel_threads=1,
        enable_truncation=False,
        fusion_enable=False,
    )
    result = simulator.run(circuit).result()
    if not result.success:
        raise RuntimeError(f"Aer could not simulate the circuit: {result.status}")
    return result.results[0].data.to_dict()


def _bonds_crossed(pieces: Pieces) -> int:
    """Gates on neighbours that a circuit comes to, swaps there and back included."""
    return sum(2 * (max(places) - min(places)) - 1 for _, places in pieces if len(places) > 1)


def _matrix(gate: Pieces, places: Sequence[int]) -> ComplexArray:
    """A gate on its qubits in ascending order."""
    ascending = sorted(places)
    local = [(matrix, tuple(ascending.index(q) for q in on)) for matrix, on in gate]
    return np.array([run_gates(local, column) for column in np.eye(2 ** len(ascending), dtype=complex)]).T


def _angle(rho: ComplexArray, turn: ComplexArray) -> tuple[float, float]:
    """arccos|Tr ρV| by the part orthogonal to the state, and the size of V − Tr ρV."""
    overlap = np.trace(rho @ turn)
    rest = turn - overlap * np.eye(len(turn))
    sine = np.sqrt(max(np.trace(rest @ rho @ rest.conj().T).real, 0))
    return float(np.arctan2(sine, abs(overlap))), float(np.linalg.norm(rest, 2))


def _deformed(rho: ComplexArray, q_inverse: float) -> ComplexArray:
    """D_η(ρ): (K^½ ρ K^½ + K^−½ ρ K^−½)/[2]_q on each qubit."""
    half = np.sqrt(np.array([1, q_inverse**2]) / (1 + q_inverse**2))
    for qubit in range(len(rho).bit_length() - 1):
        bits = np.arange(len(rho)) >> qubit & 1
        weights = [np.outer(diagonal[bits], diagonal[bits]) for diagonal in (half, half[::-1])]
        rho = (weights[0] + weights[1]) * rho
    return rho


def _angle_between(num_qubits: int, first: Pieces, second: Pieces) -> float:
    """The angle of the states that two circuits make, from the amplitude of |0…0⟩ after one and the other's inverse."""
    circuit = QuantumCircuit(num_qubits)
    _append(circuit, first)
    _append(circuit, [(matrix.conj().T, places) for matrix, places in reversed(second)])
    circuit.save_amplitudes([0], label="amplitude")
    return float(np.arccos(min(abs(_run(circuit)["amplitude"][0]), 1.0)))


class _Outputs:
    """What a task measures, saved and read by Aer."""

    def __init__(self, task: Task, used: list[int]) -> None:
        self.task, self.width = task, len(used)
        self.places = [used.index(q) for q in task.measured_qubits] if task.observables is None else None
        self.saved = []
        for observable, support, spectrum in zip(
            task.observables or (), task.output_supports, task.spectra, strict=False
        ):
            where = support or (used[0],)  # a multiple of the identity is read anywhere
            local = restricted(without_identity(observable)[1], where)
            self.saved.append((local, [used.index(q) for q in where], spectrum))

    def circuit(self, pieces: Pieces) -> QuantumCircuit:
        circuit = QuantumCircuit(self.width)
        _append(circuit, pieces)
        self.save(circuit)
        return circuit

    def save(self, circuit: QuantumCircuit) -> None:
        if self.places is not None:
            circuit.save_probabilities(self.places, label="outputs")
        for r, (observable, places, _) in enumerate(self.saved):
            save = circuit.save_expectation_value_variance
            if len(observable) > SQUARED_WORDS:
                save = circuit.save_expectation_value
            save(observable, places, label=f"output {r}")

    def read(self, data: dict[str, Any]) -> tuple[FloatArray, FloatArray]:
        """⟨O_r⟩ without the identity's part and σ_r, or the distribution and nothing."""
        if self.places is not None:
            return np.asarray(data["outputs"]), np.zeros(0)
        means, variances = [], []
        for r, (_, _, spectrum) in enumerate(self.saved):
            saved = data[f"output {r}"]
            mean, variance = saved if np.ndim(saved) else (saved, None)
            means.append(mean)
            variances.append((spectrum.high - means[-1]) * (means[-1] - spectrum.low) if variance is None else variance)
        return np.array(means), np.sqrt(np.maximum(variances, 0))

    def deviation(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """|Δ⟨O_r⟩|, or the total variation."""
        change = np.abs(second - first)
        return change if self.places is None else change.sum(keepdims=True) / 2
