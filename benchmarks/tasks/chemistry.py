"""Write the Hamiltonians beside this file: `python -m benchmarks.tasks.chemistry`. Needs PySCF; nothing else does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from benchmarks.tasks.fermions import FOLDER, hamiltonian
from qprune._optional import require

BASIS = "sto-3g"
DECIMALS = 12  # of a coefficient in hartree, so that a second run writes the same bytes


@dataclass(frozen=True)
class Geometry:
    """Where the nuclei are, and which orbitals are active."""

    atoms: str
    electrons: int
    orbitals: Sequence[int]  # by rising Hartree-Fock energy, from 0


GEOMETRIES = {
    "h2": Geometry("H 0 0 0; H 0 0 0.7414", 2, (0, 1)),
    # Lithium's 1s is frozen; the two π orbitals cannot mix with the σ orbitals and stay empty.
    "lih": Geometry("Li 0 0 0; H 0 0 3.0", 2, (1, 2, 5)),
    # At equilibrium. Oxygen's 1s and 2s and the lone pair out of the plane are frozen; the bonds and their partners are
    # active.
    "h2o": Geometry("O 0 0 0; H 0 0.7572 0.5865; H 0 -0.7572 0.5865", 4, (2, 3, 5, 6)),
}


def written(geometry: Geometry) -> dict[str, Any]:
    """Hamiltonian and energies, as they go into the file."""
    gto, scf, fci, mcscf, ao2mo = (
        require(f"pyscf.{part}", "chemistry", "the Hamiltonian") for part in ("gto", "scf", "fci", "mcscf", "ao2mo")
    )
    mean_field = scf.RHF(gto.M(atom=geometry.atoms, basis=BASIS, verbose=0)).run(conv_tol=1e-12)
    space = mcscf.CASCI(mean_field, len(geometry.orbitals), geometry.electrons)
    order = space.sort_mo(list(geometry.orbitals), base=0)
    active = space.kernel(order)[0]
    one, constant = space.get_h1eff(order)
    two = ao2mo.restore(1, space.get_h2eff(order), len(geometry.orbitals))
    terms = hamiltonian(one, two, float(constant)).to_list()
    return {
        "atoms": geometry.atoms,
        "unit": "angstrom",
        "basis": BASIS,
        "orbitals": list(geometry.orbitals),
        "electrons": geometry.electrons,
        "energies": {
            "hartree_fock": round(float(mean_field.e_tot), DECIMALS),
            "active_space": round(float(active), DECIMALS),
            "full": round(float(fci.FCI(mean_field).kernel()[0]), DECIMALS),
        },
        "terms": [[label, round(float(value.real), DECIMALS)] for label, value in sorted(terms)],
        "versions": {"pyscf": version("pyscf")},
    }


if __name__ == "__main__":
    for name, geometry in GEOMETRIES.items():
        text = json.dumps(written(geometry), indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"written: {name}.json")
