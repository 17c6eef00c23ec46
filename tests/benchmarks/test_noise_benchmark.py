"""The noise benchmark: outputs under noise against dense channels, pruners' sizes, rows that resume, verdicts."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import DensityMatrix, Operator, SparsePauliOp
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error, thermal_relaxation_error
from qiskit_aer.noise.device import basic_device_gate_errors
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

import qprune
from benchmarks.__main__ import main
from benchmarks.noise import ablation, report, run, sets
from benchmarks.noise.estimates import estimates
from benchmarks.noise.outputs import Moments, exact_outputs, noisy_outputs
from benchmarks.noise.pruners import PRUNERS, light_cone
from benchmarks.noise.regimes import Regime, regime_of
from qprune.errors import CertificateViolation

OBSERVABLE = SparsePauliOp(["IXZ", "YII", "III"], [0.7, -0.4, 0.2])  # no two qubits alike


TO_Z = {
    "X": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "Y": np.array([[1, -1j], [1, 1j]]) / np.sqrt(2),
    "Z": np.eye(2),
}


@pytest.fixture(scope="module")
def task():
    """Three qubits, the first and the last entangled, so that a device must route."""
    x = [Parameter(f"x{j}") for j in range(2)]
    circuit = QuantumCircuit(3)
    circuit.ry(x[0] + 0.3, 0)
    circuit.rx(1.1, 2)
    circuit.cx(0, 2)
    circuit.ry(2 * x[1], 1)
    circuit.cx(1, 2)
    circuit.rz(0.4, 1)
    circuit.cx(0, 1)
    circuit.ry(-0.6, 0)
    return qprune.Task(circuit, OBSERVABLE, inputs=[[0.1, 0.9], [-1.2, 0.4]], input_params=x)


def dense_device_outputs(compiled, places, regime, task, sample):
    """The compiled circuit gate by gate on a density matrix, each channel from the whole device's numbers."""
    target = FakeManilaV2().target
    errors = {(gate, tuple(qubits)): error for gate, qubits, error in basic_device_gate_errors(target=target)}
    values = dict(zip([p.name for p in task.input_params], task.inputs[sample], strict=True))
    state = DensityMatrix.from_label("0" * compiled.num_qubits)
    for item in compiled.assign_parameters({p: values[p.name] for p in compiled.parameters}).data:
        here = [compiled.find_bit(q).index for q in item.qubits]
        physical = tuple(regime.qubits[q] for q in here)
        if item.operation.name == "delay":
            assert item.operation.unit == "dt"
            qubit, time = target.qubit_properties[physical[0]], item.operation.duration * target.dt
            state = state.evolve(thermal_relaxation_error(qubit.t1, min(qubit.t2, 2 * qubit.t1), time), here)
            continue
        state = state.evolve(item.operation, here)
        if (item.operation.name, physical) in errors:
            state = state.evolve(errors[item.operation.name, physical], here)
    read = [np.eye(2)] * compiled.num_qubits
    for q, physical in enumerate(regime.qubits):
        wrong = target["measure"][physical,].error
        read[q] = np.array([[1 - wrong, wrong], [wrong, 1 - wrong]])
    return [mean_as_read(state, places, confusion) for confusion in ([np.eye(2)] * compiled.num_qubits, read)]


def mean_as_read(state, places, confusion):
    """⟨O⟩ from the distribution of bits after a change of basis, through each qubit's confusion matrix."""
    total = 0.0
    for label, coefficient in zip(OBSERVABLE.paulis.to_labels(), OBSERVABLE.coeffs.real, strict=True):
        letters = {places[q]: letter for q, letter in enumerate(reversed(label)) if letter != "I"}
        turned = state
        for q, letter in letters.items():
            turned = turned.evolve(Operator(TO_Z[letter]), [q])
        probabilities = turned.probabilities(sorted(letters)) if letters else np.ones(1)
        for bits, probability in enumerate(probabilities):
            sign = 1.0
            for j, q in enumerate(sorted(letters)):
                sign *= confusion[q][bits >> j & 1] @ [1, -1]
            total += coefficient * probability * sign
    return total


def test_outputs_on_a_device_are_those_of_dense_channels(task):
    """Gates, waiting and readout, with the physical qubits' own numbers."""
    regime = regime_of("FakeManilaV2", task.circuit)
    compiled, places = regime.compiled(task.circuit, task.observables)
    assert regime.form == "compiled"
    assert "delay" in compiled.count_ops()
    found = noisy_outputs(compiled, places, task, regime)
    assert (found.method, found.half_width) == ("density matrix", 0.0)
    for sample in range(2):
        gates, read = dense_device_outputs(compiled, places, regime, task, sample)
        assert found.gates.means[0, sample] == pytest.approx(gates, abs=1e-10)
        assert found.read.means[0, sample] == pytest.approx(read, abs=1e-10)
        assert abs(gates - read) > 1e-3


def test_without_noise_the_compiled_circuit_is_the_original(task):
    compiled, places = regime_of("FakeManilaV2", task.circuit).compiled(task.circuit, task.observables)
    assert tuple(places) != (0, 1, 2)
    found = exact_outputs(compiled, places, task)
    expected = [DensityMatrix(task.bound_circuit(i)).expectation_value(OBSERVABLE).real for i in range(2)]
    np.testing.assert_allclose(found[0], expected, atol=1e-10)


@pytest.mark.parametrize(("word", "left"), [("XY", 1), ("XZ", 1), ("ZZ", 0)])
def test_diagonal_gates_at_the_end_go_only_where_all_is_read_in_z(word, left):
    """Qiskit drops diagonal gates before a measurement: right for Z, another circuit for X and Y."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.ry(1.1, 1)
    circuit.rz(0.4, 1)
    circuit.cz(0, 1)
    task = qprune.Task(circuit, word)
    compiled, places = regime_of("FakeManilaV2", circuit).compiled(circuit, task.observables, 3)
    assert compiled.num_nonlocal_gates() == left
    expected = DensityMatrix(circuit).expectation_value(SparsePauliOp(word)).real
    assert exact_outputs(compiled, places, task)[0, 0] == pytest.approx(expected, abs=1e-10)


def test_another_circuit_stops_the_benchmark():
    run._check_compiler(np.array([[0.25]]), np.array([[0.2501]]), 2.0)
    with pytest.raises(RuntimeError, match=r"off by 0\.05"):
        run._check_compiler(np.array([[0.25]]), np.array([[0.3]]), 2.0)


def uniform(readout):
    """Every native gate is noisy, and each qubit is read wrong in its own way."""
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.02, 2), ["cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.004, 1), ["sx", "x"])
    for q, matrix in enumerate(readout):
        model.add_readout_error(ReadoutError(matrix), [q])
    return Regime("uniform", tuple(range(len(readout))), model, None)


READOUT = [[[0.99, 0.01], [0.06, 0.94]], [[0.95, 0.05], [0.02, 0.98]], [[0.97, 0.03], [0.1, 0.9]]]


def test_as_written_all_pairs_are_coupled_and_readout_is_lopsided(task):
    regime = uniform(READOUT)
    compiled, places = regime.compiled(task.circuit, task.observables)
    assert compiled.num_nonlocal_gates() == task.circuit.num_nonlocal_gates()
    found = noisy_outputs(compiled, places, task, regime)
    bound = compiled.assign_parameters(
        dict(zip(compiled.parameters, task.inputs[1][[int(p.name[1]) for p in compiled.parameters]], strict=True))
    )
    state = DensityMatrix.from_label("000")
    errors = {"cx": depolarizing_error(0.02, 2), "sx": depolarizing_error(0.004, 1), "x": depolarizing_error(0.004, 1)}
    for item in bound.data:
        here = [bound.find_bit(q).index for q in item.qubits]
        state = state.evolve(item.operation, here)
        if item.operation.name in errors:
            state = state.evolve(errors[item.operation.name], here)
    assert found.gates.means[0, 1] == pytest.approx(mean_as_read(state, places, [np.eye(2)] * 3), abs=1e-10)
    assert found.read.means[0, 1] == pytest.approx(mean_as_read(state, places, list(map(np.array, READOUT))), abs=1e-10)
    # Depolarising p on two qubits has the average infidelity 3p/4, on one p/2.
    assert regime.two_qubit_error == pytest.approx(0.75 * 0.02)
    counts = compiled.count_ops()
    expected = 0.75 * 0.02 * counts["cx"] + 0.5 * 0.004 * (counts["sx"] + counts.get("x", 0))
    assert regime.infidelity(compiled) == pytest.approx(expected)


def test_trajectories_agree_with_density_matrices(task):
    regime = uniform(READOUT)
    compiled, places = regime.compiled(task.circuit, task.observables)
    exact, drawn = (noisy_outputs(compiled, places, task, regime, exact=kind) for kind in (True, False))
    assert drawn.method == "trajectories"
    assert 0 < drawn.half_width < 0.1
    assert np.abs(drawn.read.means - exact.read.means).max() < 2 * drawn.half_width


def test_a_device_that_is_too_small_is_left_out():
    assert regime_of("FakeManilaV2", QuantumCircuit(6)) is None


def test_light_cone_and_matched_identity_equivalents(task):
    """The last gate on qubit 1 is read by nothing once Y is gone from the observable; then sizes are matched."""
    circuit = task.circuit.copy()
    circuit.rx(0.001, 0)
    circuit.ry(0.002, 0)
    circuit.h(1)
    task = qprune.Task(circuit, "IIZ", inputs=task.inputs, input_params=task.input_params)
    seen = light_cone(task).circuit
    assert seen.size() == circuit.size() - 1
    setting = {"budget": 0.005}
    ours = PRUNERS["q-iPrune"].prune(task, setting, 0, None).circuit
    theirs = PRUNERS["RemoveIdentityEquivalent"].prune(task, setting, 0, None).circuit
    assert theirs.size() == ours.size() < seen.size()


def test_a_voided_certificate_stops_the_benchmark():
    change = np.array([[0.1, 0.2]])
    run._check_certificate({}, change, np.array([[0.1, 0.2]]))
    with pytest.raises(CertificateViolation, match=r"0\.05 more than certified"):
        run._check_certificate({}, change, np.array([[0.1, 0.15]]))


def test_a_proof_for_every_input_is_held_against_the_inputs_it_speaks_of(task):
    claim = qprune.prune(task, qprune.Everywhere(0.05)).certificate.every_input
    rows = np.array([task.inputs.mean(axis=0), task.inputs.max(axis=0) + 1])
    asked = run._inside(claim, task, task.with_inputs(rows))
    np.testing.assert_array_equal(asked.inputs, rows[:1])
    assert run._inside(claim, task, task.with_inputs(rows[1:])) is None
    assert run._inside(None, task, task) is None


# -- the command ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def few_samples():
    """Networks are pruned on twelve of their training inputs."""
    whole = run.network
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "network", lru_cache(lambda bundle: run._some(whole(bundle), 12)))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the rows of one quick run."""
    target = tmp_path_factory.mktemp("noise")
    assert main(["noise", "--quick", "--out", str(target / "noise.jsonl")]) == 0
    return target


def rows_in(folder):
    return [json.loads(line) for line in (folder / "noise.jsonl").read_text().splitlines()]


def test_rows_say_what_was_run_and_where(folder):
    rows = rows_in(folder)
    configs = [row["config"] for row in rows]
    assert len({json.dumps(config, sort_keys=True) for config in configs}) == len(rows) == 10
    assert {config["pruner"] for config in configs} == {"none", "Qiskit O3", "random", "q-iPrune, λ"}
    for row in rows:
        assert row["certified"] == (row["config"]["pruner"] in ("random", "q-iPrune, λ"))
        assert row["noiseless"]["mean"] <= row["noiseless"]["rms"] <= row["noiseless"]["max"]
        assert row["inputs"] == {"train": 6, "test": row["config"]["samples"]}
        assert all(key in row for key in ("machine", "versions", "seed", "commit", "date"))
    unpruned = [row for row in rows if row["config"]["pruner"] == "none"]
    assert all(row["noiseless"]["max"] < 1e-10 < row["gates"]["raw"]["mean"] for row in unpruned)


def test_a_stopped_run_goes_on_where_it_was(folder, tmp_path):
    lines = (folder / "noise.jsonl").read_text().splitlines()
    (tmp_path / "noise.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    assert main(["noise", "--quick", "--out", str(tmp_path / "noise.jsonl")]) == 0
    again = rows_in(tmp_path)
    assert again[:-1] == [json.loads(line) for line in lines[:-1]]
    for key in ("config", "compiled", "gates", "read"):
        assert again[-1][key] == json.loads(lines[-1])[key]


def test_tables_and_plots_follow_from_the_rows(folder):
    assert main(["tables", "--results", str(folder)]) == 0
    text = (folder / "noise.md").read_text()
    assert all(f"<summary>reupload-2q, {model}<" in text for model in ("FakeManilaV2", "depolarizing-1e-2"))
    assert main(["plots", "--results", str(folder)]) == 0
    for name in ("FakeManilaV2", "predicted"):
        assert (folder / f"noise-{name}.png").read_bytes().startswith(b"\x89PNG")


# -- what is made of outputs --------------------------------------------------------------------------------------


def test_one_shot_has_the_variance_of_what_is_read():
    """Drawn bits of a GHZ-like state, read wrong: mean and covariance of two outputs from the same shots."""
    circuit = QuantumCircuit(2)
    circuit.ry(1.0, 0)
    circuit.cx(0, 1)
    task = qprune.Task(circuit, [SparsePauliOp(["ZI", "IZ"], [1.0, 0.5]), "ZZ"])
    found = noisy_outputs(circuit, (0, 1), task, uniform(READOUT[:2])).read
    state = DensityMatrix.from_label("00").evolve(circuit.to_gate().definition[0].operation, [0])
    state = state.evolve(circuit.data[1].operation, [0, 1]).evolve(depolarizing_error(0.02, 2), [0, 1])
    bits = state.probabilities().reshape(2, 2)  # qubit 1 first
    bits = np.einsum("ba,ab->ab", np.ones((2, 2)), bits)
    bits = np.array(READOUT[1]).T @ bits @ np.array(READOUT[0])
    signs = np.array([1, -1])
    outcomes = np.array([np.add.outer(signs, 0.5 * signs), np.outer(signs, signs)]).reshape(2, 4)
    means = outcomes @ bits.ravel()
    covariance = (outcomes * bits.ravel()) @ outcomes.T - np.outer(means, means)
    np.testing.assert_allclose(found.means[:, 0], means, atol=1e-10)
    np.testing.assert_allclose(found.covariance[..., 0], covariance, atol=1e-10)


def test_what_one_setting_cannot_read_needs_several():
    """Z and X on one qubit: half the shots each, so twice the variances."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    task = qprune.Task(circuit, SparsePauliOp(["IZ", "IX"], [1.0, 2.0]))
    found = noisy_outputs(circuit, (0, 1), task, uniform([np.eye(2)] * 2)).gates
    expected = 2 * ((1 - np.cos(0.7) ** 2) + 4 * (1 - np.sin(0.7) ** 2))
    assert found.covariance[0, 0, 0] == pytest.approx(expected)


def test_a_scaled_and_shifted_output_is_corrected_at_the_price_of_shots():
    """Noise that scales by 0.5 and shifts by 0.1 leaves no deviation, and four times the shots."""
    ideal = np.array([[0.9, -0.3, 0.2, -0.8], [0.5, 0.1, -0.7, 0.4]])
    circuit = QuantumCircuit(2)
    task = qprune.Task(circuit, ["IZ", "ZI"], labels=[1, 0, 0, 1], inputs=np.zeros((4, 0)))
    task = task.with_inputs(np.zeros((4, 0)), labels=[0, 1, 0, 1])
    noisy = 0.5 * ideal + 0.1
    covariance = np.einsum("rs,rm->rsm", np.eye(2), 1 - noisy**2)
    found = Moments(noisy, covariance)
    made = estimates(found, found, (ideal, ideal), task, 0)
    assert made["corrected"]["max"] < 1e-12
    assert made["raw"]["mean"] == pytest.approx(np.abs(noisy - ideal).mean())
    assert made["slope"] == pytest.approx(2)
    assert made["shots"] == pytest.approx(4 * (1 - noisy**2).mean() / 0.01**2)
    right = [0.9 > 0.5, 0.1 > -0.3, 0.2 > -0.7, 0.4 > -0.8]  # by the larger output
    assert made["accuracy"]["corrected"] == np.mean(right)
    assert made["accuracy"]["at_shots"] == pytest.approx(np.mean(right), abs=0.02)
    repeated = np.random.default_rng(1).normal(noisy, np.sqrt((1 - noisy**2) / 1000), (4000, 2, 4))
    drawn = np.mean((2 * (repeated - 0.1) - ideal) ** 2) ** 0.5
    assert made["rms_at_shots"] == pytest.approx(drawn, rel=0.03)


def test_an_output_that_does_not_move_is_not_divided_by():
    flat = Moments(np.full((1, 3), 0.25), np.ones((1, 1, 3)))
    ideal = np.array([[0.1, 0.2, 0.6]])
    task = qprune.Task(QuantumCircuit(1), "Z", inputs=np.zeros((3, 0)))
    made = estimates(flat, flat, (ideal, ideal), task, 0)
    assert (made["slope"], made["shots"]) == (0, 0)
    assert made["corrected"]["mean"] == pytest.approx(np.abs(ideal - 0.3).mean())


def test_without_inputs_nothing_is_corrected():
    """One output of one state: a slope and a shift would leave nothing, whatever the noise."""
    found = Moments(np.array([[0.25]]), np.ones((1, 1, 1)))
    made = estimates(found, found, [np.array([[0.75]])] * 2, qprune.Task(QuantumCircuit(1), "Z"), 0)
    assert made["corrected"] == made["raw"] == {"mean": 0.5, "rms": 0.5, "max": 0.5}
    assert made["shots"] == pytest.approx(1 / 0.01**2)


# -- the verdicts, on rows with known answers ---------------------------------------------------------------------


def made_row(pruner, setting, shots, deviation, right=(1.0, 0.8, 0.9, 0.9), seed=0, error=0.01):
    accuracy = {"at_shots": float(np.mean(right)), "low": 0.8, "high": 1.0}
    device = {
        "raw": {"mean": 2 * deviation},
        "corrected": {"mean": deviation},
        "slope": 1.5,
        "shots": shots,
        "rms_at_shots": deviation + shots / 1e5,
        "accuracy": accuracy,
        "right": list(right),
    }
    return {
        "config": {"bundle": "b", "model": "m", "pruner": pruner, "setting": setting, "seed": seed},
        "two_qubit_error": error,
        "compiled": {"two_qubit_gates": 9, "depth": 20, "seconds": None},
        "gates": device,
        "read": device,
        "predicted": {"error": 2 * device["rms_at_shots"], "shots": shots, "contrast": 2 / 3, "chain": 1 / 3},
    }


LESS_SURE = (0.9, 0.7, 0.8, 0.8)  # by 0.1, on every input


@pytest.mark.parametrize(
    ("shots", "deviation", "right", "error", "verdicts"),
    [
        (600, 0.2, (1.0, 0.8, 0.9, 0.9), 0.01, ("yes", "yes", "yes", "yes")),
        (700, 0.2, (1.0, 0.8, 0.9, 0.9), 0.01, ("**no**", "yes", "yes", "yes")),
        (700, 0.21, (1.0, 0.9, 0.7, 0.8), 0.005, ("yes", "**no**", "**no**", "yes")),
        (1001, 0.1, LESS_SURE, 0.005, ("**no**", "yes", "yes", "**no**")),
    ],
)
def test_aims(shots, deviation, right, error, verdicts):
    rows = [
        made_row("none", {}, 9999, 0.9, error=error),
        made_row(sets.BASELINE, {}, 1000, 0.2, error=error),
        made_row(sets.OURS, {"shots": 1000}, shots, deviation, right, error=error),
    ]
    header, (line, total) = report.against_unpruned(rows)
    assert line[-4:] == verdicts
    assert dict(zip(header, line, strict=True))["shots"] == f"1000 → {shots}"
    assert total[-4:] == tuple(f"{int(v == 'yes')} of 1" for v in verdicts)
    assert all(line)


def test_what_is_missed_is_said_from_the_rows():
    rows = [made_row(sets.BASELINE, {}, 1000, 0.2), made_row(sets.OURS, {"shots": 1000}, 800, 0.3, LESS_SURE)]
    assert report.misses(rows) == [
        "- Networks with labels where the two-qubit error is above 0.8%: 1.5 times fewer shots in 0 of 1.",
        "- *fewer shots*, missed in 1 of 1: b on m (1.25 times, aim 1.5).",
        "- *no further*, missed in 1 of 1: b on m (0.2 → 0.3).",
        "- *less error*, missed in 1 of 1: b on m (0.21 → 0.308).",
        "- *as accurate*, missed in 1 of 1: b on m (0.900 → 0.800).",
    ]
    rows[1] = made_row(sets.OURS, {"shots": 1000}, 600, 0.1)
    assert report.misses(rows)[1] == "- *fewer shots*, missed in 0 of 1: none."


def test_without_labels_there_is_no_accuracy():
    rows = [made_row(sets.BASELINE, {}, 1000, 0.2), made_row(sets.OURS, {"shots": 1000}, 600, 0.1)]
    for row in rows:
        row["gates"] = {key: value for key, value in row["gates"].items() if key not in ("accuracy", "right")}
    header, (line, total) = report.against_unpruned(rows)
    cells = dict(zip(header, line, strict=True))
    assert cells["accuracy"] == cells["as accurate"] == "no labels"
    assert total[-1] == "0 of 0"


def test_a_point_beats_another_at_no_more_shots():
    """At the middle setting of each, mean over seeds; rounding beats nobody."""
    rows = [made_row(sets.OURS, {"shots": 1000}, 500, 0.1), made_row("none", {}, 500, 0.1 * (1 + 1e-12))]
    for budget, shots, deviation in ((0.05, 400, 0.09), (0.1, 900, 0.3), (0.2, 300, 0.4)):
        rows.append(made_row("magnitude", {"budget": budget}, shots, deviation))
    rows += [made_row("random", {"budget": 0.1}, 600, d, seed=s) for s, d in enumerate((0.02, 0.22))]  # mean 0.12
    rows += [made_row("q-iPrune, refit", {"budget": 0.1}, 400, 0.09), made_row("exact", {"budget": 0.0}, 400, 0.11)]
    alike = ("q-iPrune", "RemoveIdentityEquivalent", "random, refit", "q-iPrune, λ", "q-iPrune, λ, refit")
    rows += [made_row(name, {"budget": 0.1}, 501, 0.1) for name in alike]
    rows.append(made_row("one-shot", {"tolerance": 0.05}, 501, 0.1))
    assert report.against_others(rows)[1] == []  # one-shot with λ was not run
    rows.append(made_row("one-shot, λ", {"tolerance": 0.05}, 501, 0.1))
    header, (line, total) = report.against_others(rows)
    cells, counts = (dict(zip(header, found, strict=True)) for found in (line, total))
    assert cells["magnitude"] == "2.94 beaten"  # (0.3 + 0.009) / (0.1 + 0.005)
    assert cells["random"] == "1.20 beaten"
    assert cells["q-iPrune, refit"] == "0.90 **beats**"
    assert (cells["none"], cells["exact"], cells["q-iPrune"]) == ("1.00", "1.09", "1.00 beaten")
    assert counts["magnitude"] == "2.94, beaten in 1, beats in 0 of 1"
    assert counts["q-iPrune, refit"] == "0.90, beaten in 0, beats in 1 of 1"
    (case,) = report.cases(rows)
    (drawn,) = case.of("random")
    assert drawn.mean("gates", "corrected", "mean") == pytest.approx(0.12)
    reach = report.half_width(drawn.values("gates", "corrected", "mean"))
    assert reach == pytest.approx(12.706 * 0.1414 / 2**0.5, rel=1e-3)  # Student's t, one degree


def test_ablation_is_seed_by_seed():
    """Halved on every seed that both have: no interval, whatever the seeds have in common."""
    first, last = sets.REFIT
    rows = [made_row(first, {"shots": 1000}, 0, d, seed=s) for s, d in enumerate((0.1, 0.2, 0.4, 0.9))]
    rows += [made_row(last, {"shots": 1000}, 0, d, seed=s) for s, d in enumerate((0.05, 0.1, 0.2))]
    header, (line, total) = ablation.table(rows, sets.REFIT)
    assert header[-2:] == (first, last)
    assert line == ("b", "m", "3", "0.233", "0.500 (0.500 to 0.500)")
    assert total[-1] == "0.500"
    assert ablation.table(rows, sets.PLAIN)[1] == ablation.findings(rows, sets.PLAIN) == []


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ((0.5, 0.52, 0.48), "0.500 (0.452 to 0.552) times as large, the same circuit in 0 of 6 draws: less error"),
        ((0.5, 1.0, 2.0), "the same circuit in 2 of 6 draws: no effect within 95% confidence"),
        ((2.0, 2.1, 2.2), "more error"),
        ((1.0, 1.0, 1.0), "the same circuit in 6 of 6 draws: no effect, as it never leaves another circuit"),
    ],
)
def test_what_a_part_of_lambda_does_is_said_by_the_interval_over_cells(factors, words):
    first, last = sets.REFIT
    rows = []
    for model, factor in zip("lmn", factors, strict=True):
        for seed in (0, 1):
            for name, deviation in ((first, 0.1), (last, 0.1 * factor)):
                row = made_row(name, {"shots": 1000}, 0, deviation, seed=seed)
                row["config"]["model"] = model
                rows.append(row)
    (line,) = ablation.findings(rows, sets.REFIT)
    assert words in line


def test_what_was_not_run_is_said():
    rows = [made_row(sets.BASELINE, {}, 1000, 0.2), made_row(sets.OURS, {"shots": 1000}, 900, 0.2)]

    def missing(found, bundles, models):
        part = sets.Part((sets.BASELINE, sets.OURS), bundles, models, seeds)
        return report.not_run(found, part, lambda model, bundle: (model, bundle) != ("small", "c"))

    seeds = 1
    assert missing(rows, ("b",), ("m", "n")) == ["b on n"]
    assert missing(rows, ("b", "c"), ("m", "n", "small")) == ["b on n, small", "c on any"]
    assert missing(rows, ("c",), ("small",)) == []
    assert missing(rows[:1], ("b",), ("m",)) == ["b on any"]
    assert missing(rows, ("b",), ("m",)) == []
    seeds = 2  # of which the baseline has none to draw
    assert missing(rows, ("b",), ("m",)) == ["b on any"]


def test_predictions_are_compared_with_what_was_measured():
    _, (line,) = report.predictions([made_row("none", {}, 100, 0.1)])
    assert line == ("m", "1", *(f"{v} ({v} to {v})" for v in ("2.00", "1.00", "1.00", "0.50")))
