"""The public interface as newcomers use and misuse it: the obvious thing happens, or one clear error."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pennylane as qml
import pytest
from helpers import BOUND_SLACK, deviation, state
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

import qprune
import qprune.pennylane as qpp
from qprune import (
    BundleError,
    Certificate,
    CertificateError,
    Measured,
    OptionError,
    Proven,
    QpruneError,
    Statevector,
    Task,
    TaskError,
    draw,
    frontier,
    plot,
    prune,
    report,
    save,
    trade_off,
    verify,
)
from qprune.cli.command import UNUSABLE, main
from qprune.limits.base import options_of
from qprune.limits.registry import LIMITS
from qprune.qiskit.faces import check_certificate

X, W = ParameterVector("x", 2), ParameterVector("w", 3)
ROWS = np.random.default_rng(0).normal(size=(5, 2))


def network():
    circuit = QuantumCircuit(3)
    circuit.ry(X[0], 0)
    circuit.rx(X[1], 1)
    circuit.ry(W[0], 0)
    circuit.cx(0, 1)
    circuit.rz(W[1], 1)
    circuit.cx(1, 2)
    circuit.ry(W[2], 2)
    return circuit


def make(**changes):
    options = {"inputs": ROWS, "input_params": list(X), "weights": [0.01, 0.4, 0.02], **changes}
    return Task(network(), "ZII", **options)


@pytest.fixture(scope="module")
def result():
    return prune(make(), Proven(0.1))


@qml.qnode(qml.device("default.qubit", wires=2))
def qnode(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(2))
    qml.BasicEntanglerLayers(weights, wires=range(2))
    return qml.expval(qml.Z(0))


WEIGHTS = np.array([[0.02, 0.7], [0.4, 0.01]])

# -- what works ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))], ids=["copy", "deepcopy", "pickle"]
)
def test_results_can_be_copied_and_sent_elsewhere(result, again):
    """An equal certificate that still belongs to the circuits that came along; results are told apart by identity."""
    other = again(result)
    assert other.certificate == result.certificate
    assert verify(other.original, other)
    assert len({other, result}) == 2


def test_pruning_twice():
    """The pruned network is a task again; deviations from the first original are within the sum of the bounds."""
    first = prune(make(), Proven(0.011))
    second = prune(first.task, Proven(0.05))
    assert verify(first.task, second)
    assert second.circuit.size() < first.circuit.size() < first.simplified.size()
    total = np.array(first.certificate.bound) + np.array(second.certificate.bound)
    for i in range(len(ROWS)):
        change = deviation(first.original, *(state(t.bound_circuit(i)) for t in (first.original, second.task)))
        assert np.all(change <= total[:, i] + BOUND_SLACK)


def test_numbers_and_switches_of_numpy(result):
    options = {
        "seed": np.int64(0),
        "prune_encoding": np.False_,
        "simulator": Statevector(threads=np.int32(1)),
    }
    numpy = prune(
        make(seed=np.int64(0)), Proven(np.float32(0.125), window=np.int64(3)), costs={"cx": np.int64(10)}, **options
    )
    python = prune(make(), Proven(0.125, window=3), costs={"cx": 10.0})
    assert numpy.certificate == python.certificate
    assert Certificate.from_json(numpy.certificate.to_json()) == numpy.certificate


def test_vectors_name_their_elements():
    """Also inside a list, as an ansatz often has several of them."""
    both = make(input_params=[X], weight_params=[W])
    assert (both.input_params, both.weight_params) == (tuple(X), tuple(W))


# -- what does not ------------------------------------------------------------------------------------------------

REFUSED = {
    "prune a circuit": (lambda r: prune(network()), TaskError, r"wrap a circuit as Task\(circuit, …\)"),
    "prune a result": (lambda r: prune(r), TaskError, r"got PruneResult.*take \.task \(the pruned network\)"),
    "prune a QNode": (lambda r: prune(qnode), TaskError, "give a QNode to qprune.pennylane.prune"),
    "frontier of a result": (lambda r: frontier(r), TaskError, "got PruneResult"),
    "report of a task": (lambda r: report(make(), "page.html"), OptionError, "result must be .*got Task"),
    "save a QNode": (lambda r: save(qnode, "out"), OptionError, "got .*a pruned QNode has it as .result, and its own"),
    "draw a circuit": (lambda r: draw(network()), OptionError, "result must be .*got QuantumCircuit"),
    "plot a task": (lambda r: plot(make()), OptionError, "result must be .*got Task"),
    "refit by number": (lambda r: prune(make(), Measured(0.1, refit=1)), OptionError, "refit .*got 1"),
    "check a number": (lambda r: check_certificate(3, {}), TaskError, "circuit must be .*got int"),
    "a single budget": (lambda r: frontier(make(), budgets=0.1), OptionError, "budgets must be a list.*got 0.1"),
    "words for budgets": (lambda r: frontier(make(), budgets="ab"), OptionError, "budget must be .*got 'a'"),
    "a late bad budget": (lambda r: frontier(make(), budgets=[0.1, -1]), OptionError, "budget must be .*got -1"),
    "trade-off of a task": (lambda r: trade_off(r.original), OptionError, "what qprune.prune returned, got Task"),
    "verify the wrong way round": (lambda r: verify(r, r.original), TaskError, "got PruneResult and Task"),
    "verify a certificate": (lambda r: verify(r.original, r.certificate), TaskError, "got Task and Certificate"),
    "verify a namesake": (lambda r: verify(SimpleNamespace(), r), TaskError, "got SimpleNamespace and"),
    "names of other libraries": (lambda r: prune(make(), costs={"CNOT": 5}), OptionError, "names 'CNOT'.*such as cx"),
    "a cost in words": (lambda r: prune(make(), costs={"cz": "a"}), OptionError, "finite number ≥ 0.*'a' for cz"),
    "a certificate of nothing": (lambda r: Certificate.from_json(None), CertificateError, "not valid JSON"),
    "a bundle for a result": (lambda r: qprune.load("circuits"), BundleError, "holds no certificate.json"),
    "save over a file": (lambda r: qprune.save(r, __file__), BundleError, "is a file; give a folder"),
    "save below a file": (lambda r: qprune.save(r, f"{__file__}/x/y"), BundleError, "is no folder with leave to write"),
    "verify a pruned QNode": (
        lambda r: verify(r.original, qpp.prune(qnode, inputs=ROWS, weights=WEIGHTS)),
        TaskError,
        r"call its own verify\(\)",
    ),
    "one sample": (
        lambda r: qpp.prune(qnode, inputs=ROWS[0], weights=WEIGHTS),
        TaskError,
        r"inputs of shape \(\), weights of shape \(2, 2\).*leading axis of samples",
    ),
    "weights of one layer": (
        lambda r: qpp.prune(qnode, inputs=ROWS, weights=WEIGHTS[0]),
        TaskError,
        r"inputs of shape \(2,\), weights of shape \(2,\)",
    ),
    "train what is not pruned": (
        lambda r: qpp.finetune(qnode, lambda net, w: 0.0, qml.AdamOptimizer(), 1),
        TaskError,
        "got QNode; prune the QNode first",
    ),
    "measure what is not pruned": (lambda r: qpp.recertify(qnode), TaskError, "got QNode; prune the QNode first"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(name, result):
    act, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words) as caught:
        act(result)
    assert isinstance(caught.value, QpruneError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prune", "SAVED"], "holds a result; give one of the task bundles in it"),
        (["prune", "SAVED/pruned", "--out", "SAVED/plan.json/x"], "is no folder with leave to write"),
        (["prune", "SAVED/pruned", "--window", "x"], "must be auto or a number of qubits"),
        (["prune", "SAVED/pruned", "--tradeoff", "1"], "must be an integer ≥ 2, or 0 for no curve"),
        (["prune", "SAVED/pruned", "--costs", "[1]"], "must be a JSON object"),
        (["frontier", "SAVED/pruned", "--budgets", "0.1", "nan"], "budget must be a finite number"),
        (["verify", "SAVED/pruned"], "holds no certificate.json"),
    ],
)
def test_the_command_says_so_before_it_prunes(arguments, words, result, tmp_path, capsys):
    qprune.save(result, tmp_path / "saved", drawings=False)
    try:
        status = main([a.replace("SAVED", str(tmp_path / "saved")) for a in arguments])
    except SystemExit as stopped:  # argparse's own way
        status = stopped.code
    out, err = capsys.readouterr()
    assert (status, out) == (UNUSABLE, "")
    assert words in err


def test_a_pruned_bundle_can_be_pruned_from_the_command_line(result, tmp_path, capsys):
    qprune.save(result, tmp_path / "saved", drawings=False)
    again = str(tmp_path / "again")
    assert main(["prune", str(tmp_path / "saved" / "pruned"), "--tradeoff", "0", "--out", again]) == 0
    assert main(["verify", again]) == 0
    assert "every claim holds" in capsys.readouterr().out


@pytest.mark.parametrize("junk", [np.diag([1, 2, 3]), SparsePauliOp("Z"), "a\nb"])
def test_errors_are_one_line_whatever_they_show(junk):
    """Matrices and operators print in several lines."""
    acts = [
        lambda: prune(make(), Measured(0.1, refit=junk)),
        lambda: prune(make(), Proven(junk)),
        lambda: prune(make(), Proven(0.1), strategy=junk),
        lambda: prune(make(), Proven(0.1), representatives=junk),
        lambda: make(weight_params=junk),
        lambda: Task(network(), junk),
    ]
    for act in acts:
        with pytest.raises(QpruneError) as caught:
            act()
        assert len(str(caught.value).splitlines()) == 1
        copied = pickle.loads(pickle.dumps(caught.value))
        assert (type(copied), str(copied)) == (type(caught.value), str(caught.value))


@pytest.mark.parametrize("junk", [np.zeros((2, 2)), np.array([]), np.diag([1, 2, 3])], ids=["zeros", "empty", "matrix"])
@pytest.mark.parametrize("limit", LIMITS.values(), ids=lambda limit: limit.name)
def test_no_field_of_a_limit_takes_an_array(limit, junk):
    """Comparing one with a word or a number gives an array, whose truth NumPy refuses to tell."""
    main = {} if limit.main == "device" else {limit.main: 0.1}
    for name in {limit.main, *options_of(limit)}:
        with pytest.raises(QpruneError):
            limit(**{**main, name: junk})


LONG = "9" * 5000


@pytest.mark.parametrize(
    "arguments",
    [
        *(["prune", LONG], ["verify", LONG], ["show", LONG], ["certify", LONG], ["frontier", LONG, "--budgets", "0.1"]),
        *(["show", f"{LONG}/x"], ["prune", "BUNDLE", "--under-noise", LONG], ["prune", "BUNDLE", "--noise", LONG]),
        ["prune", "BUNDLE", "--out", LONG],
    ],
    ids=lambda arguments: " ".join(a[:12] for a in arguments),
)
def test_names_longer_than_a_file_system_takes(arguments, tmp_path, capsys):
    make().save(tmp_path / "bundle")
    try:
        status = main([a.replace("BUNDLE", str(tmp_path / "bundle")) for a in arguments])
    except SystemExit as stopped:
        status = stopped.code
    assert status == UNUSABLE
    assert "Traceback" not in capsys.readouterr().err
