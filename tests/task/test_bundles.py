"""The reference networks: they load, do what task.json says, and the planted redundancies are found."""

import json

import numpy as np
import pytest
from helpers import CIRCUITS
from oracles import outputs_on
from qiskit.circuit.library import efficient_su2, zz_feature_map
from qiskit.quantum_info import Operator, Statevector

import qprune
from qprune import Proven, Threshold

BUNDLES = sorted(path.parent.name for path in CIRCUITS.glob("*/task.json"))


def test_all_bundles_are_there():
    assert BUNDLES == [
        "cancer-4q",
        "digits-10q",
        "digits-6q",
        "digits4-8q",
        "h2-vqe-4q",
        "iris-4q",
        "planted-5q",
        "reupload-2q",
        "wine-6q",
    ]


@pytest.mark.thinned(18)
@pytest.mark.parametrize("name", BUNDLES)
def test_recorded_accuracy_or_energy_is_that_of_the_circuit(name):
    """Recomputed from the files alone with quantum_info."""
    provenance = json.loads((CIRCUITS / name / "task.json").read_text())["provenance"]
    splits = {"train": "train_accuracy", "test": "test_accuracy"}
    if "energy_hartree" in provenance:
        task = qprune.Task.load(CIRCUITS / name)
        energy = Statevector(task.bound_circuit(0)).expectation_value(task.observables[0]).real
        exact = np.linalg.eigvalsh(task.observables[0].to_matrix())[0]
        assert energy == pytest.approx(provenance["energy_hartree"], abs=1e-9)
        assert exact == pytest.approx(provenance["exact_energy_hartree"], abs=1e-9)
        assert 0 <= 1000 * (energy - exact) < 1
        return
    for split, key in splits.items():
        if key not in provenance:
            continue
        task = qprune.Task.load(CIRCUITS / name, split=split)
        means = outputs_on(task, task.inputs)
        if name == "digits4-8q":  # one observable per class
            assert set(task.labels) == {0, 1, 2, 3}
            predicted = means.argmax(axis=1)
        else:
            assert set(task.labels) == {-1, 1}
            predicted = [1 if values[0] > 0 else -1 for values in means]
        assert np.mean(np.array(predicted) == task.labels) == pytest.approx(provenance[key], abs=1e-12)
        assert task.accuracy(np.transpose(means)) == pytest.approx(provenance[key], abs=1e-12)


def test_wine_circuit_is_the_one_of_qiskits_library():
    task = qprune.Task.load(CIRCUITS / "wine-6q")
    encoding = zz_feature_map(6, reps=1, entanglement="linear").assign_parameters(task.inputs[0])
    ansatz = efficient_su2(6, reps=3, entanglement="circular").assign_parameters(task.weights)
    library = Operator(encoding.compose(ansatz).decompose()).data
    np.testing.assert_allclose(Operator(task.bound_circuit(0)).data, library, atol=1e-12)


def test_every_planted_redundancy_is_found_and_nothing_else():
    planted = json.loads((CIRCUITS / "planted-5q" / "task.json").read_text())["planted"]
    result = qprune.prune(qprune.Task.load(CIRCUITS / "planted-5q"), Threshold(1e-6))
    gone = {e.index for e in result.plan if e.action in ("remove", "simplify") and not e.detail.startswith("merged")}
    assert gone == {entry["index"] for entry in planted}
    assert result.certificate.largest_bound < 1e-5
    assert result.certificate.largest_measured < 1e-12


def test_planted_kinds_are_found_by_the_stage_they_belong_to():
    planted = json.loads((CIRCUITS / "planted-5q" / "task.json").read_text())["planted"]
    plan = qprune.prune(qprune.Task.load(CIRCUITS / "planted-5q"), Threshold(1e-6)).plan
    exact = {"inverse-pair": "inverse pair", "light-cone": "light cone", "commutes-with-observable": "commutes"}
    for entry in planted:
        found = plan[entry["index"]]
        if entry["kind"] in exact:
            assert found.action == "simplify"
            assert found.detail.startswith(exact[entry["kind"]])
        elif found.detail != "phase of the initial state":  # a rotation about Z of |0⟩ goes exactly, too
            # redundant only at the trained weights and on these inputs
            assert found.action == "remove", (entry, found)


@pytest.mark.thinned(6)
@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("budget", [0.02, 0.25])
def test_bundles_prune_within_their_bound(name, budget):
    result = qprune.prune(qprune.Task.load(CIRCUITS / name), Proven(budget))
    certificate = result.certificate
    assert np.all(np.array(certificate.measured) <= np.array(certificate.bound) + 1e-12)
    assert certificate.largest_bound <= budget
