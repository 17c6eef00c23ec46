"""Write the files of this folder, the tables in README.md and the golden numbers of the tests.

    python -m noise_models.make            # writes everything
    python -m noise_models.make --tables   # only the tables, from the files as they are

Device figures are medians over a snapshot's qubits or gates, taken from qiskit-ibm-runtime; all others are synthetic.
"""

import argparse
import json
import statistics
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from qiskit.circuit.library import CXGate, RYGate
from qiskit.providers import BackendV2
from qiskit_ibm_runtime import fake_provider

from qprune import calibrate
from qprune.noise.channels import noise_of
from qprune.noise.devices import Device, TargetDevice
from qprune.noise.models import FORMAT, SNAPSHOTS, names, snapshots

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "tests" / "noise" / "calibration.json"
COMMAND = "python -m noise_models.make"
WRITTEN = "2026-11-21"  # date of the synthetic numbers
STRENGTHS = {"1e-3": 0.001, "3e-3": 0.003, "1e-2": 0.01, "3e-2": 0.03, "1e-1": 0.1}
GENERATIONS = {"falcon": "FakeMontrealV2", "eagle": "FakeSherbrooke", "heron": "FakeTorino"}
GOLDEN_DEVICES, GOLDEN_QUBITS = ("FakeTorino", "FakeSherbrooke", "FakeManilaV2"), 5
PAIR_GATES = ("cx", "ecr", "cz")


def synthetic(value, unit="1"):
    return {"value": value, "unit": unit, "source": "synthetic, round number", "date": WRITTEN}


# -- figures of a snapshot ----------------------------------------------------------------------------------------


def snapshot(name):
    return getattr(fake_provider, name)()


def updated(backend):
    return backend.properties().last_update_date.date().isoformat()


def median(backend, values, unit, of):
    """The median of what is known, to four digits, with where it is from."""
    known = [value for value in values if value is not None]
    return {
        "value": float(f"{statistics.median(known):.4g}"),
        "unit": unit,
        "source": f"median over the {of} of {type(backend).__name__}, qiskit-ibm-runtime "
        f"{version('qiskit-ibm-runtime')}",
        "date": updated(backend),
    }


def two_qubit_gate(backend):
    return next(gate for gate in PAIR_GATES if gate in backend.operation_names)


def relaxation_numbers(backend):
    target, gate = backend.target, two_qubit_gate(backend)
    qubits = [q for q in target.qubit_properties if q is not None]
    return {
        "t1": median(backend, [q.t1 * 1e6 for q in qubits if q.t1], "us", "qubits"),
        "t2": median(backend, [q.t2 * 1e6 for q in qubits if q.t2], "us", "qubits"),
        "pulse": median(backend, [p.duration * 1e9 for p in target["sx"].values()], "ns", "sx gates"),
        gate: median(backend, [p.duration * 1e9 for p in target[gate].values()], "ns", f"{gate} gates"),
    }


def readout_numbers(backend):
    properties = backend.properties()
    found = {}
    for key, name in (("read_1_for_0", "prob_meas1_prep0"), ("read_0_for_1", "prob_meas0_prep1")):
        values = [properties.qubit_property(q, name)[0] for q in range(backend.num_qubits)]
        found[key] = median(backend, values, "1", "qubits")
    return found


# -- files --------------------------------------------------------------------------------------------------------


def model(description, basis, numbers, errors):
    return {"format": FORMAT, "description": description, "basis": basis, "numbers": numbers, "errors": errors}


def relaxation(gates, duration):
    return {"kind": "relaxation", "gates": gates, "t1": "t1", "t2": "t2", "duration": duration}


def depolarizing(gates, probability):
    return {"kind": "depolarizing", "gates": gates, "probability": probability}


READOUT = {"kind": "readout", "read_1_for_0": "read_1_for_0", "read_0_for_1": "read_0_for_1"}


def models():
    """File name to contents."""
    basis = ["rz", "sx", "x", "cx"]
    found = {}
    for label, strength in STRENGTHS.items():
        found[f"depolarizing-{label}"] = model(
            f"Depolarising noise of {strength:.1%} on cx and a tenth of it on sx and x",
            basis,
            {"p1": synthetic(strength / 10), "p2": synthetic(strength)},
            [depolarizing(["sx", "x"], "p1"), depolarizing(["cx"], "p2")],
        )
    for generation, name in GENERATIONS.items():
        backend = snapshot(name)
        gate = two_qubit_gate(backend)
        found[f"relaxation-{generation}"] = model(
            f"Thermal relaxation alone, median T1, T2 and durations of {name} ({generation.capitalize()})",
            ["rz", "sx", "x", gate],
            relaxation_numbers(backend),
            [relaxation(["sx", "x"], "pulse"), relaxation([gate], gate)],
        )
    eagle = snapshot(GENERATIONS["eagle"])
    found["readout"] = model(
        f"Readout error alone, medians of {GENERATIONS['eagle']}", basis, readout_numbers(eagle), [READOUT]
    )
    found["combined"] = model(
        f"Depolarising noise, thermal relaxation and readout error; times and readout of {GENERATIONS['eagle']}",
        ["rz", "sx", "x", "ecr"],
        {"p1": synthetic(0.0002), "p2": synthetic(0.005)} | relaxation_numbers(eagle) | readout_numbers(eagle),
        [
            depolarizing(["sx", "x"], "p1"),
            depolarizing(["ecr"], "p2"),
            relaxation(["sx", "x"], "pulse"),
            relaxation(["ecr"], "ecr"),
            READOUT,
        ],
    )
    found["over-rotation"] = model(
        "Coherent: every pulse turns too far, sx and x by 2 %, the quarter turn about ZX within cx by 5 %",
        basis,
        {"pulse": synthetic(0.02), "cx": synthetic(0.05)},
        [
            {"kind": "over-rotation", "gates": ["sx", "x"], "share": "pulse"},
            {"kind": "over-rotation", "gates": ["cx"], "share": "cx"},
        ],
    )
    return found


def listed_snapshots():
    found = {}
    for name in sorted(vars(fake_provider)):
        kind = getattr(fake_provider, name)
        if isinstance(kind, type) and issubclass(kind, BackendV2):
            backend = kind()
            found[name] = {"qubits": backend.num_qubits, "date": updated(backend)}
    source = f"qiskit-ibm-runtime {version('qiskit-ibm-runtime')}, fake_provider"
    return {"format": SNAPSHOTS, "source": source, "made_by": COMMAND, "snapshots": found}


def golden():
    """λ and r of native and compiled gates on the best five qubits of each device, and where they are from."""
    devices = {}
    for name in GOLDEN_DEVICES:
        calibration = calibrate(name).placed(GOLDEN_QUBITS)
        noises, layout = calibration.noises, calibration.layout
        pairs = [pair for pair in sorted(noises.device.pairs) if set(pair) <= set(layout)]
        gate = two_qubit_gate(snapshot(name))
        rows = {f"sx {q}": noise_of(noises.device.channel("sx", (q,))) for q in layout}
        rows |= {f"{gate} {a} {b}": noise_of(noises.device.channel(gate, (a, b))) for a, b in pairs}
        rows |= {f"ry(0.7) {q}": noises.of(RYGate(0.7), (q,)) for q in layout}
        rows |= {f"cx {a} {b}": noises.of(CXGate(), (a, b)) for a, b in pairwise(layout)}
        # a distant pair counts its swaps
        rows |= {f"cx {layout[0]} {layout[-1]}": noises.of(CXGate(), (layout[0], layout[-1]))}
        devices[name] = {
            "date": updated(snapshot(name)),
            "layout": layout,
            "gates": {key: {"coherence": row.coherence, "infidelity": row.infidelity} for key, row in rows.items()},
        }
    versions = {name: version(name) for name in ("qiskit", "qiskit-aer", "qiskit-ibm-runtime")}
    return {"made_by": COMMAND, "versions": versions, "devices": devices}


# -- tables -------------------------------------------------------------------------------------------------------


def table_of_models():
    rows = [
        "| name | what | λ of a two-qubit gate | r | λ of sx | r | readout error |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name in names():
        if name in snapshots():
            continue
        device = calibrate(name).noises.device
        gate = next(g for g in PAIR_GATES if g in device.basis)
        cells = [f"{x:.6g}" for g, qubits in ((gate, (0, 1)), ("sx", (0,))) for x in numbers(device, g, qubits)]
        what = json.loads((HERE / f"{name}.json").read_text())["description"]
        rows.append(f"| `{name}` | {what} | {' | '.join(cells)} | {device.readout_error(0):.4g} |")
    return "\n".join(rows)


def numbers(device: Device, gate, qubits):
    channel = device.channel(gate, qubits)
    return (1.0, 0.0) if channel is None else noise_of(channel)


def table_of_sources():
    rows = ["| name | number | value | unit | source | date |", "|---|---|---:|---|---|---|"]
    for path in sorted(HERE.glob("*.json")):
        for key, n in json.loads(path.read_text()).get("numbers", {}).items():
            rows.append(f"| `{path.stem}` | {key} | {n['value']:g} | {n['unit']} | {n['source']} | {n['date']} |")
    return "\n".join(rows)


def table_of_snapshots():
    rows = ["| name | qubits | median two-qubit r | median readout error | date |", "|---|---:|---:|---:|---|"]
    for name, entry in snapshots().items():
        device = TargetDevice(snapshot(name).target, name)
        errors = [device.pair_infidelity(pair) for pair in sorted(device.pairs or ())]
        median_error = f"{statistics.median(errors):.4g}" if errors else "none"
        readout = statistics.median(device.readout_error(q) for q in range(entry["qubits"]))
        rows.append(f"| `{name}` | {entry['qubits']} | {median_error} | {readout:.4g} | {entry['date']} |")
    return "\n".join(rows)


TABLES = {"models": table_of_models, "sources": table_of_sources, "snapshots": table_of_snapshots}


def with_tables(text):
    for name, make in TABLES.items():
        start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, rest = text.split(start)
        text = f"{head}{start}\n{make()}\n{end}{rest.split(end)[1]}"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="only the tables of README.md")
    if not parser.parse_args().tables:
        for name, contents in (*models().items(), ("snapshots", listed_snapshots())):
            write(HERE / f"{name}.json", contents)
        write(GOLDEN, golden())
    readme = HERE / "README.md"
    readme.write_text(with_tables(readme.read_text()))


def write(path, contents):
    path.write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
