"""Where gates run: qubits, routes, swaps, and the noise of all gates in a past light cone."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations

import networkx
import numpy as np
import pytest
from helpers import examples, tasks
from hypothesis import HealthCheck, given, settings
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Gate, Measure, Parameter
from qiskit.circuit.library import (
    CCXGate,
    CXGate,
    RZGate,
    SXGate,
)
from qiskit.converters import circuit_to_dag
from qiskit.quantum_info import Pauli, Statevector
from qiskit.transpiler import InstructionProperties, Target

from qprune import OptionError, Task, calibrate
from qprune.gates.sites import sites_of
from qprune.noise.layout import two_qubit_weights

# -- where gates run ----------------------------------------------------------------------------------------------


def device_of(seed, pairs, num_qubits):
    """A target with random errors on given pairs and readout."""
    rng = np.random.default_rng(seed)
    target = Target(num_qubits=num_qubits)
    for gate in (SXGate(), RZGate(Parameter("t"))):
        target.add_instruction(gate, {(q,): InstructionProperties(error=0.0) for q in range(num_qubits)})
    target.add_instruction(CXGate(), {p: InstructionProperties(error=rng.uniform(0.002, 0.04)) for p in pairs})
    target.add_instruction(
        Measure(), {(q,): InstructionProperties(error=rng.uniform(0, 0.05)) for q in range(num_qubits)}
    )
    return target


RING = [(0, 1), (2, 1), (2, 3), (3, 4), (5, 4), (5, 0)]


def simple_paths(target, start, end):
    graph = networkx.Graph((a, b, {"r": p.error}) for (a, b), p in target["cx"].items())
    return [
        [graph.edges[pair]["r"] for pair in pairwise(path)] for path in networkx.all_simple_paths(graph, start, end)
    ]


CHAIN = [(0, 1), (2, 1), (2, 3)]


def compiled(pairs, layout, size):
    """Gates on two qubits of a compiled circuit of cx between distant qubits, all of its qubits, and ⟨Z⟩ after it."""
    circuit = QuantumCircuit(len(layout))
    for q in range(len(layout)):
        circuit.ry(0.4 + q, q)
    for q in range(len(layout) // 2):
        circuit.cx(q, len(layout) - 1 - q)
    gates, ends = calibrate(device_of(0, pairs, size), layout=layout).noises.whole(circuit, layout)
    native = QuantumCircuit(size)
    for gate, places in gates:
        native.append(gate, places)
    ideal, found = Statevector(circuit), Statevector(native)
    for q, end in enumerate(ends):
        assert found.expectation_value(Pauli("Z"), [end]) == pytest.approx(ideal.expectation_value(Pauli("Z"), [q]))
    return sum(len(places) > 1 for _, places in gates), {q for _, places in gates for q in places}


def test_a_circuit_is_placed_anew_on_the_qubits_it_has():
    """Qubits that interact become neighbours, and nothing is routed; not where qubits given do not hang together."""
    assert compiled(CHAIN, (0, 1, 2, 3), 4) == (2, {0, 1, 2, 3})
    assert compiled(CHAIN, (3, 1, 2), 4) == (1, {1, 2, 3})
    gates, used = compiled(CHAIN, (0, 2), 4)
    assert gates > 1
    assert used >= {0, 1, 2}
    assert compiled(CHAIN, (2,), 4) == (0, {2})


@pytest.mark.parametrize("seed", range(3))
def test_distant_qubits_are_swapped_along_the_cheapest_path(seed):
    """Three cx a swap on each hop but one, where the gate itself is: r the sum, λ the product."""
    target = device_of(seed, RING, 6)
    noises = calibrate(target, layout=range(6)).noises
    for start, end in ((0, 3), (4, 1), (5, 2)):
        # a swap is three cx; their depolarising parameters multiply, r = 3/4 (1 − λ)
        totals = []
        for errors in simple_paths(target, start, end):
            kept = sorted(1 - 4 / 3 * r for r in errors)  # they meet on the worst pair, where no swap is then needed
            infidelity = sum(0.75 * (1 - k**3) for k in kept[1:]) + 0.75 * (1 - kept[0])
            totals.append((infidelity, np.prod(kept[1:]) ** 3 * kept[0]))
        infidelity, coherence = min(totals)
        np.testing.assert_allclose(noises.of(CXGate(), (start, end)), (coherence, infidelity), atol=1e-9)


def test_gates_on_three_qubits_are_counted_native_gate_by_native_gate():
    target = device_of(0, [(0, 1), (1, 2), (0, 2)], 3)
    noises = calibrate(target, layout=range(3)).noises
    native = transpile(toffoli(), basis_gates=["rz", "sx", "cx"], optimization_level=1, seed_transpiler=0)
    pairs = [tuple(sorted(native.find_bit(q).index for q in i.qubits)) for i in native.data if i.operation.name == "cx"]
    errors = [target["cx"][pair].error for pair in pairs]
    assert len(errors) == 6
    np.testing.assert_allclose(
        noises.of(CCXGate(), (0, 1, 2)), (np.prod([1 - 4 / 3 * r for r in errors]), sum(errors)), atol=1e-9
    )


def toffoli():
    circuit = QuantumCircuit(3)
    circuit.ccx(0, 1, 2)
    return circuit


def dearest_first():
    """Qubit 2 talks most, to 0; the chain is closed by 3 – 1."""
    circuit = QuantumCircuit(4)
    for a, b, times in ((2, 0, 4), (0, 3, 1), (3, 1, 2)):
        for _ in range(times):
            circuit.cx(a, b)
    circuit.barrier()
    return circuit


@pytest.mark.thinned(2)
@pytest.mark.parametrize("seed", range(6))
def test_the_layout_is_nearly_the_cheapest_of_all(seed):
    """Within 5 % of brute force over all placements on connected qubits: r of each gate with its swaps, and readout."""
    target = device_of(seed, [*RING, (1, 4), (6, 2)], 7)
    graph = networkx.Graph(list(target["cx"]))
    for circuit in (dearest_first(), 3):
        weights = two_qubit_weights(circuit)

        def total(layout, weights=weights):
            found = sum(target["measure"][(q,)].error for q in layout)
            for i, j in combinations(range(len(layout)), 2):
                if weights[i, j]:
                    hops = simple_paths(target, layout[i], layout[j])
                    found += weights[i, j] * min(3 * sum(h) - 2 * max(h) for h in hops)
            return found

        every = (layout for layout in permutations(range(7), len(weights)))
        best = min(total(layout) for layout in every if networkx.is_connected(graph.subgraph(layout)))
        found = calibrate(target).layout_for(circuit)
        assert found == calibrate(target).layout_for(circuit)
        assert networkx.is_connected(graph.subgraph(found))
        assert total(found) <= 1.05 * best


def test_layouts_that_cannot_be():
    target = device_of(0, RING, 6)
    with pytest.raises(OptionError, match="no 7 connected qubits"):
        calibrate(target).layout_for(7)
    with pytest.raises(OptionError, match="for each of 3 qubits"):
        calibrate(target, layout=[0, 1]).layout_for(3)
    for layout, words in (
        ([0, 6], r"in \[0, 6\)"),
        ([0, 0], "once"),
        ([True, 1], "physical qubits"),
        ([0.5], "physical"),
    ):
        with pytest.raises(OptionError, match=words):
            calibrate(target, layout=layout)
    with pytest.raises(OptionError, match="needs a noise model"):
        calibrate(0.9, layout=[0, 1])
    with pytest.raises(OptionError, match="has 1 qubits"):
        calibrate("FakeArmonkV2").layout_for(2)
    with pytest.raises(OptionError, match="placed"):
        calibrate(target).gate(sites_of(Task(toffoli(), "ZZZ"))[0])


# -- the past light cone ------------------------------------------------------------------------------------------


MANILA = calibrate("FakeManilaV2", layout=[1, 3, 0, 4, 2])


@settings(max_examples=examples(32), derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(tasks(min_qubits=2, max_qubits=5))
def test_accumulated_coherence_is_the_product_over_ancestors(task):
    """Λ_k against the ancestors in Qiskit's own graph of the circuit."""
    sites = sites_of(task)
    noise = MANILA.of(sites)
    circuit = QuantumCircuit(task.num_qubits)
    for k, site in enumerate(sites):
        circuit.append(Gate(f"g{k}", len(site.qubits), []), site.qubits)
    dag = circuit_to_dag(circuit)
    for node in dag.op_nodes():
        k = int(node.op.name[1:])
        past = [int(n.op.name[1:]) for n in dag.ancestors(node) if hasattr(n, "op")]
        assert noise.accumulated[k] == pytest.approx(np.prod([MANILA.gate(sites[j]).coherence for j in past]))
        assert noise.eta[k] == pytest.approx(1 / np.cosh(1 - noise.accumulated[k]))
