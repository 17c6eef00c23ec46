"""Tasks and results as files: what is written comes back, what is damaged is named."""

import json

import numpy as np
import pytest
from helpers import ROOT
from plain_task import build, network
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import Parameter

import qprune
from qprune import (
    BundleError,
    CertificateError,
    Task,
    TaskError,
    Threshold,
)
from qprune.results.hashes import circuit_hash, task_hash


def test_round_trip_keeps_every_hash(tmp_path):
    for task in (
        build(holdout=0.5, labels=[1, -1], probabilities=[0.3, 0.7]),
        build(inputs=np.random.default_rng(0).normal(size=(7, 2))),
        build(inputs=np.random.default_rng(0).normal(size=(7, 2)), holdout=np.array([5, 1, 2])),
    ):
        task.save(tmp_path / "task", overwrite=True)
        again = Task.load(tmp_path / "task", holdout=task.holdout, seed=task.seed)
        assert circuit_hash(again.circuit) == circuit_hash(task.circuit)
        assert task_hash(again) == task_hash(task)


def test_hash_notices_every_change():
    base = circuit_hash(network())
    for change in (lambda c: c.z(0), lambda c: c.rz(1e-6, 0), lambda c: c.data.pop()):
        other = network()
        change(other)
        assert circuit_hash(other) != base
    swapped = network().copy()
    swapped.data[3] = swapped.data[3].replace(qubits=swapped.data[3].qubits[::-1])
    assert circuit_hash(swapped) != base
    assert task_hash(build(weights=[0.1, 0.2, 0.3 + 1e-15])) != task_hash(build())


def write_bundle(folder):
    folder.mkdir()
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("x_0"), 0)
    circuit.ry(Parameter("w_0"), 0)
    (folder / "circuit.qasm").write_text(qasm3.dumps(circuit))
    description = {
        "format": "qprune-task/1",
        "observables": [[["Z", 1.0]]],
        "input_params": ["x_0"],
        "weight_params": ["w_0"],
        "weights": [0.1],
    }
    (folder / "task.json").write_text(json.dumps(description))
    (folder / "inputs.csv").write_text("x_0,label,split\n0.1,1,train\n0.2,-1,test\n")
    return folder


def edit(name, old, new):
    def change(folder):
        path = folder / name
        path.write_text(path.read_text().replace(old, new))

    return change


def test_bundle_splits(tmp_path):
    folder = write_bundle(tmp_path / "b")
    assert Task.load(folder).num_samples == 1
    assert Task.load(folder, split=None).labels.tolist() == [1, -1]
    with pytest.raises(BundleError, match="no samples in split 'other'"):
        Task.load(folder, split="other")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "task.json").unlink(), "cannot read .*task.json"),
        (lambda f: (f / "circuit.qasm").unlink(), "has no circuit.json, circuit.qpy or circuit.qasm"),
        (lambda f: (f / "inputs.csv").unlink(), "inputs.csv is missing"),
        (lambda f: (f / "task.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "task.json").write_text("[]"), "must be a JSON object"),
        (lambda f: (f / "circuit.qasm").write_text("rubbish"), "cannot read .*circuit.qasm"),
        (lambda f: (f / "circuit.qpy").write_bytes(b"rubbish"), "cannot read .*circuit.qpy"),
        (edit("task.json", "qprune-task/1", "qprune-task/9"), "format"),
        (edit("task.json", '"weights": [0.1]', '"other": 1'), "weights"),
        (edit("task.json", '"Z"', '"Q"'), "docs/bundles.md"),
        (edit("inputs.csv", "x_0", "y_0"), "no column 'x_0'"),
        (edit("inputs.csv", "0.1", "abc"), "docs/bundles.md"),
        (edit("inputs.csv", "0.1,1,train\n", ""), "no samples in split 'train'"),
        (edit("inputs.csv", "0.1", "nan"), "finite"),
    ],
)
def test_damaged_bundles(tmp_path, damage, words):
    folder = write_bundle(tmp_path / "bundle")
    damage(folder)
    with pytest.raises((BundleError, TaskError), match=words) as caught:
        Task.load(folder)
    assert "\n" not in str(caught.value)


def test_no_bundle_at_all(tmp_path):
    with pytest.raises(BundleError, match="no task bundle at"):
        Task.load(tmp_path / "nowhere")


@pytest.fixture
def result():
    return qprune.prune(build(), Threshold(0.2))


@pytest.mark.parametrize("holdout", [0.0, 0.5, [1]], ids=["none", "fraction", "indices"])
def test_result_round_trip(tmp_path, holdout):
    result = qprune.prune(build(holdout=holdout), Threshold(0.2))
    qprune.save(result, tmp_path / "r", drawings=False)
    again = qprune.load(tmp_path / "r")
    assert again.certificate == result.certificate
    assert again.plan == result.plan
    assert str(again) == str(result)
    assert qprune.verify(again.original, again)


def test_output_folder_that_cannot_be_written_leaves_nothing(tmp_path, result):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(BundleError, match=r"is a file|cannot write"):
        qprune.save(result, blocked)
    with pytest.raises(BundleError, match="cannot write"):
        qprune.save(result, blocked / "inside")
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="something else"):
        qprune.save(result, occupied, overwrite=True)
    assert (occupied / "thesis.tex").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "occupied"]


def test_a_failed_save_leaves_the_earlier_result(tmp_path, result, monkeypatch):
    qprune.save(result, tmp_path / "r", drawings=False)
    before = (tmp_path / "r" / "certificate.json").read_bytes()

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(result.certificate), "to_json", broken)
    with pytest.raises(BundleError, match="No space left"):
        qprune.save(result, tmp_path / "r", drawings=False, overwrite=True)
    assert (tmp_path / "r" / "certificate.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:100], "not valid JSON"),
        (lambda text: "[]", "format"),
        (lambda text: text.replace("qprune-certificate/2", "other"), "format"),
        (lambda text: text.replace('"bound"', '"bounds"', 1), "missing required field `bound`"),
        (lambda text: json.dumps({**json.loads(text), "measured": [[1.0]]}), "claims are not for|another shape"),
        (lambda text: json.dumps({**json.loads(text), "angle": "abc"}), "damaged"),
        (lambda text: json.dumps({**json.loads(text), "replaced": [{}]}), "damaged"),
        (lambda text: json.dumps({**json.loads(text), "bound": [[float("nan")] * 2]}), "not valid JSON"),
    ],
)
def test_corrupt_certificates(result, damage, words):
    with pytest.raises(CertificateError, match=words):
        qprune.Certificate.from_json(damage(result.certificate.to_json()))


def test_certificate_round_trip(result):
    text = result.certificate.to_json()
    assert qprune.Certificate.from_json(text) == result.certificate
    assert qprune.Certificate.from_json(text).to_json() == text


def test_bundle_documentation_is_where_the_messages_say():
    assert (ROOT / "docs" / "bundles.md").exists()
