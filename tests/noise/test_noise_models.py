"""The files of noise_models/: what they say is what Aer runs, every number has a source, and damage is named."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import numpy as np
import pytest
from helpers import ROOT
from qiskit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import DensityMatrix, Operator
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import fake_provider

from noise_models import make
from qprune import BundleError, MissingExtraError, OptionError, calibrate, noise_model, noise_model_names
from qprune.noise import models as loader

FILES = sorted(p.stem for p in (ROOT / "noise_models").glob("*.json") if p.stem != "snapshots")


def test_every_regime_is_there():
    assert {"readout", "combined", "over-rotation"} <= set(FILES)
    assert len([name for name in FILES if name.startswith("depolarizing")]) == 5
    assert len([name for name in FILES if name.startswith("relaxation")]) == 3
    backends = {
        name for name, kind in vars(fake_provider).items() if name.startswith("Fake") and hasattr(kind, "target")
    }
    listed = loader.snapshots()
    assert backends <= set(listed)
    assert loader.names() == noise_model_names() == (*FILES, *sorted(listed))
    made_with = json.loads((ROOT / "noise_models" / "snapshots.json").read_text())["source"]
    if f"qiskit-ibm-runtime {version('qiskit-ibm-runtime')}," in made_with:  # else some are of another release
        assert backends == set(listed)
        assert len(backends) == 68


@pytest.mark.parametrize("name", FILES)
def test_every_number_has_a_source_and_a_date(name):
    numbers = json.loads((ROOT / "noise_models" / f"{name}.json").read_text())["numbers"]
    for number in numbers.values():
        assert "synthetic, round number" in number["source"] or "qiskit-ibm-runtime" in number["source"]
        assert len(number["date"].split("-")) == 3


def test_medians_are_those_of_the_snapshot():
    """Against NumPy's median over the properties that the snapshot's own file gives."""
    numbers = json.loads((ROOT / "noise_models" / "relaxation-eagle.json").read_text())["numbers"]
    properties = fake_provider.FakeSherbrooke().properties()
    for key, read in (("t1", properties.t1), ("t2", properties.t2)):
        assert numbers[key]["value"] == pytest.approx(1e6 * np.median([read(q) for q in range(127)]), rel=1e-3)
    assert numbers["t1"]["date"] == properties.last_update_date.date().isoformat()


def test_tables_are_made_from_the_files():
    text = (ROOT / "noise_models" / "README.md").read_text()
    for name in ("models", "sources"):  # that of the snapshots takes seconds
        assert make.TABLES[name]() in text


# -- what Aer runs ------------------------------------------------------------------------------------------------


def run(model, build, num_qubits):
    """The density matrix after a circuit under a noise model."""
    circuit = QuantumCircuit(num_qubits)
    build(circuit)
    circuit.save_density_matrix()
    result = AerSimulator(method="density_matrix", noise_model=model).run(circuit).result()
    return result.data()["density_matrix"].data


@pytest.mark.parametrize(("label", "strength"), make.STRENGTHS.items())
def test_depolarising(label, strength):
    """ρ → (1 − p)ρ + p/d on the gate's qubits, a tenth of it on one; rz is free of it."""
    model = noise_model(f"depolarizing-{label}")
    found = run(model, lambda c: c.cx(1, 0), 2)
    np.testing.assert_allclose(found, (1 - strength) * np.diag([1, 0, 0, 0]) + strength / 4 * np.eye(4), atol=1e-12)
    found = run(model, lambda c: (c.x(0), c.rz(0.3, 0)), 1)
    np.testing.assert_allclose(found, np.diag([strength / 20, 1 - strength / 20]), atol=1e-12)


@pytest.mark.parametrize(("generation", "gate"), [("falcon", "cx"), ("eagle", "ecr"), ("heron", "cz")])
def test_relaxation(generation, gate):
    """After x and a two-qubit gate's time, |1⟩ is left with e^{−t/T1}; coherence after sx with e^{−t/T2}."""
    name = f"relaxation-{generation}"
    numbers = json.loads((ROOT / "noise_models" / f"{name}.json").read_text())["numbers"]
    t1, t2, pulse = numbers["t1"]["value"], numbers["t2"]["value"], numbers["pulse"]["value"] / 1000
    model = noise_model(name)
    excited = run(model, lambda c: c.x(0), 1)[1, 1].real
    assert excited == pytest.approx(np.exp(-pulse / t1), abs=1e-12)
    coherence = abs(run(model, lambda c: c.sx(0), 1)[0, 1])
    assert coherence == pytest.approx(np.exp(-pulse / t2) / 2, abs=1e-12)
    pair = numbers[gate]["value"] / 1000
    start = DensityMatrix.from_label("11").evolve(Operator(get_standard_gate_name_mapping()[gate]))  # its own inverse
    found = run(model, lambda c: (c.set_density_matrix(start), getattr(c, gate)(0, 1)), 2)
    assert found[3, 3].real == pytest.approx(np.exp(-2 * pair / t1), abs=1e-12)


def test_over_rotation():
    """x turns by π(1 + 2 %); cx's quarter turn about ZX by 5 % more, and only with the control's sign."""
    model = noise_model("over-rotation")
    found = run(model, lambda c: c.x(0), 1)
    assert found[1, 1].real == pytest.approx(np.sin(np.pi * 1.02 / 2) ** 2, abs=1e-12)
    found = run(model, lambda c: c.cx(0, 1), 2)
    assert np.diag(found).real == pytest.approx([np.cos(np.pi * 0.05 / 4) ** 2, 0, np.sin(np.pi * 0.05 / 4) ** 2, 0])


def test_readout_is_asymmetric_the_right_way():
    """read_1_for_0 is the probability of reading 1 when the qubit is 0."""
    numbers = json.loads((ROOT / "noise_models" / "readout.json").read_text())["numbers"]
    simulator = AerSimulator(noise_model=noise_model("readout"), seed_simulator=1)
    for prepared, key in ((0, "read_1_for_0"), (1, "read_0_for_1")):
        circuit = QuantumCircuit(1, 1)
        if prepared:
            circuit.x(0)
        circuit.measure(0, 0)
        shots = 200_000
        wrong = simulator.run(circuit, shots=shots).result().get_counts().get(str(1 - prepared), 0) / shots
        value = numbers[key]["value"]
        assert abs(wrong - value) < 5 * np.sqrt(value / shots)
    assert numbers["read_1_for_0"]["value"] > 1.2 * numbers["read_0_for_1"]["value"]


def test_combined_errors_compose():
    """Depolarising first, then relaxation, as the file lists them."""
    data = json.loads((ROOT / "noise_models" / "combined.json").read_text())
    p, t1, pulse = (data["numbers"][key]["value"] for key in ("p1", "t1", "pulse"))
    found = run(noise_model("combined"), lambda c: c.x(0), 1)[1, 1].real
    assert found == pytest.approx((1 - p / 2) * np.exp(-pulse / 1000 / t1), abs=1e-12)


def test_snapshots_and_paths_load(tmp_path):
    assert "cx" in noise_model("FakeManilaV2").basis_gates
    copy = tmp_path / "mine.json"
    copy.write_text((ROOT / "noise_models" / "readout.json").read_text())
    assert noise_model(copy).basis_gates == noise_model("readout").basis_gates
    with pytest.raises(OptionError, match="a file, or a name of noise_models/ or of a device, got 'FakeNowhere'"):
        noise_model("FakeNowhere")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FakeTorin", "did you mean FakeTorino or"),
        ("FakeTornio", "did you mean FakeTorino or"),
        ("fake_torino", "did you mean FakeTorino or"),
        ("ibm_torino", "did you mean FakeTorino or"),
        ("depolarising-1e-2", "did you mean depolarizing-1e-2 or"),
        ("zzz", "got 'zzz'; qprune.noise_model_names.. lists all$"),
    ],
)
def test_a_wrong_name_is_answered_in_one_line_with_the_near_ones(name, meant):
    with pytest.raises(OptionError, match=meant) as raised:
        noise_model(name)
    assert len(str(raised.value)) < 250


def test_a_snapshot_of_another_release_is_told_from_a_mistyped_one(monkeypatch):
    monkeypatch.delattr(fake_provider, "FakeTorino")
    with pytest.raises(OptionError, match="needs a newer qiskit-ibm-runtime"):
        noise_model("FakeTorino")


def test_without_the_extra_only_snapshots_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "qiskit_ibm_runtime", None)
    monkeypatch.delitem(sys.modules, "qiskit_ibm_runtime.fake_provider")
    assert noise_model("combined")
    with pytest.raises(
        MissingExtraError, match=r"FakeTorino needs qiskit_ibm_runtime.*pip install 'qprune\[devices\]'"
    ):
        noise_model("FakeTorino")


# -- damage -------------------------------------------------------------------------------------------------------


def without(*path):
    def damage(data):
        *parents, last = path
        for key in parents:
            data = data[key]
        del data[last]

    return damage


def put(value, *path):
    def damage(data):
        *parents, last = path
        for key in parents:
            data = data[key]
        data[last] = value

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (put("qprune-task/1", "format"), 'must be a JSON object with "format": "qprune-noise/1"'),
        (without("numbers"), "numbers is missing"),
        (without("basis"), "basis is missing"),
        (put(["cx", "warp"], "basis"), "basis names 'warp'"),
        (without("numbers", "t1", "source"), "number t1 has no source"),
        (put("", "numbers", "p1", "source"), "number p1 has no source"),
        (without("numbers", "p1", "date"), "number p1 has no date"),
        (without("numbers", "p1", "unit"), "number p1 has no unit"),
        (put(-0.1, "numbers", "p1", "value"), "p1 must have a finite value ≥ 0, got -0.1"),
        (put(float("nan"), "numbers", "p1", "value"), "NaN is not a number"),
        (put("0.1", "numbers", "p1", "value"), "p1 must have a finite value"),
        (put(True, "numbers", "p1", "value"), "must be an object with value"),
        (put(0.1, "numbers", "p1"), "must be an object with value"),
        (put(1.01, "numbers", "p2", "value"), r"probability = p2 must be in \[0, 1\], got 1.01"),
        (put(1.5, "numbers", "read_1_for_0", "value"), r"read_1_for_0 must be in \[0, 1\]"),
        (put("us", "numbers", "p2", "unit"), "p2 must be in 1, got unit 'us'"),
        (put("1", "numbers", "t1", "unit"), "t1 must be in s, ms, us, ns, got unit '1'"),
        (put(600.0, "numbers", "t2", "value"), r"T2 in \(0, 2 T1\]"),
        (put(0.0, "numbers", "t1", "value"), "T1 must be > 0"),
        (put("p3", "errors", 0, "probability"), "probability must name an entry of numbers, got 'p3'"),
        (put("magic", "errors", 0, "kind"), "kind must be one of depolarizing, relaxation, over-rotation, readout"),
        (put("cx", "errors", 0), "errors\\[0\\]: kind must be one of"),
        (put(["cz"], "errors", 0, "gates"), "on gate 'cz', which basis does not name"),
        (put("sx", "errors", 0, "gates"), r"errors\[0\]: gates is missing, or no JSON list"),
        (put({"kind": "over-rotation", "gates": ["rz"], "share": "p1"}, "errors", 0), "over-rotation is known of"),
    ],
)
def test_damaged_files_are_named(damage, words, tmp_path):
    data = json.loads((ROOT / "noise_models" / "combined.json").read_text())
    damage(data)
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(data))
    for read in (noise_model, calibrate):
        with pytest.raises(BundleError, match=words) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_files_that_are_no_json(tmp_path):
    path = tmp_path / "noise.json"
    for text in ("{", "[]", '"x"'):
        path.write_text(text)
        with pytest.raises(BundleError, match=r"noise\.json"):
            noise_model(path)
