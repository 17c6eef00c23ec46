"""Labels 0 and 1 of one output: ⟨O⟩ > 0 is class 0, and what the original shows to be meant otherwise is refused."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qprune
from qprune import Measured, Task, TaskError
from qprune.cli.command import UNUSABLE, main
from qprune.task.labels import check_convention, predicted

X, W = Parameter("x"), Parameter("w")
ANGLES = np.array([[0.2], [0.7], [2.5], [2.9], [1.2]])
CLASSES = (np.cos(ANGLES[:, 0]) < 0).astype(int)  # ⟨Z⟩ = cos(x): |0⟩ is class 0


def task(labels, observable="Z", **more):
    circuit = QuantumCircuit(1)
    circuit.ry(X, 0)
    circuit.rz(W, 0)
    return Task(circuit, observable, inputs=ANGLES, input_params=[X], weights=[0.3], labels=labels, **more)


@pytest.mark.parametrize("labels", [CLASSES, CLASSES.astype(bool), CLASSES.astype(float)])
def test_class_0_is_what_is_positive(labels):
    result = qprune.prune(task(labels), Measured(0.1))
    assert result.accuracy == (1, 1)
    assert result.original.labels.tolist() == CLASSES.tolist()
    qprune.verify(result)


def test_an_error_counts_as_one():
    wrong = CLASSES.copy()
    wrong[0] = 1
    result = qprune.prune(task(wrong, holdout=[1]), Measured(0.1))
    assert result.accuracy == (0.8, 0.8)
    qprune.verify(result)


def test_labels_that_are_meant_the_other_way_round_are_refused_with_both_numbers():
    turned = 1 - CLASSES
    turned[0] = 0
    with pytest.raises(TaskError, match=r"predicts 0\.2 of 5 samples right, and 0\.8 the other way.*2\*labels - 1"):
        qprune.prune(task(turned), Measured(0.1))
    assert qprune.prune(task(2 * turned - 1), Measured(0.1)).accuracy == (0.8, 0.8)
    assert qprune.prune(task(1 - 2 * turned), Measured(0.1)).accuracy == (0.2, 0.2)  # as was said in so many words


def test_an_observable_of_one_sign_predicts_nothing():
    projector = np.diag([1.0, 0.0])
    with pytest.raises(TaskError, match=r"values lie in \[0, 1\]; subtract"):
        qprune.prune(task(CLASSES, projector), Measured(0.1))
    shifted = np.diag([0.5, -0.5])
    assert qprune.prune(task(CLASSES, shifted), Measured(0.1)).accuracy == (1, 1)


def test_a_part_of_the_samples_goes_by_all_labels():
    labels = np.array([0, 1, 1])
    assert predicted(labels, np.array([[0.5, -0.5]])).tolist() == [0, 1]
    assert predicted(np.array([1, 1]), np.array([[0.5, -0.5]])).tolist() == [1, -1]
    assert predicted(labels, np.array([[0.5, -0.5], [0.1, 0.1]])).tolist() == [0, 1]
    spectrum = task(CLASSES).spectra[0]
    check_convention(labels, np.array([1, 2]), np.array([[-0.5, 0.5]]), spectrum)  # as right one way as the other


def test_bundles_keep_them_and_the_command_names_the_column(tmp_path, capsys):
    task(CLASSES).save(tmp_path / "mine")
    assert Task.load(tmp_path / "mine").labels.tolist() == CLASSES.tolist()
    path = tmp_path / "mine" / "inputs.csv"
    header, *rows = csv.reader(path.read_text().splitlines())
    at = header.index("label")
    lines = [header, *([*row[:at], str(1 - int(row[at])), *row[at + 1 :]] for row in rows)]
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
    assert main(["prune", str(tmp_path / "mine"), "--measured", "0.1"]) == UNUSABLE
    said = capsys.readouterr().err
    assert "0 of 5 samples right, and 1 the other way round" in said
    assert "write 2*label - 1 into inputs.csv" in said
