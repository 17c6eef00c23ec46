"""T9: no input of a domain moves an output by more than `upper`, whatever searches for one."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
from every_input_cases import largest_found, random_case
from oracles import outputs_on, states_on
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qprune import Everywhere, Task, prune, verify
from qprune.gates.sites import sites_of
from qprune.geometry.supremum import GAP
from qprune.limits.claim_everywhere import every_input, region_of
from qprune.task.domain import Domain, resolved
from qprune.verify.every_input import confirm

ORACLE_ROUNDING = 1e-13  # of dense states of a few dozen gates, relative to the observable's weight


def claimed(case, domain, inputs, **options):
    original, pruned = case.task(case.original, inputs), case.task(case.pruned, inputs)
    return every_input(original, sites_of(original), pruned, sites_of(pruned), domain, **options)


def weight(case):
    return max((sum(abs(c) for _, c in terms) for terms in case.observables or ()), default=1.0)


def check(case, rng, kind="box", time_limit=20.0):
    """The claim against a multi-start search on dense states; what was seen."""
    inputs = rng.uniform(case.low, case.high, (6, case.num_inputs))
    domain = {
        "box": Domain.box(case.low, case.high),
        "data": Domain.data(),
        "ellipsoid": Domain.ellipsoid(),
        "around": Domain.around(0.05),
    }[kind]
    found = claimed(case, domain, inputs, time_limit=time_limit)
    region = region_of(resolved(domain, inputs))
    slack = ORACLE_ROUNDING * weight(case)
    starts = region.drawn(300, rng)
    starts = np.concatenate([starts[region.contains(starts)], inputs[region.contains(inputs)]])
    closed = True
    for r, output in enumerate(found.outputs):
        best, at = 0.0, None
        for low, high in zip(region.low[:3], region.high[:3], strict=True):
            own = starts[np.all((starts >= low) & (starts <= high), axis=1)]
            if len(own):
                value, point = largest_found(case, r, own, low, high, lambda x: bool(region.contains(x[None])[0]))
                best, at = max((best, 0, at), (value, 1, point), key=lambda t: t[:2])[::2]
        assert best <= output.upper + slack, f"{output} but {best} at {at}"
        there = case.difference(np.array([output.worst]))[r, 0]
        assert region.contains(np.array([output.worst]))[0]
        assert abs(there - output.lower) <= slack + output.rounding + 1e-12 * weight(case), (there, output)
        assert output.lower <= there + slack
        closed &= output.upper - output.lower <= 0.02 * output.upper * (1 + 1e-9) + 4 * output.rounding + slack
    return closed, found


@pytest.mark.thinned(4)
@pytest.mark.parametrize("seed", range(24))
def test_no_search_exceeds_the_limit(seed):
    rng = np.random.default_rng([2026, seed])
    case = random_case(rng)
    closed, found = check(case, rng, ("box", "box", "data", "ellipsoid", "around")[seed % 5], time_limit=4.0)
    assert closed or case.kinds & {"lifted", "product", "probabilities"}, found


def merged_pair(shift, inputs):
    """A gate between two turns is gone, so that they are one: what is left depends on the sum of their inputs."""
    circuits = []
    x, y = (Parameter(f"x_{i}") for i in range(2))
    for is_merged in (False, True):
        circuit = QuantumCircuit(1)
        circuit.h(0)
        if is_merged:
            circuit.rz(x + y, 0)
        else:
            circuit.rz(x, 0)
            circuit.ry(shift, 0)
            circuit.rz(y, 0)
        circuit.rx(0.5, 0)
        circuits.append(Task(circuit, ["X"], inputs=inputs, input_params=[x, y]))
    return circuits


@pytest.mark.parametrize("shift", [0.02, 1e-6])
def test_a_sum_of_inputs_is_no_phase_of_its_own(shift):
    """With three phases the limit was a hundred times what any input does."""
    inputs = np.random.default_rng(3).uniform(-3, 3, (30, 2))
    tasks = merged_pair(shift, inputs)
    (found,) = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1])).outputs
    axes = np.meshgrid(*np.linspace(inputs.min(axis=0), inputs.max(axis=0), 41).T)
    rows = np.stack(axes, axis=-1).reshape(-1, 2)
    change = np.abs(np.subtract(*(outputs_on(task, rows) for task in tasks))).max()
    assert change <= found.upper + 1e-14
    assert found.upper <= 1.05 * change + 1e-12


@pytest.mark.parametrize("factor", [0.37, 0.1, 1 / 3, np.pi])
def test_multiples_of_one_input_that_have_no_common_unit(factor):
    """rx(x) and rx(f·x) are one rx((1 + f)·x) once nothing stands between them; the domain is many turns wide."""
    inputs = np.linspace(0, 3000.0, 7)[:, None]
    x, tasks = Parameter("x"), []
    for is_merged in (False, True):
        circuit = QuantumCircuit(1)
        for angle in [(1 + factor) * x] if is_merged else [x, factor * x]:
            circuit.rx(angle, 0)
        circuit.ry(0.0 if is_merged else 0.01, 0)
        circuit.rx(x, 0)
        tasks.append(Task(circuit, ["Z"], inputs=inputs, input_params=[x]))
    claim = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]))
    (found,) = claim.outputs
    assert found.lower <= found.upper <= found.lower / (1 - GAP) + 4 * found.rounding
    confirm(*tasks, claim)


@pytest.mark.soak
def test_soak_no_search_exceeds_the_limit():
    counts = Counter()
    for seed in range(int(os.environ.get("QPRUNE_SOAK", "2000"))):
        rng = np.random.default_rng([9, seed])
        case = random_case(rng)
        kind = ("box", "box", "data", "ellipsoid", "around")[seed % 5]
        closed, _ = check(case, rng, kind)
        counts.update([kind, *case.kinds, "closed" if closed else "open", f"{case.num_inputs} inputs"])
    print(dict(counts))


def test_a_gate_between_angles_that_are_not_linear_goes():
    """rz(f) and rz(g) become rz(f + g), no phase besides f and g: a third one would allow for changes of 2."""
    x, y = Parameter("x"), Parameter("y")
    circuit = QuantumCircuit(1)
    circuit.ry(x, 0)
    circuit.rz((x - np.pi) * (np.pi - y), 0)
    circuit.ry(0.01, 0)
    circuit.rz(x * x, 0)
    circuit.ry(y.sin(), 0)
    rows = np.random.default_rng(1).uniform(-4, 4, (5, 2))
    task = Task(circuit, "Z", inputs=rows, input_params=[x, y])
    result = prune(task, Everywhere(0.02))
    assert result.circuit.size() <= 3
    points = task.with_inputs(np.random.default_rng(2).uniform(rows.min(axis=0), rows.max(axis=0), (300, 2))).inputs
    change = outputs_on(result.task, points) - outputs_on(task, points)
    assert 0 < np.abs(change).max() <= result.certificate.every_input.upper <= 0.02
    verify(task, result)


@pytest.mark.parametrize("scale", [1e-18, 1.0, 1e12])
@pytest.mark.parametrize("identity", [0.0, 1.5e14])
def test_the_identitys_part_takes_no_digits(identity, scale):
    """O + c moves as O does, however large c is, and so do the limit and what is left of the circuit."""
    circuit = QuantumCircuit(2)
    x = Parameter("x")
    circuit.ry(x, 0)
    circuit.rx(0.05, 0)
    circuit.cx(0, 1)
    circuit.ry(0.8, 1)
    observable = SparsePauliOp(["II", "IY", "ZZ"], scale * np.array([identity, 1.0, 0.5]))
    task = Task(circuit, observable, inputs=np.linspace(-2, 2, 5)[:, None], input_params=[x])
    result = prune(task, Everywhere(0.2 * scale))
    (output,) = result.certificate.every_input.outputs
    assert result.circuit.size() < circuit.size()
    states = (states_on(t, np.linspace(-2, 2, 401)[:, None]) for t in (task, result.task))
    rest = SparsePauliOp(["IY", "ZZ"], [1.0, 0.5]).to_matrix()
    before, after = (np.einsum("mi,ij,mj->m", each.conj(), rest, each).real for each in states)
    change = np.abs(np.subtract(after, before)).max() * scale
    assert change * (1 - 1e-9) <= output.upper <= min(1.03 * change, 0.2 * scale)
    verify(task, result)
