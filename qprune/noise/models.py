"""Noise regimes as data: the files of noise_models/ and the device snapshots by name (noise_models/README.md)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import inf
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import Gate
from qiskit.circuit.library import RXGate, RZXGate, get_standard_gate_name_mapping
from qiskit.providers import BackendV2
from qiskit.quantum_info import Operator

from qprune._files import read_json
from qprune._optional import require
from qprune._resources import did_you_mean, shipped_folder
from qprune.errors import BundleError, OptionError

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel, QuantumError

FORMAT, SNAPSHOTS = "qprune-noise/1", "qprune-snapshots/1"
SNAPSHOT_MODULE = "qiskit_ibm_runtime.fake_provider"
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}

# kind of error: the quantities it takes, each with the units it may have
KINDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "depolarizing": {"probability": ("1",)},
    "relaxation": {"t1": tuple(SECONDS), "t2": tuple(SECONDS), "duration": tuple(SECONDS)},
    "over-rotation": {"share": ("1",)},
    "readout": {"read_1_for_0": ("1",), "read_0_for_1": ("1",)},
}
# The pulse that an over-rotation overdoes: sx and x turn about X, a cross-resonance gate about ZX by a quarter turn.
_OVERDONE = {"sx": (RXGate, np.pi / 2), "x": (RXGate, np.pi), "cx": (RZXGate, np.pi / 2), "ecr": (RZXGate, np.pi / 2)}


def noise_model(name: str | Path) -> NoiseModel:
    """The Aer noise model of a file in noise_models/ or of a device snapshot.

    Every number of such a file has a source and a unit (noise_models/README.md); `names` lists what there is.

    Args:
        name: Path of a file, a file's name in noise_models/ without ".json", or a snapshot's, such as "FakeTorino".

    Example:
        >>> sorted(noise_model("depolarizing-1e-2").noise_instructions)
        ['cx', 'sx', 'x']

    Raises:
        OptionError: There is no such file or snapshot; says which names are near.
        MissingExtraError: It is a snapshot, and qiskit-ibm-runtime, which holds it, is not installed.
        BundleError: The file cannot be read, or a number in it is out of range or has no source; says which.
    """
    from qiskit_aer.noise import NoiseModel

    found = resolve(name)
    return NoiseModel.from_backend(found) if isinstance(found, BackendV2) else read_model(found)


def names() -> tuple[str, ...]:
    """Every name that `noise_model` and `calibrate` know: files first, then device snapshots.

    Example:
        >>> import qprune
        >>> "depolarizing-1e-2" in qprune.noise_model_names()
        True
    """
    files = sorted(path.stem for path in shipped_folder("noise_models").glob("*.json"))
    return (*(name for name in files if name != "snapshots"), *snapshots())


def snapshots() -> dict[str, dict[str, Any]]:
    """The device snapshots listed in noise_models/snapshots.json, by name, each with its date and size."""
    path = shipped_folder("noise_models") / "snapshots.json"
    return dict(_entry(path, _object(path, SNAPSHOTS), "snapshots", dict))


def resolve(name: str | Path) -> Path | BackendV2:
    """A path or name as a file, or as the backend of a snapshot."""
    path = Path(name)
    if os.path.isfile(path):
        return path
    shipped = shipped_folder("noise_models") / f"{path.stem}.json"
    if path.parent == Path(".") and path.suffix in ("", ".json") and os.path.isfile(shipped):
        return shipped
    if path.name.startswith("Fake"):
        provider = require(SNAPSHOT_MODULE, "devices", f"the device snapshot {name}")
        backend = getattr(provider, str(name), None)
        if isinstance(backend, type) and issubclass(backend, BackendV2):
            return backend()
        if name in snapshots():
            raise OptionError(f"noise={str(name)!r} needs a newer qiskit-ibm-runtime than is installed: upgrade it")
    raise OptionError(
        f"noise must be λ in [0, 1], a file, or a name of noise_models/ or of a device, got {str(name)!r}; "
        f"{did_you_mean(str(name), names())}qprune.noise_model_names() lists all"
    )


# -- files ------------------------------------------------------------------------------------------------------


def read_model(path: Path) -> NoiseModel:
    """A file of noise_models/ as an Aer noise model.

    Errors are added to the gates in the order of the file; two of one gate are composed in that order.

    Raises:
        BundleError: A number is out of range, has the wrong unit or no source; says which and why.
    """
    from qiskit_aer.noise import NoiseModel, QuantumError, ReadoutError

    data = _object(path, FORMAT)
    gates, basis = get_standard_gate_name_mapping(), _entry(path, data, "basis", list)
    for gate in basis:
        if not isinstance(gates.get(gate), Gate):
            raise BundleError(f"{path}: basis names {gate!r}, which is no gate of Qiskit's standard library")
    numbers = _entry(path, data, "numbers", dict)
    for key, number in numbers.items():
        _check_number(path, key, number)
    model, made = NoiseModel(basis_gates=basis), dict[str, QuantumError]()
    for j, error in enumerate(_entry(path, data, "errors", list)):
        where = f"{path}: errors[{j}]"
        values = _quantities(where, error, numbers)
        if error["kind"] == "readout":
            one, zero = values["read_1_for_0"], values["read_0_for_1"]
            model.add_all_qubit_readout_error(ReadoutError([[1 - one, one], [zero, 1 - zero]]))
            continue
        for gate in _entry(where, error, "gates", list):
            if gate not in basis:
                raise BundleError(f"{where} is on gate {gate!r}, which basis does not name: {', '.join(basis)}")
            new = _error(where, error["kind"], values, gate, gates[gate].num_qubits)
            made[gate] = made[gate].compose(new) if gate in made else new
    for gate, quantum_error in made.items():
        model.add_all_qubit_quantum_error(quantum_error, gate)
    return model


def _object(path: Path, form: str) -> dict[str, Any]:
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != form:
        raise BundleError(f'{path} must be a JSON object with "format": "{form}"')
    return data


def _entry(where: object, data: Any, key: str, kind: type) -> Any:
    if not isinstance(data, dict) or not isinstance(data.get(key), kind):
        raise BundleError(f"{where}: {key} is missing, or no JSON {'list' if kind is list else 'object'}")
    return data[key]


def _check_number(path: Path, key: str, number: Any) -> None:
    if not isinstance(number, dict) or isinstance(number.get("value"), bool):
        raise BundleError(f"{path}: number {key} must be an object with value, unit, source and date")
    if not isinstance(number.get("value"), Real) or not 0 <= number["value"] < inf:
        raise BundleError(f"{path}: number {key} must have a finite value ≥ 0, got {number.get('value')!r}")
    for field, hint in (
        ("source", 'where the value comes from, or "synthetic, round number"'),
        ("date", "when that was, as 2025-02-26"),
        ("unit", '"1", "s", "ms", "us" or "ns"'),
    ):
        if not isinstance(number.get(field), str) or not number[field]:
            raise BundleError(f"{path}: number {key} has no {field}; say {hint}")


def _quantities(where: str, error: Any, numbers: Mapping[str, Any]) -> dict[str, float]:
    """What an error takes, in seconds where it is a time, checked."""
    kind = str(error.get("kind")) if isinstance(error, dict) else ""
    if kind not in KINDS:
        raise BundleError(f"{where}: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    values = {}
    for quantity, units in KINDS[kind].items():
        name = error.get(quantity)
        if name not in numbers:
            raise BundleError(f"{where}: {quantity} must name an entry of numbers, got {name!r}")
        value, unit = float(numbers[name]["value"]), numbers[name]["unit"]
        if unit not in units:
            raise BundleError(f"{where}: {quantity} = {name} must be in {', '.join(units)}, got unit {unit!r}")
        if unit == "1" and value > 1:
            raise BundleError(f"{where}: {quantity} = {name} must be in [0, 1], got {value}")
        values[quantity] = value * SECONDS.get(unit, 1.0)
    if kind == "relaxation":
        t1, t2 = values["t1"], values["t2"]
        if not (t1 > 0 and 0 < t2 <= 2 * t1):
            raise BundleError(f"{where}: T1 must be > 0 and T2 in (0, 2 T1], got T1 = {t1:g} s, T2 = {t2:g} s")
    return values


def _error(where: str, kind: str, values: Mapping[str, float], gate: str, num_qubits: int) -> QuantumError:
    from qiskit_aer.noise import coherent_unitary_error, depolarizing_error, thermal_relaxation_error

    if kind == "depolarizing":
        return depolarizing_error(values["probability"], num_qubits)
    if kind == "relaxation":
        one = thermal_relaxation_error(values["t1"], values["t2"], values["duration"])
        error = one
        for _ in range(num_qubits - 1):
            error = error.expand(one)
        return error
    if gate not in _OVERDONE:
        raise BundleError(f"{where}: over-rotation is known of {', '.join(_OVERDONE)}, not of {gate!r}")
    rotation, angle = _OVERDONE[gate]
    return coherent_unitary_error(Operator(rotation(values["share"] * angle)))
