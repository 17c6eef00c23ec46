"""The examples in short form: what they print must hold."""

import numpy as np
import pennylane as qml
import pytest

import qprune
from examples import classification, generative, vqe


@pytest.mark.soak
def test_classification(tmp_path):
    rows = classification.main(short=True, out=tmp_path / "demo")
    table = [dict(zip(classification.HEADER, row, strict=True)) for row in rows]
    by_step = {row["step"]: row for row in table}
    assert len(by_step) == len(table)
    pruned, again = by_step["pruned"], by_step["pruned again"]
    assert float(pruned["accuracy"]) >= float(by_step["trained"]["accuracy"]) - 0.02
    assert int(again["gates"]) <= int(pruned["gates"]) < int(by_step["exact simplification"]["gates"])
    assert float(pruned["measured"]) <= float(pruned["proven"]) <= classification.BUDGET
    assert float(again["measured"]) <= classification.BUDGET
    assert [step for step, row in by_step.items() if row["unseen"]] == ["pruned", "pruned again"]
    saved = qprune.load(tmp_path / "demo")
    assert saved.certificate.holdout.samples == 60
    assert saved.certificate.holdout.largest <= float(pruned["unseen"]) <= 2
    assert list(saved.original.heldout) == list(range(60, 120))
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"report.html", "certificate.json", "before.png", "after.png"} <= names
    assert (tmp_path / "demo.md").is_file()


# The smaller molecule goes through all of the code; the other takes seconds.
EACH = [pytest.param(name, marks=() if name == "H2" else pytest.mark.soak) for name in vqe.MOLECULES]


@pytest.mark.parametrize("name", EACH)
def test_hartree_fock_is_far_from_chemical_accuracy(name):
    """Otherwise pruning everything would do; its energy is the diagonal entry of the occupied orbitals."""
    hamiltonian, qubits, electrons = vqe.problem(name)
    matrix = qml.matrix(hamiltonian, wire_order=range(qubits))
    occupied = int("1" * electrons + "0" * (qubits - electrons), 2)
    error = 1000 * (matrix[occupied, occupied].real - np.linalg.eigvalsh(matrix)[0])
    assert error > 10 * vqe.CHEMICAL_ACCURACY


@pytest.mark.parametrize("name", EACH)
def test_vqe_stays_within_chemical_accuracy(name):
    numbers = vqe.main(short=True)[name] if name == "H2" else vqe.pruned_molecule(name, steps=30)
    assert numbers["Hartree-Fock (mHa)"] > 10 * vqe.CHEMICAL_ACCURACY
    assert numbers["gates after"] < numbers["gates before"]
    change = abs(numbers["error after (mHa)"] - numbers["error before (mHa)"])
    assert change <= 1000 * vqe.BUDGET
    assert numbers["error after (mHa)"] < vqe.CHEMICAL_ACCURACY
    assert change <= numbers["proven change (mHa)"]


@pytest.mark.soak
def test_generative_stays_within_its_bound():
    numbers = generative.main(short=True)["2x2"]
    assert numbers["gates after"] < numbers["exact"]
    assert numbers["TV by pruning"] <= numbers["proven"] <= generative.BUDGET
    assert numbers["TV to target after"] <= numbers["TV to target before"] + numbers["TV by pruning"] + 1e-12


@pytest.mark.parametrize(("rows", "columns", "images"), [(2, 2, 6), (2, 3, 10), (3, 3, 14)])
def test_bars_and_stripes(rows, columns, images):
    target = generative.bars_and_stripes(rows, columns)
    assert (target > 0).sum() == images
    assert target.sum() == pytest.approx(1)
