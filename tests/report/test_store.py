"""Saved results: replaced only by results, whole after a crash, the same network for every library gate and angle."""

from __future__ import annotations

import json

import numpy as np
import pytest
from library_gates import STATES, dense, example
from library_gates import W as w
from library_gates import X as x
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import CRXGate

from qprune import BundleError, Proven, Task, Threshold, load, prune, save, verify
from qprune.cli.command import SUCCESS, UNUSABLE, main
from qprune.results.hashes import circuit_hash
from qprune.selection.strategies import STRATEGIES, strategy_from_record

v = Parameter("v")
FIXED = (
    *("AndGate", "Isometry", "UCGate", "LinearFunction", "HalfAdderGate", "PermutationGate", "DiagonalGate"),
    *("QFTGate", "MCXGate", "C3XGate", "PauliGate", "StatePreparation", "UnitaryGate", "GraphStateGate"),
)
SYMBOLIC = ("MSGate", "MCPhaseGate", "PauliEvolutionGate", "CRXGate", "XXPlusYYGate", "MCMTGate")


def task_with(gate):
    circuit = QuantumCircuit(max(gate.num_qubits, 2))
    for q in range(circuit.num_qubits):
        circuit.ry(x - (q + 2) * w, q)
    circuit.append(gate, range(gate.num_qubits))
    circuit.rx(v, 0)
    circuit.cx(0, 1)
    label = "I" * (circuit.num_qubits - 1) + "Z"
    values = {p.name: 0.3 + 0.1 * k for k, p in enumerate(circuit.parameters) if p != x}
    return Task(circuit, label, inputs=[[0.3], [1.1]], input_params=[x], weights=values)


GATES = {name: (lambda name=name: example(name)) for name in (*FIXED, *SYMBOLIC)}
GATES |= {name: (lambda gate=gate: gate) for name, gate in STATES.items() if "symbolic" not in name}
GATES["an angle that Qiskit prints as 1*x"] = lambda: CRXGate((x * 1j) * (-1j) + w, ctrl_state=0)
GATES["CRX on 0"] = lambda: CRXGate(x - 2 * w, ctrl_state=0)


@pytest.mark.thinned(8)
@pytest.mark.parametrize("name", GATES)
def test_a_saved_result_is_the_same_network_and_verifies(name, tmp_path):
    task = task_with(GATES[name]())
    result = prune(task, Threshold(0.3))
    save(result, tmp_path / "out", drawings=False)
    again = load(tmp_path / "out")
    pairs = [(task.circuit, again.original.circuit), (result.circuit, again.circuit), (result.flat, again.flat)]
    rng = np.random.default_rng(1)
    values = {p.name: rng.uniform(-3, 3) for p in task.circuit.parameters}
    for before, after in [*pairs, (result.simplified, again.simplified)]:
        assert circuit_hash(before) == circuit_hash(after)
        np.testing.assert_allclose(dense(after, values), dense(before, values), rtol=0, atol=1e-12)
    assert again.weight_map == result.weight_map
    assert verify(again.original, again)


@pytest.fixture(scope="module")
def result():
    return prune(task_with(example("CXGate")), Threshold(0.3))


def test_a_folder_with_anything_else_in_it_is_not_replaced(result, tmp_path):
    save(result, tmp_path / "out", drawings=False)
    (tmp_path / "out" / "original" / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="something else"):
        save(result, tmp_path / "out", drawings=False, overwrite=True)
    assert (tmp_path / "out" / "original" / "thesis.tex").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "certificate.json").write_text("{}")  # of the town hall, say
    (tmp_path / "other" / "years of work").mkdir()
    with pytest.raises(BundleError, match="something else"):
        save(result, tmp_path / "other", drawings=False, overwrite=True)
    assert (tmp_path / "other" / "years of work").is_dir()


def damaged(folder, name, **changes):
    data = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(data | changes))


DAMAGE = {
    "accuracy of one": ("plan.json", {"accuracy": [0.5]}, "plan.json is damaged"),
    "accuracy a word": ("plan.json", {"accuracy": "ab"}, "an accuracy must be a number from 0 to 1"),
    "accuracy beyond 1": ("plan.json", {"accuracy": [0.5, 7]}, "an accuracy must be a number from 0 to 1"),
    "sample Infinity": ("certificate.json", {"samples": [float("inf")]}, "Infinity is not a number"),
    "bound NaN": ("certificate.json", {"bound": [[float("nan")]]}, "NaN is not a number"),
    "weight Infinity": ("original/task.json", {"weights": [float("inf")]}, "Infinity is not a number"),
    "plan a number": ("plan.json", {"plan": 5}, "plan.json is damaged"),
}


@pytest.mark.parametrize("command", ["show", "verify"])
@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_line_and_exit_two(name, command, result, tmp_path, capsys):
    path, changes, words = DAMAGE[name]
    save(result, tmp_path / "out", drawings=False)
    damaged(tmp_path / "out", path, **changes)
    assert main([command, str(tmp_path / "out")]) == UNUSABLE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error


def test_an_unknown_action_is_named(result, tmp_path, capsys):
    save(result, tmp_path / "out", drawings=False)
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())["plan"]
    damaged(tmp_path / "out", "plan.json", plan=[{**plan[0], "action": "explode"}, *plan[1:]])
    assert main(["show", str(tmp_path / "out")]) == UNUSABLE
    assert "an action must be one of keep, remove, replace, simplify, got 'explode'" in capsys.readouterr().err


def test_nested_json_and_long_names_on_the_command_line(result, tmp_path, capsys):
    save(result, tmp_path / "out", drawings=False)
    (tmp_path / "out" / "plan.json").write_text("[" * 100_000)
    assert main(["show", str(tmp_path / "out")]) == UNUSABLE
    assert "nested too deeply" in capsys.readouterr().err
    task_with(example("CXGate")).save(tmp_path / "bundle")
    bundle = str(tmp_path / "bundle")
    assert main(["prune", bundle, "--out", str(tmp_path / ("n" * 300))]) == UNUSABLE
    assert "File name too long" in capsys.readouterr().err
    assert main(["prune", bundle, "--costs", "[" * 100_000]) == UNUSABLE
    assert "nested too deeply" in capsys.readouterr().err
    assert main(["prune", bundle, "--costs", '{"cx": NaN}']) == UNUSABLE
    assert "NaN is not a number" in capsys.readouterr().err
    assert main(["prune", bundle]) == SUCCESS


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_certificate_names_its_strategy_as_it_is_read_back(name):
    """JSON has no tuples: a record with one would not be the one that is read."""
    strategy = STRATEGIES[name]()
    assert json.loads(json.dumps(strategy.record())) == strategy.record()
    assert strategy_from_record(strategy.record()) == strategy


def test_a_result_by_a_strategy_with_lists_is_saved_and_verifies(tmp_path):
    circuit = QuantumCircuit(2)
    circuit.ry(0.01, 0)
    circuit.ry(0.7, 1)
    circuit.cx(0, 1)
    result = prune(Task(circuit, "ZI"), Proven(0.1), strategy="mip")
    save(result, tmp_path / "out", drawings=False)
    again = load(tmp_path / "out")
    assert again.certificate.options == result.certificate.options
    assert verify(again.original, again)
