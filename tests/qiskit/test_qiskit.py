"""`PruneGates` inside pass managers, against dense states."""

import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit, QuantumRegister, generate_preset_pass_manager, transpile
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Statevector
from qiskit.transpiler import CouplingMap, Layout, PassManager
from qiskit.transpiler import passes as qp
from small_networks import OBSERVABLES, network, weights

from qprune import Measured, OptionError, Proven, PruneResult, Task, TaskError, Threshold, prune, verify
from qprune.qiskit.faces import PruneGates, QpruneWarning, check_certificate
from qprune.results.hashes import circuit_hash

BASIS = ["rz", "sx", "x", "cx"]
LINE = CouplingMap.from_line(6)
LEVELS = (0, 1, 2, 3)
STAGES = ("pre_init", "post_init", "post_layout", "post_routing", "post_translation", "post_optimization")


def make(circuit=None, observables=OBSERVABLES, **options):
    circuit = network() if circuit is None else circuit
    inputs = np.random.default_rng(2).uniform(-1, 1, (5, 2))
    return Task(circuit, observables, inputs=inputs, input_params=["x[0]", "x[1]"], weights=weights(), **options)


def compiled(gates, circuit, level=1, stage="post_routing", coupling=LINE, **options):
    """The circuit, the property set, and the warnings of a preset pass manager with one pass more."""
    manager = generate_preset_pass_manager(
        level, coupling_map=coupling, basis_gates=BASIS, seed_transpiler=3, **options
    )
    stages = getattr(manager, stage)
    setattr(manager, stage, PassManager([gates]) if stages is None else stages + PassManager([gates]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        circuit = manager.run(circuit)
    return circuit, manager.property_set, [w for w in caught if w.category is QpruneWarning]


def dense_deviations(task, circuit, values):
    """|Δ⟨O_r⟩_i| of a compiled circuit from the task's own, both as dense states; its layout read by Qiskit."""
    found = np.empty((len(task.observables), task.num_samples))
    named = dict(zip([p.name for p in task.input_params], task.inputs.T, strict=True))
    for i in range(task.num_samples):
        known = values | {name: column[i] for name, column in named.items()}
        bound = circuit.assign_parameters({p: known[p.name] for p in circuit.parameters})
        before, after = Statevector(task.bound_circuit(i)), Statevector(bound)
        for r, observable in enumerate(task.observables):
            moved = observable.apply_layout(circuit.layout, circuit.num_qubits)
            found[r, i] = abs(before.expectation_value(observable) - after.expectation_value(moved))
    return found


# -- inside a pass manager --------------------------------------------------------------------------------------------


@pytest.mark.thinned(12)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("level", LEVELS)
def test_the_compiled_circuit_keeps_the_bound_whatever_the_stage(level, stage):
    task = make()
    circuit, properties, _ = compiled(PruneGates(task, Proven(0.2)), task.circuit, level, stage)
    result, certificate = properties["qprune_result"], properties["qprune_certificate"]
    assert isinstance(result, PruneResult)
    assert certificate is result.certificate
    assert certificate.replaced
    assert certificate.original_hash == circuit_hash(result.original.circuit)
    assert certificate.largest_bound <= 0.2
    verify(result.original, result)
    measured = dense_deviations(task, circuit, properties["qprune_weights"])
    assert np.all(measured <= np.array(certificate.bound) + 1e-6)
    assert check_certificate(circuit, properties) == pytest.approx(measured.max(), abs=1e-6)


def test_the_received_circuit_is_the_one_that_is_certified():
    task = make()
    plain = generate_preset_pass_manager(1, coupling_map=LINE, basis_gates=BASIS, seed_transpiler=3).run(task.circuit)
    _, properties, _ = compiled(PruneGates(task, Proven(0.2)), task.circuit, 1, "post_optimization")
    original = properties["qprune_result"].original
    assert properties["qprune_certificate"].original_hash == circuit_hash(plain)
    assert original.num_qubits == 6
    moved = [o.apply_layout(plain.layout) for o in task.observables]
    assert all(a.equiv(b) for a, b in zip(original.observables, moved, strict=True))
    assert plain.layout.final_layout is not None  # there were swaps


def test_pruning_in_the_manager_is_pruning_the_received_circuit():
    task = make()
    circuit, properties, _ = compiled(PruneGates(task, Proven(0.2)), task.circuit, 1, "post_optimization")
    again = prune(properties["qprune_result"].original, Proven(0.2))
    assert again.certificate == properties["qprune_certificate"]
    assert circuit == again.circuit
    assert properties["qprune_task"] is task


def test_called_as_a_function_it_prunes_a_plain_circuit():
    task = make()
    pruned = PruneGates(task, Threshold(0.1))(task.circuit)
    assert pruned == prune(task, Threshold(0.1)).circuit
    assert pruned.qregs == task.circuit.qregs
    assert pruned.name == task.circuit.name


def test_a_wide_device_costs_no_more():
    task = make()
    circuit, properties, _ = compiled(
        PruneGates(task, Proven(0.2)), task.circuit, stage="post_optimization", coupling=CouplingMap.from_heavy_hex(5)
    )
    assert circuit.num_qubits == 57
    assert check_certificate(circuit, properties) <= properties["qprune_certificate"].largest_bound


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", ["q", "v"])
@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_layouts_are_read_as_applied_or_not_as_they_are(name, place):
    """The register of ApplyLayout is called q too: outputs decide where the dag cannot."""
    task = make(network(name))
    layout = Layout(dict(zip(task.circuit.qubits, (3, 1, 0, 2), strict=True)))
    for size in (4, 6):
        gates = PruneGates(task, Proven(0.2))
        steps = [qp.FullAncillaAllocation(CouplingMap.from_full(size)), qp.EnlargeWithAncilla(), qp.ApplyLayout()]
        manager = PassManager([qp.SetLayout(layout), *steps])
        manager = manager[:place] + PassManager([gates]) + (manager[place:] if place < 4 else PassManager())
        circuit = manager.run(task.circuit)
        measured = dense_deviations(task, circuit, manager.property_set["qprune_weights"])
        assert np.all(measured <= np.array(manager.property_set["qprune_certificate"].bound) + 1e-9)


def test_a_layout_that_cannot_be_told_is_refused():
    """All outputs agree under both readings, but the observables differ."""
    circuit = QuantumCircuit(QuantumRegister(2, "q"))
    circuit.ry(0.3, 0)
    circuit.ry(0.3, 1)
    task = Task(circuit, "IZ")
    manager = PassManager([qp.SetLayout(Layout({circuit.qubits[0]: 1, circuit.qubits[1]: 0})), PruneGates(task)])
    with pytest.raises(TaskError, match="cannot be told whether the layout"):
        manager.run(circuit)


@pytest.mark.thinned(3)
@pytest.mark.filterwarnings("ignore:Trying to add QuantumRegister")
@pytest.mark.parametrize("measured", [None, (2, 0), (3, 1, 0, 2)])
@pytest.mark.parametrize("level", LEVELS)
def test_probabilities_follow_the_measured_qubits(level, measured):
    circuit = network(measured=measured)
    task = make(circuit, None)
    out, properties, _ = compiled(PruneGates(task, Proven(0.2)), circuit, level)
    result = properties["qprune_result"]
    verify(result.original, result)
    assert check_certificate(out, properties) <= 0.2
    assert out.count_ops().get("measure", 0) == len(measured or ())
    if measured:
        before = Statevector(task.bound_circuit(1)).probabilities(measured)
        order = {
            out.find_bit(i.clbits[0]).index: out.find_bit(i.qubits[0]).index for i in out.get_instructions("measure")
        }
        known = properties["qprune_weights"] | {"x[0]": task.inputs[1, 0], "x[1]": task.inputs[1, 1]}
        bound = out.assign_parameters({p: known[p.name] for p in out.parameters})
        bound.remove_final_measurements()
        after = Statevector(bound).probabilities([order[c] for c in sorted(order)])
        assert np.abs(after - before).sum() / 2 <= result.certificate.bound[0][1] + 1e-6


def test_measurements_beside_observables_stay():
    task = make(network(measured=(1, 3)))
    pruned = PruneGates(task, Proven(0.2))(network(measured=(1, 3)))
    kept = [(pruned.find_bit(i.qubits[0]).index, pruned.find_bit(i.clbits[0]).index) for i in pruned.data[-2:]]
    assert kept == [(1, 0), (3, 1)]


def test_moved_weights_are_in_the_property_set():
    x, w = ParameterVector("x", 1), ParameterVector("w", 4)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.ry(w[0], 0)
    circuit.cx(0, 1)
    circuit.ry(w[1], 0)
    circuit.ry(w[2], 1)
    circuit.cz(1, 0)
    circuit.ry(w[3], 0)
    task = Task(circuit, ["IX"], inputs=np.linspace(-1, 1, 5), input_params=["x[0]"], weights=[0.4, 0.1, 0.2, 0.3])
    gates = PruneGates(task, Measured(0.2, refit=True))
    out, properties, _ = compiled(gates, circuit, 1, "pre_init")
    moved = properties["qprune_weights"]
    old = dict(zip([p.name for p in task.weight_params], task.weights, strict=True))
    assert any(abs(moved[name] - old[name]) > 1e-3 for name in moved)
    certificate = properties["qprune_certificate"]
    assert np.allclose(dense_deviations(task, out, moved), certificate.measured, atol=1e-6)
    assert check_certificate(out, properties) == pytest.approx(certificate.largest_measured, abs=1e-6)


def test_the_hold_out_and_the_labels_come_along():
    task = make(holdout=0.4, seed=3, labels=[1, -1, 1, 1, -1])
    result = compiled(PruneGates(task, Proven(0.2)), task.circuit)[1]["qprune_result"]
    assert result.certificate.samples == tuple(task.selected)
    assert result.certificate.holdout.samples == 2
    assert result.accuracy is not None


def test_a_manager_prunes_several_circuits_and_can_be_used_again():
    task = make()
    manager = PassManager([PruneGates(task, Proven(0.2))])
    first, second = manager.run([task.circuit, task.circuit.copy()], num_processes=1)
    assert circuit_hash(first) == circuit_hash(second) == circuit_hash(manager.run(task.circuit))


def test_parameters_that_earlier_passes_dropped_are_no_error():
    task = make(observables="IIIZ")
    circuit = task.circuit.assign_parameters({task.weight_params[0]: weights()[0]})
    pruned = PruneGates(task, Proven(0.1))(circuit)
    assert "w[0]" not in {p.name for p in pruned.parameters}


# -- never silently another network -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.assign_parameters({"w[3]": 2.0}), "is not the task's: .* differs by"),
        (lambda c: c.assign_parameters({"x[1]": 0.1}), "is not the task's: .* differs by"),
        (lambda c: c.reverse_bits(), "is not the task's: .* differs by"),
        (lambda c: c.assign_parameters({"w[3]": ParameterVector("y", 1)[0]}), r"has parameter y\[0\], which the task"),
        (lambda c: transpile(c, coupling_map=LINE, basis_gates=BASIS), "comes from 6 qubits, the task has 4"),
        (lambda c: QuantumCircuit(3), "comes from 3 qubits, the task has 4"),
    ],
)
def test_another_circuit_is_refused(change, message):
    task = make()
    with pytest.raises(TaskError, match=message):
        PruneGates(task)(change(task.circuit))


def test_other_measured_qubits_are_refused():
    with pytest.raises(TaskError, match=r"measures qubits \(0, 1\), the task's outputs are on \(2, 0\)"):
        PruneGates(make(network(measured=(2, 0)), None))(network(measured=(0, 1)))


def test_scheduled_circuits_are_refused():
    circuit = network()
    circuit.delay(100, 0)
    with pytest.raises(TaskError, match="before scheduling"):
        PruneGates(make())(circuit)


def test_control_flow_is_refused():
    circuit = network(measured=(0,))
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    with pytest.raises(TaskError, match="control flow"):
        PruneGates(make())(circuit)


def test_a_deliberate_approximation_before_needs_to_be_said():
    task = make()
    nearby = task.circuit.assign_parameters({"w[3]": weights()[3] + 1e-3})
    with pytest.raises(TaskError, match="raise agreement"):
        PruneGates(task, Proven(0.1))(nearby)
    manager = PassManager([PruneGates(task, Proven(0.1), agreement=0.01)])
    out = manager.run(nearby)
    assert check_certificate(out, manager.property_set) <= 0.1  # from the circuit received


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((QuantumCircuit(1),), {}, TaskError, "task must be a qprune.Task, got QuantumCircuit"),
        ((), {"limit": 0.1}, OptionError, "limit must say how far"),
        ((), {"simulator": "mps"}, OptionError, "simulator must be one of"),
        ((), {"limit": Measured(0.1), "representatives": "class"}, OptionError, "leave out representatives"),
        ((), {"agreement": 0}, OptionError, "agreement must be a number > 0"),
        ((), {"agreement": "loose"}, OptionError, "agreement must be a number > 0"),
    ],
)
def test_arguments_are_checked_before_anything_runs(arguments, options, error, message):
    with pytest.raises(error, match=message):
        PruneGates(*(arguments or (make(),)), **options)


# -- what runs after it -----------------------------------------------------------------------------------------------


@pytest.mark.thinned(2)
@pytest.mark.parametrize("stage", ["pre_init", "post_routing", "post_optimization"])
@pytest.mark.parametrize("level", LEVELS)
def test_optimisation_levels_that_approximate_warn_once(level, stage):
    task = make()
    _, _, warned = compiled(PruneGates(task, Proven(0.2)), task.circuit, level, stage)
    assert len(warned) == (level >= 2 and stage != "post_optimization")
