"""Random QNodes; the oracle is PennyLane's `default.qubit`, which runs the user's function before and after."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import adapter, requests
from .cases import Tally
from .checks import PER_GATE, Violation, require

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the versions of JAX
    import pennylane as qml

# name: wires, angles
GATES = {
    **dict.fromkeys(("RX", "RY", "RZ", "PhaseShift"), (1, 1)),
    **dict.fromkeys(("Hadamard", "PauliX", "S", "T", "SX"), (1, 0)),
    **dict.fromkeys(("CNOT", "CZ", "CY", "SWAP", "ISWAP", "CH"), (2, 0)),
    **dict.fromkeys(("CRX", "CRY", "CRZ", "IsingXX", "IsingYY", "IsingZZ", "IsingXY", "ControlledPhaseShift"), (2, 1)),
    **dict.fromkeys(("SingleExcitation", "PSWAP"), (2, 1)),
    "Rot": (1, 3),
    "U2": (1, 2),
    "U3": (1, 3),
    "CRot": (2, 3),
    "Toffoli": (3, 0),
    "CSWAP": (3, 0),
    "MultiRZ": (2, 1),
    "PauliRot": (2, 1),
}
WEIGHTS, INPUTS = 6, 2
EXPRESSIONS: dict[str, Callable[..., Any]] = {
    "number": lambda c, w, v, x: c,
    "weight": lambda c, w, v, x: w,
    "input": lambda c, w, v, x: x,
    "scaled input": lambda c, w, v, x: w * x,
    "difference": lambda c, w, v, x: w - 2 * v,
    "shifted input": lambda c, w, v, x: x + w,
    "sine": lambda c, w, v, x: qml.math.sin(w),
}
FORMS = tuple(EXPRESSIONS)


class Program:
    """A quantum function drawn once: it does the same on every call."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.wires = int(rng.integers(1, 4))
        self.steps = [self._draw(rng) for _ in range(rng.integers(2, 8))]
        self.layers = str(rng.choice(["none", "basic", "strong", "embedding"], p=[0.4, 0.2, 0.2, 0.2]))
        self.outputs = [self._draw_measurement(rng) for _ in range(rng.choice([1, 1, 2]))]
        self.weights = rng.normal(size=WEIGHTS) * rng.choice([0.03, 0.7, 1e-9], WEIGHTS, p=[0.45, 0.45, 0.1])
        self.inputs = rng.uniform(-2, 2, (int(rng.integers(1, 4)), INPUTS))

    def _draw(self, rng: np.random.Generator) -> tuple[Any, ...]:
        names = [name for name, (wires, _) in GATES.items() if wires <= self.wires]
        name = str(rng.choice(names))
        wires, angles = GATES[name]
        forms = [
            (
                str(rng.choice(FORMS)),
                float(rng.normal()),
                *rng.integers(WEIGHTS, size=2),
                rng.integers(INPUTS),
            )
            for _ in range(angles)
        ]
        around = str(rng.choice(["", "", "", "adjoint", "ctrl"]))
        places = rng.permutation(self.wires)[: wires + (around == "ctrl")].tolist()
        around = around if around != "ctrl" or len(places) > wires else ""
        return name, forms, places, around, "".join(rng.choice(list("XYZ"), 2))

    def _draw_measurement(self, rng: np.random.Generator) -> tuple[str, int, float]:
        kind = str(rng.choice(["Z", "X", "product", "sum", "var", "probs"]))
        return kind, int(rng.integers(self.wires)), float(rng.choice([1.0, 0.3, 10.0 ** rng.uniform(-6, 6)]))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({f"qml.{step[0]}" for step in self.steps}))

    def __call__(self, inputs: Any, weights: Any) -> Any:
        if self.layers == "embedding":
            qml.AngleEmbedding(inputs[: self.wires], wires=range(min(self.wires, INPUTS)))
        qml.RX(inputs[0] + 0.0, 0)
        qml.RY(weights[0], 0)
        if self.layers == "basic":
            qml.BasicEntanglerLayers(qml.math.reshape(weights[: self.wires], (1, -1)), wires=range(self.wires))
        if self.layers == "strong" and self.wires < 3:
            shape = (1, self.wires, 3)
            size = 3 * self.wires
            qml.StronglyEntanglingLayers(qml.math.reshape(weights[:size], shape), wires=range(self.wires))
        for name, forms, places, around, word in self.steps:
            angles = [EXPRESSIONS[form](c, weights[w], weights[v], inputs[x]) for form, c, w, v, x in forms]
            _apply(name, angles, places, around, word)
        measured = tuple(self._measure(*output) for output in self.outputs)
        return measured if len(measured) > 1 else measured[0]

    def _measure(self, kind: str, wire: int, scale: float) -> Any:
        other = (wire + 1) % self.wires
        return {
            "Z": lambda: qml.expval(qml.Z(wire)),
            "X": lambda: qml.expval(qml.X(wire)),
            "product": lambda: qml.expval(qml.Z(wire) @ qml.X(other) if other != wire else qml.Z(wire)),
            "sum": lambda: qml.expval(scale * qml.Z(wire) + 0.5 * scale * qml.Y(other)),
            "var": lambda: qml.var(qml.Z(wire) + 0.3 * qml.X(other)),
            "probs": lambda: qml.probs(wires=[wire]),
        }[kind]()


def _apply(name: str, angles: list[Any], places: list[int], around: str, word: str) -> None:
    gate, wires = getattr(qml, name), places[1:] if around == "ctrl" else places
    extra = (word,) if name == "PauliRot" else ()
    if around == "ctrl":
        qml.ctrl(gate, control=places[0], control_values=[len(word) % 2])(*angles, *extra, wires=wires)
    elif around == "adjoint":
        qml.adjoint(gate)(*angles, *extra, wires=wires)
    else:
        gate(*angles, *extra, wires=wires)


def qnode(rng: np.random.Generator, tally: Tally) -> None:
    """A random QNode: every measurement keeps its bound; saved and loaded it is the same QNode."""
    program = Program(rng)
    node = qml.QNode(program, qml.device("default.qubit", wires=program.wires))
    request = requests.draw_request(rng, 1.0)
    refit = request.limit == "measured" and rng.random() < 0.2
    request = adapter.replace(request, refit=refit, window="auto" if refit else request.window)
    tally.mode, tally.gates, tally.tags = request.mode, program.names, ("QNode", program.layers)
    tally.notes = {"situation": vars(program), "request": request}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pruned = adapter.prune_qnode(node, program.inputs, program.weights, request)
        _check_bounds(program, node, pruned)
        pruned.verify()
        _check_files(program, node, pruned, rng, tally)


def _values(node: Any, x: Any, w: Any) -> list[np.ndarray]:
    found = node(x, w)
    return [np.asarray(value) for value in (found if isinstance(found, tuple) else (found,))]


def _check_bounds(program: Program, node: Any, pruned: Any) -> None:
    for i, x in enumerate(program.inputs):
        pairs = zip(_values(node, x, program.weights), _values(pruned, x, pruned.weights), strict=True)
        for (kind, _, scale), (before, after), bound in zip(program.outputs, pairs, pruned.bounds, strict=True):
            change = np.abs(after - before).sum() / 2 if kind == "probs" else abs(float(after - before))
            unit = 1.5 * scale if kind == "sum" else 4.0
            limit = bound[i] + 100 * PER_GATE * unit
            require(change <= limit, f"bound of a QNode's {kind}", f"{change} > {bound[i]} on sample {i}")


def _check_files(program: Program, node: Any, pruned: Any, rng: np.random.Generator, tally: Tally) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "saved"
        pruned.save(folder, drawings=False)
        if rng.random() < 0.5:
            loaded = adapter.load_qnode(folder, node)
            x, w = rng.uniform(-2, 2, INPUTS), np.asarray(loaded.weights)
            require(np.array_equal(w, np.asarray(pruned.weights)), "loaded QNode's weights", f"{w}")
            for a, b in zip(_values(pruned, x, w), _values(loaded, x, w), strict=True):
                require(np.allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(a).max()), "loaded QNode", f"{a} {b}")
            return
        what = _forge(folder, rng)
        tally.tags = (*tally.tags, what)
        try:
            adapter.load_qnode(folder, node).verify()
        except adapter.QpruneError:
            return
        raise Violation(f"unnoticed: {what}", "arrays of a pruned QNode")


def _forge(folder: Path, rng: np.random.Generator) -> str:
    """Change arrays of a saved QNode: certified and present weights together, or any one."""
    path = folder / "pennylane.npz"
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    together = rng.random() < 0.5
    names = [n for n in arrays if n.startswith(("weights ", "certified "))] if together else sorted(arrays)
    for name in names if together else [names[rng.integers(len(names))]]:
        flat = arrays[name].copy().ravel()
        if not flat.size:
            continue
        flat[0] = not flat[0] if flat.dtype == bool else flat[0] + 1
        arrays[name] = flat.reshape(arrays[name].shape)
    np.savez_compressed(path, **arrays)
    return "forged weights of a QNode" if together else f"forged array {name} of a QNode"
