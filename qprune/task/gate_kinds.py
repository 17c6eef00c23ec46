"""Gates that carry data of their own, as JSON: matrices, states, words, numbers of controls.

All other gates are Qiskit's standard ones, told by their name and angles, or made of a definition (`circuit_file`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.circuit import Gate, Parameter, ParameterExpression, library
from qiskit.circuit.library import (
    C3XGate,
    C4XGate,
    DiagonalGate,
    HamiltonianGate,
    Isometry,
    MCPhaseGate,
    MCU1Gate,
    MCXGate,
    MCXGrayCode,
    MCXRecursive,
    MCXVChain,
    PauliEvolutionGate,
    PauliGate,
    PermutationGate,
    StatePreparation,
    UCGate,
    UnitaryGate,
)
from qiskit.quantum_info import Pauli, SparseObservable, SparsePauliOp

from qprune.errors import TaskError
from qprune.task.angle_text import Angle, angle_of, text_of

Parameters = Mapping[str, Parameter]


def angle_entry(angle: Any) -> float | str:
    """A number as it is, an expression as text."""
    if isinstance(angle, ParameterExpression):
        if angle.parameters:
            return text_of(angle)
        angle = angle.numeric()
    number = complex(angle)
    if number.imag or not np.isfinite(number.real):
        raise TaskError(f"the angle {angle} is not a finite real number")
    return number.real


def read_angle(angle: float | str, parameters: Parameters) -> Angle:
    """What `angle_entry` was made of."""
    return angle_of(angle, parameters) if isinstance(angle, str) else float(angle)


class Kind(NamedTuple):
    """A gate with data of its own.

    Attributes:
        gate: Its class.
        data: What makes the gate, as JSON; None where it cannot be stored so.
        made: The gate again.
    """

    gate: type[Gate]
    data: Callable[[Any], dict[str, Any] | None]
    made: Callable[[dict[str, Any], Parameters], Gate]


def _pairs(array: ArrayLike) -> Any:
    """Complex numbers as [real, imaginary]."""
    return np.asarray(array, dtype=np.complex128)[..., None].view(np.float64).tolist()


def _complex(pairs: Any) -> NDArray[np.complex128]:
    array = np.array(pairs, dtype=np.float64)
    return array[..., 0] + 1j * array[..., 1]


def _state(gate: StatePreparation) -> dict[str, Any]:
    given = gate.params
    if isinstance(given[0], str):
        state: Any = "".join(given)
    else:  # a basis state is a number alone
        state = int(np.real(given[0])) if len(given) == 1 else _pairs(given)
    return {"state": state, "qubits": gate.num_qubits, "inverse": gate.name.endswith("_dg")}


def _prepared(data: dict[str, Any], _: Parameters) -> Gate:
    state, inverse = data["state"], bool(data["inverse"])
    if isinstance(state, int):
        return StatePreparation(state, num_qubits=int(data["qubits"]), inverse=inverse)
    return StatePreparation(state if isinstance(state, str) else _complex(state), inverse=inverse)


def _word(gate: PauliEvolutionGate) -> dict[str, Any] | None:
    """Of one word only, of Paulis or of projectors too: a sum stands for its product formula."""
    operator = gate.operator
    if isinstance(operator, list) or len(operator) != 1:
        return None
    ((word, qubits, coefficient),) = operator.to_sparse_list()
    if isinstance(coefficient, ParameterExpression) or complex(coefficient).imag:
        return None
    return {
        "word": word,
        "on": list(qubits),
        "qubits": operator.num_qubits,
        "coefficient": complex(coefficient).real,
        "projectors": not isinstance(operator, SparsePauliOp),
        "time": angle_entry(gate.time),
    }


def _evolution(data: dict[str, Any], parameters: Parameters) -> Gate:
    term = (data["word"], data["on"], data["coefficient"])
    kind = SparseObservable if data["projectors"] else SparsePauliOp
    return PauliEvolutionGate(
        kind.from_sparse_list([term], num_qubits=data["qubits"]), time=read_angle(data["time"], parameters)
    )


def _uniform(gate: UCGate) -> dict[str, Any]:
    return {"matrices": _pairs(np.array(gate.params)), "up_to_diagonal": gate.up_to_diagonal}


def _isometry(gate: Isometry) -> dict[str, Any]:
    ancillas = {"zero": gate.num_ancillas_zero, "dirty": gate.num_ancillas_dirty}
    return {"matrix": _pairs(gate.params[0]), **ancillas}


def _controlled(gate: type[Gate], *flags: str) -> Kind:
    """One of Qiskit's gates with any number of controls; flags are further arguments, kept under the same name."""

    def data(made: Any) -> dict[str, Any]:
        options = {flag: bool(getattr(made, f"_{flag}")) for flag in flags if hasattr(made, f"_{flag}")}
        return {
            "angles": list(map(angle_entry, made.params)),
            "controls": made.num_ctrl_qubits,
            "state": made.ctrl_state,
        } | options

    def made(data: dict[str, Any], parameters: Parameters) -> Gate:
        angles = [read_angle(angle, parameters) for angle in data["angles"]]
        number = [] if gate in (C3XGate, C4XGate) else [int(data["controls"])]
        return gate(*angles, *number, ctrl_state=data["state"], **{flag: data[flag] for flag in flags if flag in data})

    return Kind(gate, data, made)


def _product_rotation() -> dict[str, Kind]:
    """Qiskit 2.4 on."""
    gate = getattr(library, "PauliProductRotationGate", None)
    if gate is None:
        return {}

    def data(made: Any) -> dict[str, Any]:
        return {"word": made.pauli().to_label(), "angles": [angle_entry(angle) for angle in made.params]}

    return {
        "pauli_product_rotation": Kind(
            gate, data, lambda data, names: gate(Pauli(data["word"]), *(read_angle(a, names) for a in data["angles"]))
        )
    }


KINDS: Mapping[str, Kind] = {
    "unitary": Kind(
        UnitaryGate,
        lambda gate: {"matrix": _pairs(gate.params[0])},
        lambda data, _: UnitaryGate(_complex(data["matrix"])),
    ),
    "pauli": Kind(PauliGate, lambda gate: {"label": gate.params[0]}, lambda data, _: PauliGate(data["label"])),
    "permutation": Kind(
        PermutationGate,
        lambda gate: {"pattern": [int(q) for q in gate.pattern]},
        lambda data, _: PermutationGate(data["pattern"]),
    ),
    "diagonal": Kind(
        DiagonalGate,
        lambda gate: {"entries": _pairs(gate.params)},
        lambda data, _: DiagonalGate(_complex(data["entries"]).tolist()),
    ),
    "state_preparation": Kind(StatePreparation, _state, _prepared),
    "multiplexer": Kind(
        UCGate, _uniform, lambda data, _: UCGate(list(_complex(data["matrices"])), bool(data["up_to_diagonal"]))
    ),
    "PauliEvolution": Kind(PauliEvolutionGate, _word, _evolution),
    "isometry": Kind(
        Isometry, _isometry, lambda data, _: Isometry(_complex(data["matrix"]), int(data["zero"]), int(data["dirty"]))
    ),
    "hamiltonian": Kind(
        HamiltonianGate,
        lambda gate: {"matrix": _pairs(gate.params[0]), "time": angle_entry(gate.params[1])},
        lambda data, names: HamiltonianGate(_complex(data["matrix"]), read_angle(data["time"], names)),
    ),
    **_product_rotation(),
    "c3x": _controlled(C3XGate),
    "c4x": _controlled(C4XGate),
    "mcx": _controlled(MCXGate),
    "mcx_gray": _controlled(MCXGrayCode),
    "mcx_recursive": _controlled(MCXRecursive),
    "mcx_vchain": _controlled(MCXVChain, "dirty_ancillas", "relative_phase", "action_only"),
    "mcphase": _controlled(MCPhaseGate),
    "mcu1": _controlled(MCU1Gate),
}
KIND_NAMES = {kind.gate: name for name, kind in KINDS.items()}
