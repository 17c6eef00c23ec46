"""VQE: prune a trained ansatz and stay within chemical accuracy, for H2 and for LiH with its bond stretched.

Hartree-Fock, the state that training starts from, is ten times further off than chemical accuracy in both.

python -m examples.vqe [--short]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pennylane as qml
from pennylane import numpy as pnp
from tqdm import tqdm

import qprune.pennylane as qpp
from qprune import Measured

CHEMICAL_ACCURACY = 1.6  # mHa
BUDGET = 1e-3  # hartree that the energy may change
ANGSTROM = 1 / 0.529177210903  # in bohr
MOLECULES: dict[str, dict[str, Any]] = {
    "H2": {"symbols": ["H", "H"], "distance": 0.7414, "active": (2, 2)},
    "LiH": {"symbols": ["Li", "H"], "distance": 3.0, "active": (2, 3)},
}


def main(short: bool = False) -> dict[str, dict[str, float]]:
    """Train, prune and compare with exact diagonalisation; returns the numbers it prints, by molecule."""
    names = ["H2"] if short else list(MOLECULES)
    found = {name: pruned_molecule(name, steps=40 if short else 150) for name in names}
    columns = list(next(iter(found.values())))
    print("".join(f"{c:>22}" for c in ("molecule", *columns)))
    for name, numbers in found.items():
        print(f"{name:>22}" + "".join(f"{numbers[c]:>22.4g}" for c in columns))
    print(f"chemical accuracy is {CHEMICAL_ACCURACY} mHa")
    return found


def problem(name: str) -> tuple[Any, int, int]:
    """Hamiltonian in hartree, qubits and electrons of a molecule's active space."""
    molecule, (electrons, orbitals) = MOLECULES[name], MOLECULES[name]["active"]
    geometry = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, molecule["distance"] * ANGSTROM]])
    hamiltonian, qubits = qml.qchem.molecular_hamiltonian(
        qml.qchem.Molecule(molecule["symbols"], geometry), active_electrons=electrons, active_orbitals=orbitals
    )
    return hamiltonian, qubits, electrons


def pruned_molecule(name: str, steps: int) -> dict[str, float]:
    """Train for so many steps, prune, and compare; energies are differences from the exact ground state."""
    hamiltonian, qubits, electrons = problem(name)
    exact = float(np.linalg.eigvalsh(qml.matrix(hamiltonian, wire_order=range(qubits)))[0])
    singles, doubles = qml.qchem.excitations(electrons, qubits)
    start = qml.qchem.hf_state(electrons, qubits)

    @qml.qnode(qml.device("default.qubit", wires=qubits))
    def energy(weights: Any) -> Any:
        """Hartree-Fock state and all single and double excitations, of which most matter little."""
        qml.BasisState(start, wires=range(qubits))
        for k, wires in enumerate(doubles):
            qml.DoubleExcitation(weights[k], wires=wires)
        for k, wires in enumerate(singles):
            qml.SingleExcitation(weights[len(doubles) + k], wires=wires)
        return qml.expval(hamiltonian)

    weights, optimizer = pnp.zeros(len(doubles) + len(singles)), qml.AdamOptimizer(0.05)
    hartree_fock = float(energy(weights))
    for _ in tqdm(range(steps), desc=f"training {name}", disable=None):
        weights = optimizer.step(energy, weights)

    pruned = qpp.prune(energy, Measured(BUDGET), inputs=None, weights=weights)
    result = pruned.result
    return {
        "qubits": qubits,
        "gates before": result.flat.size(),
        "gates after": result.circuit.size(),
        "two-qubit before": result.flat.num_nonlocal_gates(),
        "two-qubit after": result.circuit.num_nonlocal_gates(),
        "Hartree-Fock (mHa)": 1000 * (hartree_fock - exact),
        "error before (mHa)": 1000 * (float(energy(weights)) - exact),
        "error after (mHa)": 1000 * (float(pruned(pruned.weights)) - exact),
        "proven change (mHa)": 1000 * result.certificate.largest_bound,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="H2 alone, few steps")
    main(parser.parse_args().short)
