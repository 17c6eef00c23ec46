"""λ, r and Λ by independent routes; what noise changes, and that no bound is among it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, asked, cases, examples, prepared_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import (
    CRYGate,
    CXGate,
    CZGate,
    ECRGate,
    HGate,
    RXGate,
    RYGate,
    RZGate,
    RZXGate,
    SwapGate,
    SXGate,
    XGate,
)
from qiskit.providers import BackendV2, Options
from qiskit.quantum_info import Kraus, Operator, partial_trace, random_quantum_channel
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import (
    NoiseModel,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
)
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qprune import OptionError, Proven, Task, Threshold, calibrate, prune, verify
from qprune.gates.sites import sites_of
from qprune.limits.tradeoff import trade_off
from qprune.noise.channels import noise_of
from qprune.selection.representatives import identities, identity

COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@cache
def manila():
    """A device and Aer's model of it."""
    device = FakeManilaV2()
    return device, NoiseModel.from_backend(device)


# -- the oracle ---------------------------------------------------------------------------------------------------


def two_design(num_qubits):
    """Pure states whose average is the Haar average of anything quadratic: bases of commuting Pauli words."""
    bases = (
        (["Z"], ["X"], ["Y"])
        if num_qubits == 1
        else (["ZI", "IZ"], ["XI", "IX"], ["YI", "IY"], ["XY", "YZ"], ["YX", "ZY"])
    )
    states = []
    for words in bases:
        for signs in np.ndindex(*(2,) * len(words)):
            state = np.eye(2**num_qubits, dtype=complex)
            for word, sign in zip(words, signs, strict=True):
                state = state @ (np.eye(2**num_qubits) + (-1) ** sign * Operator.from_label(word).data) / 2
            states.append(state)
    return states


def averages(channel, num_qubits):
    """λ and r of a function on density matrices: purity of what is left of traceless parts, and overlap (Wallman 2015).

    u = d/(d−1) ⟨Tr[𝓔(ψ − 1/d)²]⟩ and F̄ = ⟨⟨ψ|𝓔(ψ)|ψ⟩⟩ over pure states.
    """
    size, states = 2**num_qubits, two_design(num_qubits)
    mixed = channel(np.eye(size) / size)
    images = [channel(state) for state in states]
    purity = np.mean([np.trace((image - mixed) @ (image - mixed)).real for image in images])
    fidelity = np.mean([np.trace(image @ state).real for image, state in zip(images, states, strict=True)])
    return np.sqrt(size / (size - 1) * purity), 1 - fidelity


def by_kraus(channel):
    operators = Kraus(channel).data
    operators = operators[0] if isinstance(operators, tuple) else operators
    return lambda rho: sum(k @ rho @ k.conj().T for k in operators)


@pytest.mark.parametrize("num_qubits", [1, 2])
def test_lambda_and_r_are_averages_over_states(num_qubits):
    for seed in range(6):
        channel = random_quantum_channel(2**num_qubits, 2**num_qubits, rank=1 + seed % 4, seed=seed)
        found = noise_of(channel)
        wanted = averages(by_kraus(channel), num_qubits)
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        assert found.fidelity == 1 - found.infidelity


@pytest.mark.parametrize("num_qubits", [1, 2])
@pytest.mark.parametrize("strength", [0.0, 0.01, 0.4, 1.0])
def test_depolarising(num_qubits, strength):
    """λ = 1 − p and r = p(1 − 1/d), on one and on two qubits; no noise gives 1, complete depolarising 0."""
    found = noise_of(depolarizing_error(strength, num_qubits).to_quantumchannel())
    np.testing.assert_allclose(found, (1 - strength, strength * (1 - 0.5**num_qubits)), atol=1e-12)


def test_coherent_errors_keep_coherence():
    """A unitary error has λ = 1 and r > 0; r of a rotation by δ is (2/3) sin²(δ/2)."""
    found = noise_of(coherent_unitary_error(RXGate(0.3).to_matrix()).to_quantumchannel())
    np.testing.assert_allclose(found, (1, 2 / 3 * np.sin(0.15) ** 2), atol=1e-12)


# -- gates compiled alone -----------------------------------------------------------------------------------------


def embedded(rho, qubits, total):
    """ρ on these qubits (the first least significant), |0⟩ on the others."""
    size, tensor = len(qubits), np.zeros((2,) * 2 * total, dtype=complex)
    descending = sorted(range(size), key=lambda j: -qubits[j])
    axes = [size - 1 - j for j in descending]
    where = [slice(None) if q in qubits else 0 for q in reversed(range(total))]
    tensor[tuple(where * 2)] = rho.reshape((2,) * 2 * size).transpose([*axes, *(size + a for a in axes)])
    return tensor.reshape(2**total, 2**total)


def under_aer(native, model, gate, qubits):
    """λ and r of a compiled gate as Aer runs it on the whole device: others traced out, the ideal gate undone."""
    ideal, simulator = Operator(gate).data, AerSimulator(method="density_matrix", noise_model=model)
    others = [q for q in range(native.num_qubits) if q not in qubits]

    def channel(rho):
        ready = QuantumCircuit(native.num_qubits)
        ready.set_density_matrix(embedded(rho, qubits, native.num_qubits))
        ready.compose(native, inplace=True)
        ready.save_density_matrix()
        after = partial_trace(simulator.run(ready).result().data()["density_matrix"], others)
        after = after if list(qubits) == sorted(qubits) else after.reverse_qargs()
        return ideal.conj().T @ after.data @ ideal

    return averages(channel, len(qubits))


def noisy_line():
    """An Aer model on the line 3 – 0 – 2 – 1, every error its own, gates in one direction only, rz without error."""
    model = NoiseModel(basis_gates=["rz", "sx", "x", "ecr"])
    for q in range(4):
        flips = pauli_error([("Z", 0.002 * (q + 1)), ("I", 1 - 0.002 * (q + 1))])
        model.add_quantum_error(amplitude_damping_error(0.01 + 0.003 * q).compose(flips), ["sx", "x"], [q])
    for j, pair in enumerate(((3, 0), (0, 2), (1, 2))):
        damping = amplitude_damping_error(0.03).expand(amplitude_damping_error(0.001))
        model.add_quantum_error(depolarizing_error(0.02 + 0.01 * j, 2).compose(damping), "ecr", pair)
    return model


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("gate", "qubits"),
    [
        (ECRGate(), (0, 2)),
        (CXGate(), (3, 0)),
        (CXGate(), (0, 3)),
        (CRYGate(0.4), (2, 1)),
        (SwapGate(), (2, 0)),
        (RZXGate(0.3), (1, 2)),
        (RYGate(0.7), (2,)),
        (HGate(), (1,)),
        (RZGate(0.7), (3,)),
    ],
)
def test_a_gate_is_its_compiled_circuit_under_aer(gate, qubits):
    """Aer runs the gate compiled on the whole device; the other qubits are traced out; the ideal gate is undone."""
    model = noisy_line()
    circuit = QuantumCircuit(4)
    circuit.append(gate, qubits)
    native = transpile(
        circuit,
        basis_gates=model.basis_gates,
        coupling_map=[[3, 0], [0, 2], [1, 2]],
        initial_layout=range(4),
        optimization_level=1,
    )
    found = calibrate(model, layout=range(4)).noises.of(gate, qubits)
    np.testing.assert_allclose(found, under_aer(native, model, gate, qubits), atol=1e-9)


def test_angles_that_are_free_are_generic_and_numbers_are_not():
    """A weight may be trained away from where it is, so ry(w) counts two pulses; ry(π/2) is a number and needs one."""
    calibration = calibrate(noisy_line(), layout=range(4))
    circuit = QuantumCircuit(4)
    circuit.ry(Parameter("w"), 2)
    circuit.ry(np.pi / 2, 2)
    circuit.ry(0.3, 2)
    free, quarter, number = (calibration.gate(site) for site in sites_of(Task(circuit, "ZZZZ", weights=[np.pi / 2])))
    assert free == pytest.approx(number, rel=1e-12)
    assert 1.9 < free.infidelity / quarter.infidelity < 2.1


def test_virtual_gates_are_noiseless_and_listed():
    calibration = calibrate(noisy_line(), layout=range(4))
    assert calibration.noiseless == ("rz",)
    assert calibration.noises.of(RZGate(0.3), (1,)) == (1, 0)
    assert calibrate(0.9).noiseless == ()


def chain_target(error=0.0):
    """Qubits 0 – 1 – 2 with T1, T2 of their own; sx takes 50 ns, cx 300 ns, rz none."""
    times = [(80e-6, 60e-6), (50e-6, 130e-6), (120e-6, 40e-6)]
    target = Target(num_qubits=3, qubit_properties=[QubitProperties(t1=a, t2=b) for a, b in times])
    for gate, duration in ((SXGate(), 50e-9), (XGate(), 50e-9), (RZGate(Parameter("t")), 0.0)):
        target.add_instruction(gate, {(q,): InstructionProperties(duration=duration, error=0.0) for q in range(3)})
    pairs = {pair: InstructionProperties(duration=300e-9, error=error) for pair in ((0, 1), (1, 2))}
    target.add_instruction(CXGate(), pairs)
    return target


class Backend(BackendV2):
    """Nothing but a target."""

    def __init__(self, target):
        super().__init__(name="chain")
        self._target = target

    target = property(lambda self: self._target)
    max_circuits = None

    @classmethod
    def _default_options(cls):
        return Options()

    def run(self, circuits, **options):
        raise NotImplementedError


def test_a_qubit_that_waits_within_a_gate_relaxes():
    """cry = ry cx ry cx: between the cx the control waits for two pulses, which Aer runs as a delay of 100 ns."""
    backend = Backend(chain_target())
    gate, waiting = QuantumCircuit(3), QuantumCircuit(3)
    gate.cry(0.4, 0, 1)
    native = transpile(gate, target=backend.target, initial_layout=range(3), optimization_level=1, seed_transpiler=0)
    for item in native.data:
        if item.operation.name == "cx" and waiting.count_ops().get("cx", 0) == 1:
            waiting.delay(100, 0, unit="ns")
        waiting.append(item)
    found = calibrate(backend, layout=range(3)).noises.of(CRYGate(0.4), (0, 1))
    model = NoiseModel.from_backend(backend)
    np.testing.assert_allclose(found, under_aer(waiting, model, CRYGate(0.4), (0, 1)), atol=1e-9)
    without = calibrate(model, layout=range(3)).noises.of(CRYGate(0.4), (0, 1))
    assert without.infidelity < found.infidelity - 1e-4  # a model without durations has no idle noise


def test_infidelities_for_the_layout_are_those_of_the_gates():
    """What pairs are chosen by is r of Aer's channel: reported error, or relaxation where it is more; T2 ≤ 2 T1."""
    for target in (chain_target(), chain_target(0.02), manila()[0].target):
        noises = calibrate(target, layout=range(3)).noises
        for pair in noises.device.pairs:
            assert noises.device.pair_infidelity(pair) == pytest.approx(noises.of(CXGate(), pair).infidelity, rel=1e-9)


# -- what noise changes -------------------------------------------------------------------------------------------


def line(seed=0, layers=2):
    """Three qubits in a line with an input; weights about half of them small."""
    rng = np.random.default_rng(seed)
    circuit, weights, x = QuantumCircuit(3), {}, Parameter("x")
    for q in range(3):
        circuit.ry(x * (q + 1), q)
    for layer in range(layers):
        for q in range(3):
            for j, name in enumerate(("ry", "rz")):
                w = Parameter(f"w{layer}{q}{j}")
                weights[w] = rng.normal(0, 0.05) if rng.random() < 0.5 else rng.uniform(-2, 2)
                getattr(circuit, name)(w, q)
        circuit.cx(2, 0)
        circuit.crx(0.05, 0, 1)
    return Task(circuit, ["IIZ", "ZXI"], inputs=rng.uniform(-2, 2, 4), input_params=x, weights=weights)


def test_tolerance_grows_with_the_infidelity_saved():
    """ε_k² = ε₀² + γ r_k by gate; γ = 0 leaves ε₀; larger r, larger ε."""
    task, layout = line(), [3, 4, 2]
    result = prune(task, Threshold(0.1), noise=calibrate("FakeManilaV2", gamma=0.7, layout=layout))
    noise = result.certificate.noise
    assert noise.layout == tuple(layout)
    entries = sorted(result.certificate.replaced, key=lambda entry: noise.infidelity[entry.site])
    for entry in entries:
        assert entry.tolerance**2 == pytest.approx(0.01 + 0.7 * noise.infidelity[entry.site])
    values = [entry.tolerance for entry in entries]
    assert values == sorted(values)
    assert len(set(values)) > 2
    flat = prune(task, Threshold(0.1), noise=calibrate("FakeManilaV2", gamma=0.0, layout=layout))
    assert {entry.tolerance for entry in flat.certificate.replaced} == {0.1}
    verify(task, result)


def test_layout_is_taken_qubit_by_qubit():
    """The same circuit on a good and on a bad pair: r of cx is that of the pair it runs on."""
    device = FakeManilaV2()
    reported = {pair: p.error for pair, p in device.target["cx"].items()}
    circuit = QuantumCircuit(3)
    circuit.cx(2, 0)
    (site,) = sites_of(Task(circuit, "ZZZ"))
    for layout in ([4, 0, 3], [1, 0, 2], [2, 4, 1]):
        pair = layout[2], layout[0]
        assert calibrate(device, layout=layout).gate(site).infidelity == pytest.approx(reported[pair], abs=1e-3)
    assert reported[3, 4] < 0.6 * reported[1, 2]


def test_costs_are_what_removal_saves():
    """With a noise model costs go with r_k, a virtual rz keeps a little; given costs win; a single λ changes none."""
    task = line()
    calibration = calibrate("FakeManilaV2", layout=[3, 4, 2])
    stage = prepared_for(task, budget=0.1, noise=calibration)
    gains = {c.place: c.gain for c in identities(stage.offers, stage.prunable)}
    by_noise = sorted(gains, key=lambda k: stage.noise.infidelity[k])
    assert [gains[k] for k in by_noise] == sorted(gains.values())
    virtual = [gains[k] for k in gains if stage.sites[k].name == "rz"]
    assert 0 < max(virtual) == min(virtual) < min(gains[k] for k in gains if stage.sites[k].name != "rz")
    ratio = [(gains[k] - min(virtual)) / stage.noise.infidelity[k] for k in gains if stage.noise.infidelity[k]]
    assert max(ratio) == pytest.approx(min(ratio))
    own = prepared_for(task, budget=0.1, noise=calibration, costs={"cx": 3.0})
    assert {identity(own.offers, k).gain for k in own.prunable if own.sites[k].name == "cx"} == {3.0}
    for noise in (None, 0.9):
        plain = prepared_for(task, budget=0.1, noise=noise)
        assert plain.costs is None


NOISES = (0.3, "depolarizing-1e-1", "combined", "over-rotation", "FakeManilaV2")


@settings(max_examples=examples(40), derandomize=True, **COMMON)
@given(cases("tolerance"), st.sampled_from(NOISES), st.floats(0, 5), st.floats(0, 2))
def test_no_bound_depends_on_noise(case, noise, beta, gamma):
    """With everything admissible the same gates go, whatever λ, β, γ: then every claim but the geometry is the same."""
    if case.task.num_qubits > 5:
        return
    options = asked(**case.options | {"tolerance": np.sqrt(2)})
    plain = prune(case.task, **options).certificate
    result = prune(case.task, noise=calibrate(noise, beta=beta, gamma=gamma), **options)
    found = result.certificate
    assert [entry.site for entry in found.replaced] == [entry.site for entry in plain.replaced]
    for name in ("angle", "bound", "measured", "certified_predictions", "mean_state_error", "pruned_hash"):
        assert getattr(found, name) == getattr(plain, name)
    assert [entry.largest_angle for entry in found.replaced] == [entry.largest_angle for entry in plain.replaced]
    assert np.all(np.array(found.measured) <= np.array(found.bound) + 1e-10)
    verify(case.task, result)


def test_prune_takes_whatever_calibrate_takes():
    task, (device, model), path = line(), manila(), ROOT / "noise_models" / "combined.json"
    for noise, source in (
        (0.9, "λ = 0.9"),
        (device, "FakeManilaV2"),
        ("FakeManilaV2", "FakeManilaV2"),
        (model, "Aer noise model"),
        (device.target, device.target.description or "Target"),
        (aer := AerSimulator.from_backend(device), aer.name),
        ("combined", "combined"),
        (str(path), "combined"),
        (path, "combined"),
    ):
        assert calibrate(noise).source == source
    for noise, source in ((0.9, "λ = 0.9"), (path, "combined"), (calibrate("combined", beta=2.0), "combined")):
        record = prune(task, Threshold(0.05), noise=noise).certificate.noise
        assert record.source == source
        assert len(record.coherence) == len(record.infidelity) == len(record.accumulated)
    for nothing in (None, 1.0):
        assert prune(task, Threshold(0.05), noise=nothing).certificate.noise is None
    for noise, words in (("no such", "lists all"), (object(), "NoiseModel"), (True, "λ")):
        with pytest.raises(OptionError, match=words):
            calibrate(noise)
    with pytest.raises(OptionError, match="already in the calibration"):
        calibrate(calibrate("combined"), beta=2.0)


def test_a_model_and_its_backend_agree():
    """The channels made one by one for a target are those of Aer's model of the whole backend."""
    device, model = manila()
    one, other = (calibrate(x, layout=range(5)).noises for x in (device, model))
    for gate, qubits in ((CXGate(), (1, 0)), (CXGate(), (3, 4)), (SXGate(), (2,)), (XGate(), (4,))):
        np.testing.assert_allclose(one.of(gate, qubits), other.of(gate, qubits), atol=1e-12)
    assert calibrate(device).layout_for(3) == calibrate(model).layout_for(3)


def test_predicted_gain_is_in_the_table():
    """Σ r before, after and saved, each summed anew, against sin²Θ."""
    task = line()
    calibration = calibrate("FakeManilaV2", layout=[3, 4, 2])
    result = prune(task, Threshold(0.2), noise=calibration)
    before, after = (
        sum(calibration.gate(site).infidelity for site in sites_of(task.with_circuit(c)))
        for c in (result.simplified, result.circuit)
    )
    text = str(result)
    assert result.certificate.noise.totals[1:] == pytest.approx((before, after))
    assert f"noise infidelity saved  {before - after:.6g}" in text
    angle = np.max(result.certificate.angle)
    assert f"at most {np.sin(angle) ** 2:.6g}" in text
    assert "predicted gain under FakeManilaV2, qubits 3, 4, 2" in text
    assert "noiseless in this model: rz" in text
    assert "predicted gain" not in str(prune(task, Threshold(0.2)))


def test_the_trade_off_needs_the_model_again():
    task = line()
    result = prune(task, Proven(0.1), noise="combined")
    with pytest.raises(OptionError, match=r"noise must be given again.*combined"):
        trade_off(result, points=2)
    assert len(trade_off(result, points=2, noise="combined")) == 2


# -- recorded numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["FakeTorino", "FakeSherbrooke", "FakeManilaV2"])
def test_golden_numbers(name):
    """λ and r of native and compiled gates as recorded in calibration.json, which says how it is made."""
    golden = json.loads((Path(__file__).parent / "calibration.json").read_text())["devices"][name]
    calibration = calibrate(name)
    assert list(calibration.layout_for(len(golden["layout"]))) == golden["layout"]
    noises = calibration.noises
    made = {"sx": SXGate(), "ry(0.7)": RYGate(0.7), "cx": CXGate(), "ecr": ECRGate(), "cz": CZGate()}
    for key, row in golden["gates"].items():
        gate, *qubits = key.split()
        found = noises.of(made[gate], tuple(map(int, qubits)))
        np.testing.assert_allclose(found, (row["coherence"], row["infidelity"]), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "gate", "pair", "coherence", "infidelity"),
    [("FakeManilaV2", CXGate(), (1, 2), 0.9815, 0.01394), ("FakeTorino", CZGate(), (3, 4), 0.9943, 0.0043)],
)
def test_spot_values(name, gate, pair, coherence, infidelity):
    """The reported error of the gate is r: IBM's own number."""
    noises = calibrate(name, layout=range(5)).noises
    found = noises.of(gate, pair)
    np.testing.assert_allclose(found, (coherence, infidelity), atol=5e-5)
    reported = noises.device.target[gate.name][pair].error
    assert found.infidelity == pytest.approx(reported, rel=1e-9)
