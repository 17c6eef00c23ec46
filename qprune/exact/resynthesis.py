"""Resynthesis: what a run of gates on one pair of qubits does at the weights' values, with the fewest CX or CZ gates.

By Cartan's decomposition (KAK), which needs three at most. Exact, but at these values only: the gates of such a run no
longer follow their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, reduce
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QiskitError
from qiskit.circuit import ParameterExpression
from qiskit.circuit.library import CXGate, CZGate
from qiskit.synthesis import OneQubitEulerDecomposer, TwoQubitBasisDecomposer, TwoQubitWeylDecomposition

from qprune.exact.simplify import ExactChange, is_phase, simplify
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Site, make_site
from qprune.task.task import Task

Matrix = NDArray[np.complex128]

MOST = 3  # CX that any gate on two qubits needs
ANGLE = 1e-13  # radians: smaller rotations are left out, being what rounding leaves of none in a unitary
# A single rotation where one does it, which is in a class of its own; else one gate of SU(2).
EULER = tuple(OneQubitEulerDecomposer(basis) for basis in ("ZYZ", "XYX", "U"))


def resynthesise(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """Shorter runs on pairs of qubits and what `simplify` makes of them, until nothing more goes; all outputs stay.

    Gates with inputs end a run, and so does everything on other qubits; one-qubit gates with weights at either end
    stay out of it. It is replaced where that takes fewer CX, each of its gates counted with those it needs itself: 1
    for cz, 2 for rzz, 3 for swap. The new ones are CZ if all were, else CX, on the same qubits in the same order.

    A weight in a run becomes the number it is; where it moves other gates too it stays free for those, and the run
    keeps the old value.

    Args:
        task: Gives weights their values and new gates their role, and says what is measured.
        sites: The circuit, simplified.
    """
    current = tuple(sites)
    changes: tuple[ExactChange, ...] = ()
    while True:
        shorter, resynthesised = with_shorter_runs(task, current)
        if not resynthesised:
            return current, changes
        merged, together = _merged(task, shorter)
        current, simplified = simplify(task, merged)
        # The last reason of a gate counts: which weights were fixed must not be forgotten.
        changes = together + simplified + resynthesised + changes


def with_shorter_runs(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """One round of `resynthesise`: the circuit, and an exact change for every gate of a run that was replaced."""
    new: dict[int, list[Site]] = {}
    changes: list[ExactChange] = []
    for whole in _runs(sites):
        places = _without_outer_weights(sites, whole)
        run = [sites[k] for k in places]
        if (shorter := _shorter(task, run)) is None:
            continue
        new |= {k: [] for k in places}
        new[next(k for k in places if len(sites[k].qubits) == 2)] = shorter
        changes += [ExactChange("resynthesised", site.origins, fixes=_weights_of(task, site)) for site in run]
    return tuple(s for k, site in enumerate(sites) for s in new.get(k, [site])), tuple(changes)


def _weights_of(task: Task, site: Site) -> tuple[str, ...]:
    angles = [angle for angle in site.operation.params if isinstance(angle, ParameterExpression)]
    return tuple(p.name for p in task.weight_params if any(p in angle.parameters for angle in angles))


# -- runs ----------------------------------------------------------------------------------------------------------


def _runs(sites: Sequence[Site]) -> list[list[int]]:
    """The gates of every run on a pair of qubits, ascending; nothing else comes between on either qubit."""
    runs: list[list[int]] = []
    shared: dict[int, list[int]] = {}  # the run that a qubit is in
    alone: dict[int, list[int]] = {}  # one-qubit gates that wait for one
    for k, site in enumerate(sites):
        if site.role == "encoding" or site.family is None or len(site.qubits) > 2:
            for q in site.qubits:
                shared.pop(q, None)
                alone.pop(q, None)
        elif len(site.qubits) == 1:
            shared.get(site.qubits[0], alone.setdefault(site.qubits[0], [])).append(k)
        else:
            a, b = site.qubits
            if a not in shared or shared[a] is not shared.get(b):
                shared[a] = shared[b] = alone.pop(a, []) + alone.pop(b, [])
                runs.append(shared[a])
            shared[a].append(k)
    return [sorted(run) for run in runs]


def _without_outer_weights(sites: Sequence[Site], places: list[int]) -> list[int]:
    """The run without its outermost one-qubit gates, on each qubit and at both ends up to the last with a weight."""
    for _ in range(2):
        first = next(j for j, k in enumerate(places) if len(sites[k].qubits) == 2)
        stay: list[int] = []
        behind: set[int] = set()
        for k in reversed(places[:first]):  # from the inside
            behind |= set(sites[k].qubits) if sites[k].role == "trainable" else set()
            stay += [] if behind & set(sites[k].qubits) else [k]
        places = places[first:][::-1] + stay  # the other end first
    return places


# -- synthesis -----------------------------------------------------------------------------------------------------


def _shorter(task: Task, run: Sequence[Site]) -> list[Site] | None:
    """Gates for the same unitary up to a phase, or None where the run is as short as can be."""
    pairs = [site for site in run if len(site.qubits) == 2]
    name = "cz" if all(site.name == "cz" for site in pairs) else "cx"
    # A device may have CX in one direction only.
    qubits = next((site for site in pairs if site.name == "cx"), pairs[0]).qubits
    needed = 0
    for site in pairs:
        if (alone := _locals(_matrix(task, [site], qubits), name, MOST)) is None:
            return None
        needed += len(alone) - 1
    unitary = _matrix(task, run, qubits)
    found = _locals(unitary, name, min(needed - 1, MOST))
    if found is None:
        return None
    # Each new gate stands for an old one on as many qubits, where there is one.
    old = {size: [site.origins for site in run if len(site.qubits) == size] or [run[0].origins] for size in (1, 2)}
    origins = {size: cycle(several) for size, several in old.items()}
    new: list[Site] = []
    for k, layer in enumerate(found):
        if k:
            new.append(make_site(task, _decomposer(name).gate, qubits, next(origins[2])))
        for q, matrix in zip(qubits, layer, strict=True):
            new += [make_site(task, operation, (q,), next(origins[1])) for operation in _rotations(matrix)]
    return new if is_phase(_matrix(task, new, qubits).conj().T @ unitary) else None


def _matrix(task: Task, run: Sequence[Site], qubits: tuple[int, ...]) -> Matrix:
    """Of gates on some of the qubits at the weights' values, the first qubit least significant."""
    return unitary_of([(task.bound_operation(site.operation), site.qubits) for site in run], qubits)


@cache
def _decomposer(name: str) -> Any:
    return TwoQubitBasisDecomposer({"cx": CXGate, "cz": CZGate}[name]())


@cache
def _takes_inner() -> bool:
    """Whether `decomp0` and the like take what a `TwoQubitWeylDecomposition` wraps, as before Qiskit 2.6."""
    try:
        TwoQubitBasisDecomposer.decomp0(TwoQubitWeylDecomposition(np.eye(4)))
    except TypeError:
        return True
    return False


def _locals(unitary: Matrix, name: str, most: int) -> list[tuple[Matrix, Matrix]] | None:
    """What the first and the second qubit get before, between and after gates of that name, as few as will do.

    None if more than `most` gates are needed for the unitary, up to a phase and rounding.
    `TwoQubitBasisDecomposer.__call__` takes a gate for a special one that is near, up to 3e-5 away; hence the
    decomposition that does not, and a comparison that tells how many gates are needed.
    """
    try:
        target: Any = TwoQubitWeylDecomposition(unitary, fidelity=None)
    except QiskitError:  # from a user's matrix that is unitary to single precision
        return None
    if _takes_inner():
        target = target._inner_decomposition
    made = _decomposer(name)
    gate = np.asarray(made.gate.to_matrix())
    ways = (made.decomp0, made.decomp1, made.decomp2_supercontrolled, made.decomp3_supercontrolled)
    for way in ways[: most + 1]:
        matrices = way(target)
        layers = list(zip(matrices[::2], matrices[1::2], strict=True))
        product = reduce(lambda done, layer: layer @ gate @ done, [np.kron(high, low) for low, high in layers])
        if is_phase(product.conj().T @ unitary):
            return layers
    return None


def _rotations(matrix: Matrix) -> list[Any]:
    """A one-qubit unitary as the fewest gates of the catalogue."""
    return min(([item.operation for item in euler(matrix, atol=ANGLE).data] for euler in EULER), key=len)


def _merged(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """Neighbouring one-qubit gates without parameters as fewer, where that is possible."""
    done: list[Site] = []
    changes: list[ExactChange] = []
    waiting: dict[int, list[Site]] = {}

    def release(q: int) -> None:
        run = waiting.pop(q, [])
        if len(run) > 1 and len(fewer := _rotations(_matrix(task, run, (q,)))) < len(run):
            origins = tuple(sorted({o for site in run for o in site.origins}))
            run = [make_site(task, operation, (q,), origins) for operation in fewer]
            changes.append(ExactChange("merged", origins))
        done.extend(run)

    for site in sites:
        if len(site.qubits) == 1 and site.role == "fixed" and site.family is not None:
            waiting.setdefault(site.qubits[0], []).append(site)
            continue
        for q in site.qubits:
            release(q)
        done.append(site)
    for q in list(waiting):
        release(q)
    return tuple(done), tuple(changes)
