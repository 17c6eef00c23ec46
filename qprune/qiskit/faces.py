"""Qiskit: prune inside a `PassManager`.

What runs *after* `PruneGates` is not covered by its certificate. Passes that only rename, route or cancel leave every
output as it is; passes that drop small angles do not, and Qiskit's optimisation levels 2 and 3 contain some, even at
`approximation_degree=1`. `PruneGates` warns once when one of them runs, and `check_certificate` says in numbers
whether the finished circuit still keeps what was certified.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.converters import circuit_to_dag, dag_to_circuit
from qiskit.passmanager import PassManagerState
from qiskit.passmanager.compilation_status import RunState
from qiskit.primitives import BaseEstimatorV2
from qiskit.providers import BackendV2
from qiskit.transpiler import Target, TransformationPass

from qprune.errors import CertificateViolation, OptionError, QpruneWarning, TaskError
from qprune.gates.costs import Costs
from qprune.limits.base import Limit
from qprune.limits.claims import deviations
from qprune.limits.pruning import checked_limit, pruned_under
from qprune.limits.settings import GATES, Settings
from qprune.limits.threshold import DEFAULT_LIMIT
from qprune.noise.calibration import Noise
from qprune.qiskit.kept import allowed_everywhere, changes, everywhere_now
from qprune.qiskit.native import checked_target, gathered, in_native_gates
from qprune.qiskit.received import (
    all_outputs,
    layout_readings,
    moved,
    same_outputs,
    widths,
    with_measurements,
)
from qprune.selection.strategies import Strategy
from qprune.simulators.simulator import Simulator
from qprune.simulators.values import Outputs
from qprune.task.task import Task

RESULT, CERTIFICATE, WEIGHTS, TASK = "qprune_result", "qprune_certificate", "qprune_weights", "qprune_task"
PLACES = "qprune_places"  # of the task's qubits in the circuit that the pass received

APPROXIMATING: Mapping[str, float] = {
    "RemoveIdentityEquivalent": 5e-7,
    "CommutativeCancellation": 5e-5,
    "CommutativeInverseCancellation": 5e-6,
    "CommutativeOptimization": 1e-6,
    "SubstitutePi4Rotations": 1e-6,
    "Split2QUnitaries": 5e-9,
    "TemplateOptimization": 1e-6,
    "UnitarySynthesis": 1.6e-5,
    "SolovayKitaev": 1e-1,
}
"""Passes of Qiskit that approximate, with the angle in radians that one gate or block was seen to lose at their default
settings in Qiskit 2.3 to 2.6 (tests/qiskit/test_qiskit.py measures it again); more with `approximation_degree` below 1
or None.

`Optimize1qGatesDecomposition` and `InverseCancellation` stay below 10⁻¹² and are not among them."""

DEGREE_ROUNDING = 1e-9  # passes write 1 as 1 − 10⁻¹⁶ to leave room for their own rounding
_DEGREES = ("_approximation_degree", "approximation_degree", "requested_fidelity")
_MAKES_UNITARIES = "ConsolidateBlocks"


class PruneGates(TransformationPass):
    """Prune the circuit that a pass manager hands over, under the bound of `qprune.prune`.

    The circuit may have been translated, laid out and routed before: observables and measured qubits follow the layout
    (`layout`, `final_layout` and `virtual_permutation_layout` of the property set) to their physical qubits. The
    certificate is one for the circuit received. That it is the task's is checked on every sample, never assumed.

    Of a circuit in native gates give the `target`: what goes back is in its gates, on its couplings, with layout and
    measurements as they were, and runs of native gates are seen as the rotations that they make. Without it nothing
    but whole gates can go, and `rx` or `ry` may come back.

    Afterwards the property set holds "qprune_result" (the `PruneResult`; its `original` is the received circuit as a
    task), "qprune_certificate", "qprune_weights" (values of the surviving weights by name, which
    `circuit.assign_parameters` takes; with refit=True they are not the task's any more) and "qprune_task" (the task
    given here). Final measurements stay where they were, but only the task's outputs are certified. Barriers are
    dropped; delays are refused: schedule afterwards. The manager may list the same gates in another order, so their
    hash need not be the certificate's `pruned_hash`; `check_certificate` compares outputs.

    Args:
        task: The network on its virtual qubits, before the pass manager touches it.
        agreement: Largest difference allowed between an output of the task's circuit and of the circuit received, in
            the observable's unit (total variation for probabilities), > 0. Raise it where passes before this one
            approximate on purpose; the certificate then starts from the approximated circuit.
        limit: How far, as in `qprune.prune`.
        target: Of the backend that the circuit received is compiled for, or the backend; None: any gates may go back.
        strategy: As in `qprune.prune`, and so are all further arguments.
        noise: As in `qprune.prune`.
        representatives: As in `qprune.prune`.
        costs: As in `qprune.prune`.
        prune_encoding: As in `qprune.prune`.
        resynthesis: As in `qprune.prune`.
        couplings: As in `qprune.prune`.
        form: As in `qprune.prune`.
        simulator: As in `qprune.prune`.
        executor: As in `qprune.prune`.
        seed: As in `qprune.prune`.
        time_limit: As in `qprune.prune`.
        progress: As in `qprune.prune`.

    Raises:
        TaskError: `task` is no task; or, when it runs: the circuit received is not the task's.
        OptionError: An argument is out of its range, or does not go with the limit.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> from qiskit.transpiler import PassManager
        >>> manager = PassManager([PruneGates(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))])
        >>> manager.run(circuit).size()
        2
    """

    task: Task
    target: Target | None
    agreement: float
    limit: Limit
    settings: Settings

    def __init__(
        self,
        task: Task,
        limit: Limit = DEFAULT_LIMIT,
        *,
        target: Target | BackendV2 | None = None,
        agreement: float = 1e-6,
        strategy: str | Strategy = "q-iprune",
        noise: Noise = None,
        representatives: str = "identity",
        costs: Costs = None,
        prune_encoding: bool = False,
        resynthesis: bool = False,
        couplings: str | None = None,
        form: str = GATES,
        simulator: str | Simulator | BaseEstimatorV2 = "statevector",
        executor: Executor | None = None,
        seed: int = 0,
        time_limit: float | None = None,
        progress: bool | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(task, Task):
            raise TaskError(
                f"task must be a qprune.Task, got {type(task).__name__}; wrap the circuit: Task(circuit, …)"
            )
        if isinstance(agreement, bool) or not isinstance(agreement, Real) or not agreement > 0:
            raise OptionError(f"agreement must be a number > 0 in units of the observable, got {agreement!r}")
        self.task, self.agreement, self.limit = task, agreement, checked_limit(limit)
        self.target = None if target is None else checked_target(target)
        self.settings = limit.with_noise(
            Settings(
                strategy=strategy,
                noise=noise,
                representatives=representatives,
                costs=costs,
                prune_encoding=prune_encoding,
                resynthesis=resynthesis,
                couplings=couplings,
                form=form,
                simulator=simulator,
                executor=executor,
                seed=seed,
                time_limit=time_limit,
                progress=progress,
            )
        )
        limit.check(task, self.settings)  # now rather than in the middle of a compilation

    def run(self, dag: Any) -> Any:
        """Prune a `DAGCircuit`; returns the new one."""
        received = dag_to_circuit(dag)
        if "delay" in received.count_ops():
            raise TaskError("the circuit has delays; PruneGates must run before scheduling: move it forward")
        if self.target is not None:
            received = gathered(received)
        places, task = self._received_task(dag, received)
        result = pruned_under(self.limit, task, self.settings)
        self.property_set[RESULT] = result
        self.property_set[CERTIFICATE] = result.certificate
        self.property_set[WEIGHTS] = result.task.named_weights
        self.property_set[TASK] = self.task
        self.property_set[PLACES] = places
        pruned = with_measurements(result.circuit, received)
        return circuit_to_dag(pruned if self.target is None else in_native_gates(pruned, self.target))

    def update_status(self, state: PassManagerState, run_state: RunState) -> PassManagerState:
        """Qiskit's record of finished passes, from here on with an eye on those that approximate."""
        state = super().update_status(state, run_state)
        if run_state == RunState.SUCCESS:
            status, unitaries = state.workflow_status, "unitary" in self.property_set[RESULT].circuit.count_ops()
            status.completed_passes = _Watch(status.completed_passes, unitaries)
        return state

    def _received_task(self, dag: Any, received: QuantumCircuit) -> tuple[list[int], Task]:
        """Where its qubits are in the circuit received, and the task on that, checked on every sample."""
        agreeing, errors = [], []
        for places in layout_readings(self.task, dag, self.property_set):
            try:
                task = moved(self.task, received, places)
                self._check_same_network(task)
            except TaskError as error:
                errors.append(error)
            else:
                agreeing.append((places, task))
        if not agreeing:
            raise errors[0]
        if not all(same_outputs(agreeing[0][1], other) for _, other in agreeing):
            raise TaskError(
                "it cannot be told whether the layout in the property set is applied to the circuit already; name its "
                "register something else than 'q', or place PruneGates before the layout stage"
            )
        return agreeing[0]

    @cached_property
    def _outputs(self) -> Outputs:
        return all_outputs(self.task)

    def _check_same_network(self, task: Task) -> None:
        difference = deviations(self._outputs, all_outputs(task))
        excess = difference - self.agreement * widths(self.task)
        if excess.max() > 0:
            r, i = np.unravel_index(np.argmax(excess), excess.shape)
            raise TaskError(
                f"the circuit that PruneGates received is not the task's: {self.task.output_names[r]} differs by "
                f"{difference[r, i]:.3g} on sample {i} (agreement={self.agreement:g} of its range); give the Task of "
                "the circuit that this pass manager runs on, place PruneGates after ApplyLayout or before any layout, "
                "and if a pass before it approximates on purpose, raise agreement"
            )


class _Watch(set[Any]):
    """Qiskit's set of finished passes; warns when the first pass that approximates joins it."""

    def __init__(self, finished: Iterable[Any], unitaries: bool) -> None:
        super().__init__(finished)
        self.unitaries, self.warned = unitaries, False

    def add(self, item: Any) -> None:
        super().add(item)
        names = [c.__name__ for c in type(item).__mro__]
        self.unitaries |= _MAKES_UNITARIES in names
        found = next((name for name in names if name in APPROXIMATING), None)
        # Without a unitary to synthesise that pass does nothing; every optimisation level contains it.
        if self.warned or found is None or (found == "UnitarySynthesis" and not self.unitaries):
            return
        self.warned = True
        degree = next((getattr(item, name) for name in _DEGREES if hasattr(item, name)), 1.0)
        extent = (
            f"about {APPROXIMATING[found]:.0e} rad a gate"
            if degree is not None and degree > 1 - DEGREE_ROUNDING
            else ("up to the gates' error rates" if degree is None else f"with approximation degree {degree:g}")
        )
        warnings.warn(
            f"{found} ran after PruneGates and approximates ({extent}), which the certificate does not cover; run "
            "PruneGates after it, use optimization_level ≤ 1, or call qprune.qiskit.check_certificate on the result",
            QpruneWarning,
            stacklevel=2,
        )


_CHANGED = (
    "a pass after PruneGates changed the circuit; use optimization_level ≤ 1 or approximation_degree=1 there, or run "
    "PruneGates last"
)


def _carried(before: Sequence[int], after: Sequence[int], count: int) -> list[int]:
    """On which qubits all of a circuit's are, where the first are known to have gone from some places to others."""
    there = dict(zip(before, after, strict=True))
    spare = iter(q for q in range(max(count, max(after) + 1)) if q not in after)
    return [there[q] if q in there else next(spare) for q in range(count)]


def check_certificate(circuit: QuantumCircuit, property_set: Mapping[str, Any]) -> float:
    """Whether what left the pass manager still keeps what was certified, simulated anew.

    On every selected sample no output may change by more than the bound, where the limit was on it, else than what was
    measured or its budget; where there is a proof for every input (T9), it is made again for this circuit.

    Args:
        circuit: What `PassManager.run` returned, with its layout.
        property_set: `PassManager.property_set` after that run.

    Returns:
        The largest deviation from the circuit that `PruneGates` received, over outputs and selected samples.

    Raises:
        CertificateViolation: A deviation exceeds what is certified, with the numbers.
        TaskError: No `PruneGates` ran, or the circuit is not one of the same task.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> from qiskit.transpiler import PassManager
        >>> manager = PassManager([PruneGates(qprune.Task(circuit, "ZI"), qprune.Proven(0.01))])
        >>> small = manager.run(circuit)
        >>> check_certificate(small, manager.property_set) <= 0.01
        True
    """
    if not isinstance(circuit, QuantumCircuit):
        raise TaskError(
            f"circuit must be what PassManager.run returned, a QuantumCircuit, got {type(circuit).__name__}"
        )
    result, task = property_set.get(RESULT), property_set.get(TASK)
    if result is None or task is None:
        raise TaskError("property_set holds no qprune_result; give PassManager.property_set after PruneGates ran in it")
    layout = circuit.layout
    places = list(range(task.num_qubits)) if layout is None else layout.final_index_layout()
    now = moved(task, circuit, places, result.task.named_weights)
    change, allowed, excess = changes(result, now)
    if np.any(excess > 0):
        r, i = np.unravel_index(np.argmax(excess), excess.shape)
        raise CertificateViolation(
            f"{task.output_names[r]} deviates by {change[r, i]:.6g} on sample {result.original.selected[i]}, certified "
            f"is at most {allowed[r, i]:.6g}: {_CHANGED}"
        )
    if (everywhere := allowed_everywhere(result)) is not None:
        claim = everywhere_now(result, now, _carried(property_set[PLACES], places, result.original.num_qubits))
        if claim is not None and claim.lower > everywhere:
            raise CertificateViolation(
                f"an output deviates by {claim.lower:.6g} at the input {', '.join(f'{x:.4g}' for x in claim.worst)}, "
                f"proven for every input is at most {everywhere:.6g}: {_CHANGED}"
            )
        if claim is None or claim.upper > everywhere:
            warnings.warn(
                "what is proven for every input could not be confirmed of this circuit; it keeps what is certified on "
                "the samples",
                QpruneWarning,
                stacklevel=2,
            )
    return float(change.max())
