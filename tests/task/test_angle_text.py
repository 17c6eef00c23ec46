"""Angles as text: what Qiskit's own pickle and QPY change comes back, at random points; the rest is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import sympy
from helpers import examples, qiskit_before
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qprune import BundleError, Task, TaskError, prune
from qprune.task.angle_text import angle_of, same_angle, text_of
from qprune.task.circuit_file import circuit_from, circuit_text

a, b, x, w = (Parameter(name) for name in "abxw")
v = ParameterVector("v", 12)
odd = [Parameter(name) for name in ("a - b", "sin", "w[1]", "w[10]", "x y", "θ_1", "e", "a.b")]

ANGLES = {
    "difference": a - 2 * b,
    "input less weight": x - 2 * w,
    "nested differences": a - 3 * (b - 2 * (x - w)),
    "quotient": a / (b + 2),
    "quotient of quotients": a / (b / (x + 3)),
    "number over": 2 / (a + 3),
    "powers": a**2 - 2**a + (a + 5) ** (b / 3) - (-a) ** 2,
    "functions": (a - 2 * b).sin() - 3 * (x - w).cos() + (a / 9).tan() - a.exp() - 2 * (a - 9 * b).abs(),
    "inverse functions": (a / 20).arcsin() - 2 * (b / 20).arccos() - 3 * (x - w).arctan(),
    "logarithm": 2 * (a + 20).log() - b.sign() * w,
    "conjugate": a.conjugate() - 2 * b.conjugate(),
    "vector elements": v[1] - 2 * v[10] + v[11] * v[0],
    "names of any kind": odd[0] - 2 * odd[1].sin() + odd[2] * odd[3] - odd[4] * 3 * odd[5] - odd[6] / odd[7],
    "small numbers": a * 1e-12 - b * 3e-13,
    "timestamps": 1.7e9 * a - 1e15 * b,
    "every digit": 0.1 * a - b / 3 + 0.30000000000000004,
    **({} if qiskit_before("2.4") else {"forgets a parameter": a + 0 * w}),  # which older ones do when it is added up
    "a number with a parameter": 0 * w + 3,
}


def numbers(angle, seed):
    """Values at a random point: bound all at once, which Qiskit does with plain numbers."""
    rng = np.random.default_rng(seed)
    names = sorted(p.name for p in angle.parameters)
    point = dict(zip(names, rng.uniform(-3, 3, len(names)), strict=True))
    return complex(angle.bind({p: point[p.name] for p in angle.parameters}).numeric())


def in_circuit(angle):
    circuit = QuantumCircuit(1, global_phase=angle)
    circuit.rx(angle, 0)
    return circuit


WAYS = {
    "text": lambda angle: angle_of(text_of(angle), {p.name: p for p in angle.parameters}),
    "file": lambda angle: circuit_from(circuit_text(in_circuit(angle)), "it").data[0].operation.params[0],
    "global phase": lambda angle: circuit_from(circuit_text(in_circuit(angle)), "it").global_phase,
    "pickle": lambda angle: pickle.loads(pickle.dumps(as_task(angle))).circuit.data[0].operation.params[0],
    "deepcopy": lambda angle: copy.deepcopy(as_task(angle)).circuit.global_phase,
}


def as_task(angle):
    return Task(in_circuit(angle), "Z", weights=np.zeros(len(angle.parameters)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ANGLES)
def test_an_angle_comes_back_as_the_same_function(name, way):
    angle = ANGLES[name]
    again = WAYS[way](angle)
    assert {p.name for p in again.parameters} == {p.name for p in angle.parameters}
    for seed in range(20):
        np.testing.assert_allclose(numbers(again, seed), numbers(angle, seed), rtol=1e-12, atol=0)


def test_random_expressions_against_sympy():
    """The text, read by SymPy, is the angle that was built beside it operation by operation."""
    rng = np.random.default_rng(5)
    for _ in range(examples(320)):
        found, expected = [a, b, x, w], list(sympy.symbols("a b x w", real=True))
        for _ in range(6):
            i, j = rng.integers(len(found), size=2)
            c, kind = float(rng.integers(-4, 5)) + 0.5, rng.integers(5)
            build = [
                lambda p, q, c=c: p - c * q,
                lambda p, q, c=c: p * q + c,
                lambda p, q, c=c: c - p + q,
                lambda p, q, c=c: p / (q**2 + 1) - c,
            ]
            if kind == 4:
                found.append(found[i].sin() - c * found[j])
                expected.append(sympy.sin(expected[i]) - c * expected[j])
            else:
                found.append(build[kind](found[i], found[j]))
                expected.append(build[kind](expected[i], expected[j]))
        point = dict(zip("abxw", rng.uniform(-1, 1, 4), strict=True))
        again = angle_of(text_of(found[-1]), {p.name: p for p in (a, b, x, w)})
        value = complex(again.bind({p: point[p.name] for p in again.parameters}).numeric())
        exact = complex(expected[-1].subs({s: point[s.name] for s in expected[:4]}))
        np.testing.assert_allclose(value, exact, rtol=1e-9)


def test_what_cannot_be_written_is_refused():
    with pytest.raises(TaskError, match=r"the angle .*i.*a cannot be stored.*real numbers"):
        text_of(a * 1j)
    for angle in (a * 1j, 2 * a - Parameter("2") * a):
        with pytest.raises((TaskError, BundleError), match="cannot be stored"):
            circuit_text(in_circuit(angle))


FORGED = ["__import__('os')", "a.b", "a[0]", "sin(a, a)", "f(a)", "c", "9**9**9**9", "'a'", "a if a else a", "1j"]
FORGED += ["(" * 999, "a" + "+a" * 9999, "", "1/0", "lambda: a", "True and a"]


@pytest.mark.parametrize("text", FORGED)
def test_nothing_but_arithmetic_is_read(text):
    with pytest.raises(ValueError, match=r"is not an angle|is not part of an angle"):
        angle_of(text, {"a": a})


def test_angles_are_told_apart_at_any_scale():
    for scale in (1e-12, 1.0, 1e12):
        assert same_angle(scale * (a - 2 * b), scale * a - 2 * scale * b)
        assert not same_angle(scale * (a - 2 * b), scale * (2 * b - a))
        assert not same_angle(scale * a, scale * a * (1 + 1e-9))
    assert not same_angle(a, Parameter("a"))  # another parameter of the same name
    assert not same_angle(a.abs(), a)
    assert not same_angle(a, a**3)


def test_the_network_of_the_issue_is_the_one_that_was_saved(tmp_path):
    """Qiskit 2.3 read x − 2w as −x + 2w: ⟨Z⟩ −0.477 became +0.447."""
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.rz(x - 2 * w, 0)
    circuit.rx(0.8, 0)
    circuit.ry(b, 0)
    task = Task(circuit, "Z", inputs=[[0.3], [1.1]], input_params=[x], weights={w: 0.7, b: 1.2})
    result = prune(task)
    task.save(tmp_path / "task")
    again = Task.load(tmp_path / "task")
    for i in range(2):
        for here, there in zip(task.bound_circuit(i).data, again.bound_circuit(i).data, strict=True):
            assert here.operation.params == there.operation.params
    assert pickle.loads(pickle.dumps(result)).certificate == result.certificate
