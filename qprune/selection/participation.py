"""Gates that take part by shares: one compiled circuit from the whole network down to any part of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import scipy
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RZGate, RZZGate, UnitaryGate

from qprune._arrays import FloatArray
from qprune._rounding import within_period
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Site, make_site
from qprune.gates.subgroups import subgroup_of
from qprune.simulators.engine import Network
from qprune.task.task import Task

WHOLE_QUBITS = 2  # a gate outside the one-parameter subgroups on more qubits is in or out, nothing in between


class Participation:
    """Outputs f(s) of a circuit in which gate k takes part by a share s_k, so that 1 is the gate and 0 the identity.

    The coordinate t_k of a gate exp(−itA), folded to half a period, becomes s_k·t_k; other gates on one or two qubits
    go the short way exp(s_k log U). Gates that inputs enter are in or out, nothing in between.

    Args:
        task: Binds the parameters.
        sites: The gates.
        places: Those that may take part by shares, K of them.

    Attributes:
        scalable: Which of the K can take any share, shape (K,).
    """

    def __init__(self, task: Task, sites: Sequence[Site], places: Sequence[int]) -> None:
        used = {p.name for p in task.circuit.parameters}
        mark = "s"
        while any(name.startswith(mark) for name in used):
            mark += "s"
        self.places = list(places)
        self.shares = [Parameter(f"{mark}{j}") for j in range(len(places))]
        parts = {k: _shared(task, sites[k], share) for k, share in zip(places, self.shares, strict=True)}
        self.scalable = np.array([parts[k] is not None for k in places], dtype=bool)
        turned = _with_weights(task, self.shares)
        written: list[Site] = []
        self._written: dict[int, list[int]] = {}
        for k, site in enumerate(sites):
            part = parts.get(k) or [site]
            self._written[k] = list(range(len(written), len(written) + len(part)))
            written += part
        self.network = Network(turned, written)
        index = {p.name: j for j, p in enumerate(turned.weight_params)}
        self._columns = np.array([index[p.name] for p in self.shares], dtype=np.intp)
        self._whole = turned.weights

    def values(self, shares: FloatArray, out: Collection[int] = ()) -> FloatArray:
        """f(s), shape (R, M): outputs without the identity's part, or outcome probabilities.

        Args:
            shares: s, shape (K,); those of gates that take no share are ignored.
            out: Those of the K that are gone altogether.
        """
        network = self.network
        gone = [j for k in out for j in self._written[self.places[k]]]
        return (network.without(gone) if gone else network).values(self._weights(shares))

    def without(self, gone: Collection[int]) -> FloatArray:
        """Outputs of the circuit without some of the K gates."""
        shares = np.ones(len(self.places))
        shares[list(gone)] = 0
        return self.values(shares, [k for k in gone if not self.scalable[k]])

    def jacobian(self, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f(s) and ∂f/∂s_k, shapes (R, M) and (K, R, M); zero for gates that take no share."""
        values, derivative = self.network.jacobian(self._weights(shares))
        found = np.zeros((len(self.places), *values.shape))
        column = {weight: j for j, weight in enumerate(self.network.free.tolist())}
        for k, weight in enumerate(self._columns.tolist()):
            if weight in column:
                found[k] = derivative[:, :, column[weight]]
        return values, found

    def _weights(self, shares: FloatArray) -> FloatArray:
        weights = self._whole.copy()
        weights[self._columns] = shares
        return weights


def _with_weights(task: Task, more: Sequence[Parameter]) -> Task:
    """A task on the selected samples with further weights, all one; which gates they turn is for others to say."""
    circuit = QuantumCircuit(task.num_qubits, len(task.measured_qubits))
    for parameter in (*task.input_params, *task.weight_params, *more):
        circuit.rz(parameter, 0)
    circuit.measure(task.measured_qubits, range(len(task.measured_qubits)))
    values = dict(zip(task.weight_params, task.weights.tolist(), strict=True)) | dict.fromkeys(more, 1.0)
    rows = task.inputs[task.selected]
    return Task(circuit, task.observables, inputs=rows, input_params=task.input_params, weights=values)


def _shared(task: Task, site: Site, share: Parameter) -> list[Site] | None:
    """What stands for a gate that takes part by a share; None where it is in or out."""
    if site.role == "encoding":
        return None
    group = subgroup_of(site)
    if group is not None and site.coordinate is not None:
        folded = float(within_period(task.values(site.coordinate), group.period))
        return [replace(site, coordinate=share * folded, role="trainable")]
    if len(site.qubits) > WHOLE_QUBITS:
        return None
    qubits = tuple(sorted(site.qubits))
    triangle, basis = scipy.linalg.schur(unitary_of([(task.bound_operation(site.operation), site.qubits)], qubits))
    eigenvalues = np.diagonal(triangle)
    phases = np.angle(eigenvalues / eigenvalues[0])
    before, after = (make_site(task, UnitaryGate(m), qubits, site.origins) for m in (basis.conj().T, basis))
    return [before, *_turns(task, phases, qubits, share, site.origins), after]


def _turns(
    task: Task, phases: FloatArray, qubits: tuple[int, ...], share: Parameter, origins: tuple[int, ...]
) -> list[Site]:
    """A diagonal gate with these phases, up to a common one, as rotations about Z whose angles a share scales."""
    found = []
    states = np.arange(len(phases))
    signs = [1 - 2 * (states >> j & 1) for j in range(len(qubits))]
    for where in [(0,), (1,), (0, 1)] if len(qubits) == 2 else [(0,)]:
        angle = -2 * float(np.mean(phases * np.prod([signs[j] for j in where], axis=0)))
        site = make_site(task, (RZGate, RZZGate)[len(where) - 1](0.0), tuple(qubits[j] for j in where), origins)
        found.append(replace(site, coordinate=share * angle, role="trainable"))
    return found
