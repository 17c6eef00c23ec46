"""Bundles as files: what is written comes back, and what cannot be read is named."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from small_task import final, make

from qprune import BundleError, Task, TaskError


def full_task(observables=("ZZ", "XI")):
    labels = [1, -1, 1] if observables else None
    return make(
        observables=observables and list(observables),
        probabilities=[0.2, 0.3, 0.5],
        labels=labels,
        holdout=0.34,
        seed=3,
    )


@pytest.mark.parametrize("observables", [("ZZ", "XI"), None], ids=["observables", "probabilities"])
def test_a_bundle_gives_back_the_task(observables, tmp_path):
    task = full_task(observables)
    task.save(tmp_path / "a" / "b")
    back = Task.load(tmp_path / "a" / "b", holdout=0.34, seed=3)
    for name in ("inputs", "weights", "probabilities", "selected", "heldout"):
        np.testing.assert_array_equal(getattr(task, name), getattr(back, name))
    assert [p.name for p in back.input_params] == ["x0", "x1"]
    assert back.measured_qubits == task.measured_qubits
    assert (back.labels is None) == (task.labels is None)
    np.testing.assert_allclose(final(back), final(task), atol=1e-12)


def test_a_bundle_keeps_the_measured_qubits(tmp_path):
    circuit = QuantumCircuit(3, 2)
    circuit.ry(0.4, 2)
    circuit.measure([2, 0], [0, 1])
    Task(circuit).save(tmp_path)
    assert Task.load(tmp_path).measured_qubits == (2, 0)


def written(folder, **changes):
    """A good bundle in plain files, with changes of task.json; None takes an entry out."""
    folder.mkdir()
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("x0"), 0)
    circuit.rz(Parameter("w0"), 1)
    (folder / "circuit.qasm").write_text(qasm3.dumps(circuit))
    description = {
        "format": "qprune-task/1",
        "observables": [[["ZZ", 1.0]]],
        "input_params": ["x0"],
        "weight_params": ["w0"],
        "weights": [0.3],
        **changes,
    }
    description = {key: value for key, value in description.items() if value is not ...}
    (folder / "task.json").write_text(json.dumps(description))
    (folder / "inputs.csv").write_text("x0,label,split\n0.1,1,train\n0.2,-1,train\n0.3,1,test\n")
    return folder


def test_a_bundle_in_plain_files(tmp_path):
    folder = written(tmp_path / "b")
    assert Task.load(folder).inputs.tolist() == [[0.1], [0.2]]
    assert Task.load(folder, split="test").labels.tolist() == [1]
    assert Task.load(folder, split=None).num_samples == 3


def broken(change):
    """A bundle with one thing wrong."""

    def build(tmp_path):
        folder = written(tmp_path / "b")
        change(folder)
        return folder

    return build


def rewrite(name, text):
    def change(folder):
        path = folder / name
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)

    return broken(change)


def described(**changes):
    return lambda tmp_path: written(tmp_path / "b", **changes)


def truncated_qpy(folder):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    with open(folder / "circuit.qpy", "wb") as stream:
        qpy.dump(circuit, stream)
    whole = (folder / "circuit.qpy").read_bytes()
    (folder / "circuit.qpy").write_bytes(whole[: len(whole) // 2])


def as_folder(name):
    def change(folder):
        (folder / name).unlink()
        (folder / name).mkdir()

    return broken(change)


UNREADABLE = {
    "a file": (lambda tmp_path: written(tmp_path / "b") / "task.json", "no task bundle at .*task.json"),
    "task.json a folder": (as_folder("task.json"), "cannot read .*task.json: Is a directory"),
    "task.json not text": (rewrite("task.json", b"\xff\xfe\x00"), "cannot read .*task.json: it is not UTF-8"),
    "no observables": (described(observables=...), "is not as docs/bundles.md says: KeyError.'observables'"),
    "no input_params": (described(input_params=...), "KeyError.'input_params'"),
    "no weight_params": (described(weight_params=...), "KeyError.'weight_params'"),
    "no weights": (described(weights=...), "KeyError.'weights'"),
    "observables a number": (described(observables=5), "is not as docs/bundles.md says"),
    "observables of numbers": (described(observables=[5]), "is not as docs/bundles.md says"),
    "unknown Pauli": (described(observables=[[["QQ", 1.0]]]), "is not as docs/bundles.md says"),
    "text as coefficient": (described(observables=[[["ZZ", "a"]]]), "is not as docs/bundles.md says"),
    "input_params a number": (described(input_params=5), "is not as docs/bundles.md says"),
    "weight_params a number": (described(weight_params=5), "is not as docs/bundles.md says"),
    "circuit not text": (rewrite("circuit.qasm", b"\xff\xfe\x00"), "cannot read .*circuit.qasm"),
    "circuit.qpy cut off": (broken(truncated_qpy), "cannot read .*circuit.qpy"),
    "circuit.qpy empty": (rewrite("circuit.qpy", b""), "cannot read .*circuit.qpy"),
    "inputs.csv empty": (rewrite("inputs.csv", ""), "inputs.csv has no samples"),
    "inputs.csv header only": (rewrite("inputs.csv", "x0\n"), "inputs.csv has no samples"),
    "short row": (rewrite("inputs.csv", "label,x0\n1\n"), "inputs.csv has 1 cells in line 2, but 2 columns"),
    "label no integer": (rewrite("inputs.csv", "x0,label\n0.1,cat\n"), "is not as docs/bundles.md says.*cat"),
    "inputs.csv not text": (rewrite("inputs.csv", b"x0\n\xff\xfe\n"), "cannot read .*inputs.csv: it is not UTF-8"),
    "two columns alike": (rewrite("inputs.csv", "x0,x0\n0.1,0.2\n"), "inputs.csv has two columns 'x0'"),
    "an extra cell": (rewrite("inputs.csv", "x0\n0.1\n0.2,0.3\n"), "inputs.csv has 2 cells in line 3, but 1 columns"),
    "a huge field": (rewrite("inputs.csv", f"x0\n{'1' * 200_000}\n"), "inputs.csv is no table.*line 2.*field larger"),
    "an open quote": (rewrite("inputs.csv", 'x0\n"0.1\n'), "inputs.csv is no table.*unexpected end of data"),
    "nested JSON": (rewrite("task.json", "[" * 100_000), "task.json is not usable JSON: it is nested too deeply"),
    "a weight NaN": (rewrite("task.json", '{"weights": [NaN]}'), "task.json is not valid JSON: NaN is not a number"),
    "a weight without end": (rewrite("task.json", '{"weights": [1e999]}'), "1e999 is not a number"),
    "a key twice": (rewrite("task.json", '{"format": 1, "format": 2}'), "the key 'format' stands twice"),
    "circuit.json nested": (rewrite("circuit.json", "[" * 100_000), "circuit.json is not usable JSON"),
    "circuit.json of another kind": (rewrite("circuit.json", "{}"), 'circuit.json must be .*"qprune-circuit/1"'),
    "circuit.json without gates": (
        rewrite("circuit.json", '{"format": "qprune-circuit/1"}'),
        "is not a circuit as docs/",
    ),
    "inputs.csv a folder": (as_folder("inputs.csv"), "inputs.csv.*Is a directory"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_bundle_says_what_and_where(name, tmp_path):
    build, message = UNREADABLE[name]
    folder = build(tmp_path)
    with pytest.raises(BundleError, match=f"(?s){message}"):
        Task.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": [0.1, 0.2]}, r"weights must have shape \(1,\)"),
        ({"weight_params": ["nope"]}, "weight_params names nope"),
        ({"weight_params": []}, r"circuit parameter w0 is neither|weights must have shape"),
        ({"observables": [[["Z", 1.0]]]}, "acts on 1 qubits"),
        ({"observables": [[["ZZ", 1.0]]], "input_params": ["x0", "w0"]}, "no column 'w0'|named as input and as weight"),
    ],
)
def test_readable_files_that_do_not_fit_together(changes, message, tmp_path):
    with pytest.raises((TaskError, BundleError), match=message):
        Task.load(written(tmp_path / "b", **changes))


def test_a_bundle_goes_nowhere_unless_the_folder_can_be_made(tmp_path):
    """A file where the folder should be."""
    (tmp_path / "taken").write_text("mine")
    for target in (tmp_path / "taken", tmp_path / "taken" / "inside"):
        with pytest.raises(BundleError, match=r"is a file; give a folder|cannot write to"):
            make().save(target)
    assert (tmp_path / "taken").read_text() == "mine"


def test_inputs_keep_every_digit(tmp_path):
    """Written by repr, not rounded."""
    value = 0.1 + 0.2
    make(inputs=[[value, 1e-300]]).save(tmp_path)
    assert Task.load(tmp_path).inputs.tolist() == [[value, 1e-300]]
    with open(tmp_path / "inputs.csv", newline="") as stream:
        assert next(csv.DictReader(stream))["x0"] == repr(value)


def test_a_table_from_a_spreadsheet(tmp_path):
    """With a byte-order mark, a column that is none of ours, quotes and an empty line."""
    folder = written(tmp_path / "b")
    (folder / "inputs.csv").write_text('x0,label,remark\r\n"0.1",1,"a, b"\r\n\r\n0.2,-1,\r\n', encoding="utf-8-sig")
    task = Task.load(folder)
    assert task.inputs.tolist() == [[0.1], [0.2]]
    assert task.labels.tolist() == [1, -1]


@pytest.mark.parametrize("given", ["ZZ", ["ZZ", 2.0], [["ZZ", 2.0]]])
def test_an_observable_of_one_word_may_be_its_label(given, tmp_path):
    factor = 1.0 if given == "ZZ" else 2.0
    assert Task.load(written(tmp_path / "b", observables=[given])).observables == (SparsePauliOp("ZZ", factor),)


def test_labels_may_be_written_as_fractions_and_those_of_other_classes_are_refused(tmp_path):
    folder = written(tmp_path / "b")
    (folder / "inputs.csv").write_text("x0,label\n0.1,1.0\n0.2,-1.0\n")
    assert Task.load(folder).labels.tolist() == [1, -1]
    (folder / "inputs.csv").write_text("x0,label\n0.1,1\n0.2,0\n")
    assert Task.load(folder).labels.tolist() == [1, 0]
    (folder / "inputs.csv").write_text("x0,label\n0.1,1\n0.2,2\n")
    with pytest.raises(TaskError, match=r"labels must be -1 or 1.*or 0 … 1, got \[1\.0, 2\.0\]"):
        Task.load(folder)


def test_an_input_with_the_name_of_another_column_is_refused(tmp_path):
    """Written, the last column of that name would count."""
    circuit = QuantumCircuit(1)
    label = Parameter("label")
    circuit.rx(label, 0)
    task = Task(circuit, "Z", inputs=[[0.3]], input_params=[label], labels=[1])
    with pytest.raises(BundleError, match=r"inputs.csv has a column 'label' of its own"):
        task.save(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_replaces_a_bundle_and_nothing_else(tmp_path):
    make().save(tmp_path / "b")
    with pytest.raises(BundleError, match="overwrite=True"):
        make().save(tmp_path / "b")
    make(weights=[0.1, 0.2]).save(tmp_path / "b", overwrite=True)
    assert Task.load(tmp_path / "b").weights.tolist() == [0.1, 0.2]
    (tmp_path / "b" / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="something else"):
        make().save(tmp_path / "b", overwrite=True)
    assert (tmp_path / "b" / "thesis.tex").exists()


FORGED = {
    "unknown gate": {"gates": [{"gate": "rw", "on": [0]}]},
    "gate on no qubit": {"gates": [{"gate": "h", "on": [7]}]},
    "unknown parameter": {"gates": [{"gate": "rx", "on": [0], "angles": ["q"]}]},
    "code for an angle": {"gates": [{"gate": "rx", "on": [0], "angles": ["__import__('os').getcwd()"]}]},
    "unknown kind": {"gates": [{"gate": "u", "kind": "u", "data": {}, "on": [0]}]},
    "no unitary": {
        "gates": [{"gate": "unitary", "kind": "unitary", "data": {"matrix": [[[1, 0]] * 2] * 2}, "on": [0]}]
    },
    "registers a number": {"registers": 5},
    "global phase a list": {"global_phase": [1]},
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_circuit_is_refused(name, tmp_path):
    make().save(tmp_path / "b")
    path = tmp_path / "b" / "circuit.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | FORGED[name]))
    with pytest.raises(BundleError, match=r"circuit.json is not a circuit as docs/bundles.md says"):
        Task.load(tmp_path / "b")
