"""Prune a QNode. Part of `qprune.pennylane`.

The user's tape is expanded to gates of the catalogue; every angle that inputs or weights move becomes a Parameter of a
`Task`, which `qprune.prune` prunes. The plan is then applied to the live tape of each call by a `qml.transform`, so
that angles stay the user's own differentiable functions of inputs and weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import ArrayLike
from qiskit.primitives import BaseEstimatorV2

from qprune._checks import checked_flag
from qprune.errors import QpruneError, TaskError
from qprune.exact import absorption
from qprune.gates.costs import Costs
from qprune.limits.base import Limit
from qprune.limits.pruning import checked_limit, pruned_under
from qprune.limits.settings import GATES, Settings
from qprune.limits.threshold import DEFAULT_LIMIT
from qprune.noise.calibration import Noise
from qprune.pennylane.layers import is_module, pruned_module
from qprune.pennylane.measurements import check_absorbable, measuring, readings_of, wire_order
from qprune.pennylane.network import Network, Signature, check_repeats, network_of, number_tolerance
from qprune.pennylane.qnode import PrunedQNode, check_conversion, checked_qnode, task_of
from qprune.pennylane.roles import Roles, find_roles
from qprune.pennylane.stored import tied
from qprune.pennylane.tape import WHOLE, circuit_of, expand, slot_count
from qprune.selection.strategies import Strategy
from qprune.simulators.simulator import Simulator
from qprune.task.task import Task


def prune(
    qnode: Any,
    limit: Limit = DEFAULT_LIMIT,
    *,
    inputs: Any = None,
    weights: Any = None,
    input_name: str | None = None,
    kwargs: Mapping[str, Any] | None = None,
    probabilities: ArrayLike | None = None,
    holdout: float | ArrayLike = 0.0,
    labels: ArrayLike | None = None,
    strategy: str | Strategy = "q-iprune",
    noise: Noise = None,
    representatives: str = "identity",
    costs: Costs = None,
    prune_encoding: bool = False,
    resynthesis: bool = False,
    couplings: str | None = None,
    form: str = GATES,
    absorb: bool = False,
    simulator: str | Simulator | BaseEstimatorV2 = "statevector",
    executor: Executor | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    progress: bool | None = None,
) -> Any:
    """Prune a trained QNode under a limit: how far any output may move, and how that is known.

    Args:
        qnode: A QNode that returns expval, var and probs, or what this function returned before. Or a
            `qml.qnn.TorchLayer`, or a Torch module that holds some: then `inputs` are the module's samples, weights are
            its own, and the result is a copy of it in which each such layer is smaller and has its pruned QNode as
            `pruned`. The limit holds for each layer's outputs.
        limit: How far, as in `qprune.prune`. A budget limits each ⟨O⟩; of a var it limits ⟨O⟩ and ⟨O²⟩, and beside
            other measurements each single probability: `bounds` says what that makes of var and probs. With refit the
            weights themselves move: call the result with its own `weights`. A weight that moves several gates moves
            them together; gates whose angle no weights can set alone, such as w·x or sin(w), are kept or removed. In
            single precision the certificate speaks of the weights before they were rounded to it.
        inputs: Samples with a leading axis, shape (M, …); `inputs[i]` is what one call takes. A mapping from argument
            name to such an array for several arguments. A DataFrame is an array of its columns in their order. None for
            circuits without input.
        weights: Trained values as the QNode takes them; a mapping from argument name for several arguments.
        input_name: Which argument carries the inputs, where its name does not tell (`inputs`, `x`, `features`, …).
        kwargs: Values of all other arguments; the circuit's structure may depend on them.
        probabilities: p_i of every sample, shape (M,); default 1/M.
        holdout: Samples that selection never sees (T5): a fraction in [0, 1), or an array of indices.
        labels: Classes of the samples, for the accuracy in the report, as in `qprune.Task`.
        strategy: As in `qprune.prune`.
        noise: As in `qprune.prune`.
        representatives: As in `qprune.prune`.
        costs: As in `qprune.prune`.
        prune_encoding: As in `qprune.prune`.
        resynthesis: As in `qprune.prune`.
        couplings: As in `qprune.prune`.
        form: As in `qprune.prune`.
        absorb: Whether Clifford gates at the circuit's end go first and other Pauli words are measured, as
            `qprune.absorb` does: the result returns the same numbers from fewer gates. For QNodes that return expval
            and var, whose coefficients stay what they are now, or one probs, whose outcomes are put back into their
            order. `absorbed` of the result says what went.
        simulator: As in `qprune.prune`.
        executor: As in `qprune.prune`.
        seed: Of the hold-out split and of strategies that draw.
        time_limit: As in `qprune.prune`.
        progress: As in `qprune.prune`.

    Returns:
        A `PrunedQNode`, or the module with smaller layers.

    Raises:
        TaskError: The QNode, its arguments or its measurements cannot be used.
        OptionError: An option is unknown or out of its range.

    Source: THEORY T1, T2, T5.

    Example:
        >>> import numpy as np
        >>> from qprune import Everywhere
        >>> @qml.qnode(qml.device("default.qubit", wires=2))
        ... def circuit(x, weights):
        ...     qml.AngleEmbedding(x, wires=range(2))
        ...     qml.StronglyEntanglingLayers(weights, wires=range(2))
        ...     return qml.expval(qml.Z(0))
        >>> weights = np.random.default_rng(0).normal(scale=0.1, size=(1, 2, 3))
        >>> pruned = prune(circuit, Everywhere(0.1), inputs=np.linspace(0, 1, 10).reshape(5, 2), weights=weights)
        >>> pruned.certificate.every_input.upper <= 0.1
        True
    """
    settings = Settings(
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
    limit, samples = checked_limit(limit), {"probabilities": probabilities, "holdout": holdout, "labels": labels}
    absorb = checked_flag(absorb, "absorb")
    if is_module(qnode):
        own = {"weights": weights, "input_name": input_name, "kwargs": kwargs, "labels": labels}
        if given := [name for name, value in own.items() if value is not None]:
            raise TaskError(f"{given[0]} is a QNode's own; of a Torch module only inputs are given")
        return pruned_module(
            qnode,
            inputs,
            lambda each, data, values: _pruned(
                *network_of(checked_qnode(each), data, values, None, {}), limit, settings, samples, absorb
            ),
        )
    found = network_of(checked_qnode(qnode), inputs, weights, input_name, dict(kwargs or {}))
    return _pruned(*found, limit, settings, samples, absorb)


def _pruned(
    network: Network, single: Any, limit: Limit, settings: Settings, samples: Mapping[str, Any], absorb: bool
) -> PrunedQNode:
    tape = _first_tape(network)
    operations = expand(tape.operations)
    signature = Signature.of(operations, tape.measurements)
    order = wire_order(tape, network.qnode.device.wires)
    observables, measured, readings = readings_of(tape.measurements, order)
    others = [reading.name for reading in readings if reading.kind != "expval"]
    if samples["labels"] is not None and others:
        raise TaskError(f"labels need a QNode that returns only expval, this one returns {others[0]}; leave them out")
    scalar = np.array([op.name not in WHOLE for op in operations for _ in range(slot_count(op))], dtype=bool)
    if absorb:
        check_absorbable(readings)
    check_repeats(network, signature)
    roles = find_roles(network, signature, scalar, settings.shown)
    _check_moved(network, roles)
    circuit = circuit_of(operations, roles.parameters(), order)
    params = {p.name: p for p in circuit.parameters}
    columns = [name for name in params if name[0] == "x"]
    if observables is None:
        circuit = measuring(circuit, measured)
    task = Task(
        circuit,
        observables,
        inputs=roles.values[:, [int(name[1:]) for name in columns]] if network.inputs else None,
        input_params=columns,
        weights={name: roles.values[0, int(name[1:])] for name in params if name[0] == "w"},
        seed=settings.seed,
        holds=roles.holds(),
        **samples,
    )
    absorbed = absorption.absorb(task) if absorb else None
    result = pruned_under(limit, task if absorbed is None else absorbed.task, settings)
    pruned = PrunedQNode(network, single, roles, result, tape, absorbed)
    check_refit(pruned)
    check_conversion(pruned)
    pruned.result = tied(result, pruned.certified_arrays)
    return pruned


def _first_tape(network: Network) -> Any:
    try:
        return network.tape(network.sample(0), network.weights)
    except QpruneError:
        raise
    except (IndexError, TypeError, ValueError) as error:  # what templates make of arrays of another shape
        given = {**network.sample(0), **network.weights}
        shapes = ", ".join(f"{name} of shape {qml.math.shape(array)}" for name, array in given.items())
        raise TaskError(
            f"the QNode cannot be called on one sample, with {shapes}: {' '.join(str(error).split())}; inputs need one "
            "leading axis of samples more than a call takes, weights have the shape of a call"
        ) from error


def _check_moved(network: Network, roles: Roles) -> None:
    if network.inputs and not roles.encoding.any():
        raise TaskError(
            f"inputs ({', '.join(network.inputs)}) move no gate of the QNode; leave them out or name others"
        )
    if network.weights and not roles.depends.any():
        raise TaskError(f"weights ({', '.join(network.weights)}) move no gate of the QNode; name others")


def check_refit(pruned: PrunedQNode) -> None:
    """Raise TaskError unless the weights that refit moved give the pruned circuit's numbers on all samples."""
    if pruned.network.weights is pruned.weights_before:
        return
    task, now = pruned.result.task, task_of(pruned)
    present = [j for j, p in enumerate(task.input_params) if task.circuit.has_parameter(p)]
    for there, here in ((task.weights, now.weights), (task.inputs[:, present], now.inputs[:, present])):
        if np.any(np.abs(here - there) > number_tolerance(there, pruned.network.is_single, pruned.network.rounding)):
            raise TaskError(
                "the QNode's angles do not follow the weights that refit moved as they did at pruning; is an angle "
                "bounded or periodic in a weight, or multiplied with an input that is often 0? Prune with refit=False"
            )
