"""Certificates as text: whole ones come back to the byte, damaged ones end in one clear error, never in a traceback."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import INPUTS, WEIGHTS
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp

from qprune import BundleError, Certificate, CertificateError, PruneResult, QpruneError, Task, prune, verify
from qprune.certificate import circuit_hash

x = INPUTS[0]
WRONG = [None, 5, "a", [], {}, [None], [5], ["a"], [["a"]], -1]


@pytest.fixture(scope="module")
def result():
    """With representatives, a hold-out, and something removed."""
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.rx(0.4, 1)
    circuit.ry(WEIGHTS[0], 1)
    circuit.cx(0, 1)
    circuit.rx(WEIGHTS[1], 0)
    circuit.u(0.3, 0.2, 0.1, [0, 1])
    inputs = np.linspace(-1, 2, 8)
    return prune(
        Task(circuit, ["ZZ", "XI"], inputs=inputs, input_params=[x], weights=[0.02, np.pi / 2 + 0.01], holdout=0.25),
        tolerance=0.05,
        representatives="clifford",
    )


def damaged(result):
    """Every entry, on every level, of every wrong type."""
    data = json.loads(result.certificate.to_json())
    for name in data:
        for value in WRONG:
            yield f"{name}={value}", {**data, name: value}
    for group in ("holdout", "options", "versions"):
        for name in data[group]:
            for value in WRONG:
                yield f"{group}.{name}={value}", {**data, group: {**data[group], name: value}}
    for name in data["replaced"][0]:
        for value in WRONG:
            first, *others = data["replaced"]
            yield f"replaced.{name}={value}", {**data, "replaced": [{**first, name: value}, *others]}
    for group in ("holdout", "options"):
        less = dict(data[group])
        less.popitem()
        yield f"{group} less", {**data, group: less}
        yield f"{group} more", {**data, group: {**data[group], "more": 1}}


def test_a_certificate_comes_back_to_the_byte(result):
    text = result.certificate.to_json()
    assert {e.by == "identity" for e in result.certificate.replaced} == {True, False}
    again = Certificate.from_json(text)
    assert again == result.certificate
    assert again.to_json() == text
    assert text.endswith("}\n")


def test_reading_a_damaged_certificate_raises_nothing_but_its_own_error(result):
    refused = 0
    for what, data in damaged(result):
        try:
            Certificate.from_json(json.dumps(data))
        except CertificateError as error:
            refused += 1
            assert "certificate" in str(error), what
            assert "\n" not in str(error), what
    assert refused > 60


def test_verifying_a_damaged_certificate_raises_nothing_but_errors_of_qprune(result, tmp_path):
    """What can be read is judged: by a violation, or by saying that it is damaged; no claim slips through unread."""
    result.save(tmp_path / "r", drawings=False)
    path, caught = tmp_path / "r" / "certificate.json", 0
    silent = ("versions", "replaced.by", "replaced.subgroup", "replaced.origins", "options")
    for what, data in list(damaged(result))[::3]:
        path.write_text(json.dumps(data))
        try:
            again = PruneResult.load(tmp_path / "r")
            verify(again.original, again)
        except QpruneError:
            caught += 1
        else:  # nothing that a claim rests on, or a value that happens to be right
            assert what.startswith(silent) or json.dumps(data, sort_keys=True) == json.dumps(
                json.loads(result.certificate.to_json()), sort_keys=True
            ), what
    assert caught > 60


@pytest.mark.xfail(strict=True, reason="numbers of the hold-out are formatted without a look at their type")
def test_showing_a_damaged_certificate_raises_nothing_but_errors_of_qprune(result, tmp_path):
    result.save(tmp_path / "r", drawings=False)
    path = tmp_path / "r" / "certificate.json"
    for _, data in damaged(result):
        path.write_text(json.dumps(data))
        try:
            str(PruneResult.load(tmp_path / "r"))
        except QpruneError:
            continue


@pytest.mark.parametrize("entry", ["holdout", "accuracy", "plan"])
@pytest.mark.parametrize("value", [*WRONG, [1], ...], ids=str)
def test_a_damaged_plan_is_named(entry, value, result, tmp_path, request):
    """plan.json beside the certificate."""
    if entry == "accuracy" and isinstance(value, (str, list)):
        request.applymarker(pytest.mark.xfail(strict=True, reason="IndexError"))
    result.save(tmp_path / "r", drawings=False)
    path = tmp_path / "r" / "plan.json"
    data = json.loads(path.read_text())
    data[entry] = value
    if value is ...:
        del data[entry]
    path.write_text(json.dumps(data))
    if (entry, value) in (("accuracy", None), ("plan", []), ("plan", {})):
        PruneResult.load(tmp_path / "r")
        return
    with pytest.raises((BundleError, QpruneError)):
        PruneResult.load(tmp_path / "r")


# -- hashes -------------------------------------------------------------------------------------------------------


def base():
    circuit = QuantumCircuit(3)
    circuit.ry(Parameter("a"), 0)
    circuit.rzz(0.3, 0, 1)
    circuit.cx(1, 2)
    circuit.cry(0.4, 0, 2)
    circuit.append(PauliEvolutionGate(SparsePauliOp("XYZ", 0.3), time=0.2), [0, 1, 2])
    circuit.unitary([[0, 1], [1, 0]], [1])
    return circuit


def change(index, *, operation=None, qubits=None):
    circuit = base()
    item = circuit.data[index]
    circuit.data[index] = item.replace(
        operation=operation or item.operation,
        qubits=item.qubits if qubits is None else [circuit.qubits[q] for q in qubits],
    )
    return circuit


@pytest.mark.parametrize(
    "other",
    [
        lambda: change(0, operation=QuantumCircuit(1).ry(Parameter("b"), 0)[0].operation),
        lambda: change(0, operation=QuantumCircuit(1).ry(2 * Parameter("a"), 0)[0].operation),
        lambda: change(1, operation=QuantumCircuit(2).rzz(0.3 + 1e-8, 0, 1)[0].operation),
        lambda: change(2, qubits=[2, 1]),
        lambda: change(3, operation=QuantumCircuit(2).cry(0.4, 0, 1, ctrl_state=0)[0].operation),
        lambda: change(4, operation=PauliEvolutionGate(SparsePauliOp("XYZ", 0.31), time=0.2)),
        lambda: change(4, operation=PauliEvolutionGate(SparsePauliOp("XYX", 0.3), time=0.2)),
        lambda: change(4, operation=PauliEvolutionGate(SparsePauliOp("XYZ", 0.3), time=0.21)),
        lambda: change(5, operation=QuantumCircuit(1).unitary([[1, 0], [0, 1]], [0])[0].operation),
        lambda: base().compose(QuantumCircuit(3, global_phase=0.1)),
        lambda: QuantumCircuit(4).compose(base(), range(3)),
        lambda: base().reverse_ops(),
    ],
    ids=["name", "slope", "angle", "order", "open control", "coefficient", "word", "time", "matrix", "phase", "width", "sequence"],
)  # fmt: skip
def test_another_circuit_has_another_hash(other):
    assert circuit_hash(other()) != circuit_hash(base())


def test_registers_names_and_barriers_do_not_enter():
    circuit = base()
    circuit.name = "another"
    circuit.barrier()
    assert circuit_hash(circuit) == circuit_hash(base())
    assert circuit_hash(QuantumCircuit(QuantumCircuit(3).qubits).compose(base(), range(3))) == circuit_hash(base())
