"""Training a pruned QNode on, and measuring it against the original. Part of `qprune.pennylane`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qprune._arrays import FloatArray
from qprune._progress import bar, is_shown
from qprune.errors import OptionError, TaskError
from qprune.geometry import bounds
from qprune.limits.claims import HOLDOUT_DELTA
from qprune.pennylane.measurements import outputs_of
from qprune.pennylane.network import as_interface
from qprune.pennylane.qnode import PrunedQNode, task_of
from qprune.pennylane.tape import number
from qprune.simulators.values import Outputs
from qprune.task.task import Task


@dataclass(frozen=True)
class TrainingStep:
    """One entry of a fine-tuning history.

    Attributes:
        step: Updates made so far.
        loss: The loss at these weights.
        deviation: Largest change of any measurement against the original on the selected samples, exact simulation;
            None in steps where it was not measured.
        certificate_valid: Whether the weights are still the certified ones: only before the first update.

    Example:
        >>> import numpy as np
        >>> import pennylane as qml
        >>> from qprune import Measured
        >>> from qprune.pennylane import prune
        >>> @qml.qnode(qml.device("default.qubit", wires=2))
        ... def circuit(x, weights):
        ...     qml.RY(x, 0)
        ...     qml.CNOT([0, 1])
        ...     qml.RX(weights[0], 1)
        ...     qml.RY(weights[1], 1)
        ...     return qml.expval(qml.Z(1))
        >>> X, weights = np.array([0.2, 0.9, 1.4]), np.array([0.01, 0.9])
        >>> pruned = prune(circuit, Measured(0.05), inputs=X, weights=weights)
        >>> tuned = finetune(pruned, lambda f, w: f(X[0], w), qml.GradientDescentOptimizer(0.1), 2)
        >>> tuned.history[0].certificate_valid, tuned.history[-1].loss < tuned.history[0].loss
        (True, True)
    """

    step: int
    loss: float
    deviation: float | None
    certificate_valid: bool


class FineTuned(NamedTuple):
    """What `finetune` returns: trained weights, history, and the pruned QNode that carries these weights.

    Example:
        >>> import numpy as np
        >>> import pennylane as qml
        >>> from qprune import Measured
        >>> from qprune.pennylane import prune
        >>> @qml.qnode(qml.device("default.qubit", wires=2))
        ... def circuit(x, weights):
        ...     qml.RY(x, 0)
        ...     qml.CNOT([0, 1])
        ...     qml.RX(weights[0], 1)
        ...     qml.RY(weights[1], 1)
        ...     return qml.expval(qml.Z(1))
        >>> X, weights = np.array([0.2, 0.9, 1.4]), np.array([0.01, 0.9])
        >>> pruned = prune(circuit, Measured(0.05), inputs=X, weights=weights)
        >>> tuned = finetune(pruned, lambda f, w: f(X[0], w), qml.GradientDescentOptimizer(0.1), 2)
        >>> [step.step for step in tuned.history], tuned.pruned.certificate_valid
        ([0, 1, 2], False)
    """

    weights: Any
    history: tuple[TrainingStep, ...]
    pruned: PrunedQNode


def finetune(
    pruned: PrunedQNode,
    loss: Callable[[PrunedQNode, Any], Any],
    optimizer: Any,
    steps: int,
    *,
    every: int = 10,
    progress: bool | None = None,
) -> FineTuned:
    """Train on with a PennyLane optimizer; a thin loop around `optimizer.step_and_cost`.

    Args:
        pruned: Where to start; it is left as it is.
        loss: Function of (network, weights) to a scalar; it calls the network as the QNode was called, with weights in
            the form of `pruned.weights`, as PennyLane NumPy arrays.
        optimizer: A PennyLane optimizer such as `qml.AdamOptimizer(0.05)`.
        steps: Updates, ≥ 0.
        every: Measure the deviation from the original every so many steps, and at both ends; 0: never.
        progress: Show a bar once the work has taken seconds; default: where a person watches.

    Returns:
        Weights, history and a pruned QNode with these weights, whose certificate is void; see `recertify`.

    Raises:
        OptionError: steps or every is negative, or the optimizer has no `step_and_cost`.
        TaskError: The QNode is not a pruned one.

    Example:
        >>> import numpy as np
        >>> import pennylane as qml
        >>> from qprune import Measured
        >>> from qprune.pennylane import prune
        >>> @qml.qnode(qml.device("default.qubit", wires=2))
        ... def circuit(x, weights):
        ...     qml.RY(x, 0)
        ...     qml.CNOT([0, 1])
        ...     qml.RX(weights[0], 1)
        ...     qml.RY(weights[1], 1)
        ...     return qml.expval(qml.Z(1))
        >>> X, weights = np.array([0.2, 0.9, 1.4]), np.array([0.01, 0.9])
        >>> pruned = prune(circuit, Measured(0.05), inputs=X, weights=weights)
        >>> tuned = finetune(pruned, lambda f, w: f(X[0], w), qml.GradientDescentOptimizer(0.1), 2)
        >>> float(pruned(X[0], tuned.weights)) < float(pruned(X[0], pruned.weights))
        True
    """
    _check_pruned(pruned)
    for name, value in (("steps", steps), ("every", every)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise OptionError(f"{name} must be an integer ≥ 0, got {value!r}")
    if not hasattr(optimizer, "step_and_cost"):
        raise OptionError(f"optimizer must be a PennyLane optimizer with step_and_cost, got {type(optimizer).__name__}")
    names = list(pruned.network.weights)
    arrays = [as_interface(number(pruned.network.weights[name]), "autograd") for name in names]
    history: list[TrainingStep] = []

    def packed(values: Sequence[Any]) -> Any:
        return values[0] if pruned.single else dict(zip(names, values, strict=True))

    def objective(*values: Any) -> Any:
        return loss(pruned, packed(values))

    def record(step: int, cost: Any) -> None:
        now = pruned.with_weights(packed(arrays))
        wanted = every and (step % every == 0 or step == steps)
        deviation = recertify(now).largest if wanted else None
        history.append(TrainingStep(step, float(cost), deviation, now.certificate_valid))

    with bar("fine-tuning", "step", is_shown(progress), of=range(steps)) as shown:
        for step in shown:
            new, cost = optimizer.step_and_cost(objective, *arrays)
            record(step, cost)
            arrays = list(new) if len(names) > 1 else [new]
            shown.set_postfix(loss=f"{float(cost):.4g}")
    record(steps, objective(*arrays))
    return FineTuned(packed(arrays), tuple(history), pruned.with_weights(packed(arrays)))


@dataclass(frozen=True)
class Recertification:
    """A trained pruned network against the original: measured by exact simulation, not proven.

    Attributes:
        deviations: |Δ| of each measurement (total variation for probs) on each selected sample, each shape (M,).
        holdout: T5 on the hold-out samples, or None; it holds only if training did not use those samples either.
        accuracy: Before pruning and now, on the task's labels, or None.
        certified_weights: Whether the weights are those of the certificate, which then holds too.

    Example:
        >>> import numpy as np
        >>> import pennylane as qml
        >>> from qprune import Measured
        >>> from qprune.pennylane import prune
        >>> @qml.qnode(qml.device("default.qubit", wires=2))
        ... def circuit(x, weights):
        ...     qml.RY(x, 0)
        ...     qml.CNOT([0, 1])
        ...     qml.RX(weights[0], 1)
        ...     qml.RY(weights[1], 1)
        ...     return qml.expval(qml.Z(1))
        >>> X, weights = np.array([0.2, 0.9, 1.4]), np.array([0.01, 0.9])
        >>> pruned = prune(circuit, Measured(0.05), inputs=X, weights=weights)
        >>> found = recertify(pruned)
        >>> found.largest <= 0.05, found.certified_weights
        (True, True)
    """

    deviations: tuple[FloatArray, ...]
    holdout: bounds.HoldoutClaim | None
    accuracy: tuple[float, float] | None
    certified_weights: bool

    @property
    def largest(self) -> float:
        """The largest deviation over measurements and samples."""
        return max(float(d.max()) for d in self.deviations)

    def __str__(self) -> str:
        lines = [
            f"largest deviation from the original: {self.largest:.6g} (measured on {len(self.deviations[0])} samples"
        ]
        lines[0] += ")" if self.certified_weights else "; nothing is proven for these weights)"
        if self.accuracy is not None:
            lines.append(f"accuracy: {self.accuracy[0]:.4f} before pruning, {self.accuracy[1]:.4f} now")
        if (claim := self.holdout) is not None:
            lines.append(
                f"hold-out of {claim.samples}, if training did not use it: expected deviation ≤ "
                f"{claim.expected_upper:.6g} at confidence {1 - claim.delta:.0%} (T5)"
            )
        return "\n".join(lines)


def recertify(pruned: PrunedQNode, weights: Any = None) -> Recertification:
    """Measure the pruned network with given weights against the original with its own, by exact simulation.

    Args:
        pruned: The pruned network.
        weights: In the form of `pruned.weights`; default: those it carries.

    Raises:
        TaskError: The weights have another shape, or the QNode is not a pruned one.

    Source: THEORY T5 for the hold-out.

    Example:
        >>> import numpy as np
        >>> import pennylane as qml
        >>> from qprune import Measured
        >>> from qprune.pennylane import prune
        >>> @qml.qnode(qml.device("default.qubit", wires=2))
        ... def circuit(x, weights):
        ...     qml.RY(x, 0)
        ...     qml.CNOT([0, 1])
        ...     qml.RX(weights[0], 1)
        ...     qml.RY(weights[1], 1)
        ...     return qml.expval(qml.Z(1))
        >>> X, weights = np.array([0.2, 0.9, 1.4]), np.array([0.01, 0.9])
        >>> pruned = prune(circuit, Measured(0.05), inputs=X, weights=weights)
        >>> recertify(pruned, pruned.weights + 0.5).certified_weights
        False
    """
    _check_pruned(pruned)
    now = pruned if weights is None else pruned.with_weights(weights)
    task = now.result.original
    before, after = now.original_outputs, outputs_of(task_of(now))
    pairs = [(b, a) for b, a in zip(before, after, strict=True) if b is not None and a is not None]
    each = [[reading.deviation(b, a) for reading in now.readings] for b, a in pairs]
    claim = None
    if len(pairs) > 1:
        signed = [r for r, spectrum in enumerate(task.spectra) if spectrum.predicts_sign]
        (b, a), ceiling = pairs[1], max(reading.ceiling(task) for reading in now.readings)
        flips = int(np.any(np.sign(b.means[signed]) != np.sign(a.means[signed]), axis=0).sum()) if signed else None
        claim = bounds.holdout_claim(np.max(each[1], axis=0), ceiling, flips, HOLDOUT_DELTA)
    accuracy = None
    if task.labels is not None:
        scores = [task.accuracy(_all_means(task, side)) or 0.0 for side in (before, after)]
        accuracy = scores[0], scores[1]
    return Recertification(tuple(each[0]), claim, accuracy, now.certificate_valid)


def _check_pruned(given: Any) -> None:
    if not isinstance(given, PrunedQNode):
        raise TaskError(
            f"pruned must be what qprune.pennylane.prune returned, got {type(given).__name__}; prune the QNode first"
        )


def _all_means(task: Task, sides: tuple[Outputs, Outputs | None]) -> FloatArray:
    means = np.empty((len(sides[0].means), task.num_samples))
    for side, where in zip(sides, (task.selected, task.heldout), strict=True):
        if side is not None:
            means[:, where] = side.means
    return means
