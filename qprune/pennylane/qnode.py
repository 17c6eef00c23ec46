"""PennyLane: prune a QNode, call the smaller one in the same way, go on training it.

The user's tape is expanded to gates of the catalogue; every angle that inputs or weights move becomes a Parameter of a
`Task`, which `qprune.prune` prunes. The plan is then applied to the live tape of each call by a `qml.transform`, so
that angles stay the user's own differentiable functions of inputs and weights.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import ArrayLike
from qiskit import ClassicalRegister
from qiskit.primitives import BaseEstimatorV2

from qprune._arrays import FloatArray
from qprune.errors import BundleError, CertificateError, QpruneError, TaskError
from qprune.gates.costs import Costs
from qprune.gates.sites import sites_of
from qprune.limits.base import Limit
from qprune.limits.pruning import checked_limit, pruned_under
from qprune.limits.settings import Settings
from qprune.limits.threshold import DEFAULT_LIMIT
from qprune.noise.calibration import Noise
from qprune.pennylane.network import Network, Signature, as_interface, flat, network_of
from qprune.pennylane.plan import Plan, apply_plan, readings_of, wire_order
from qprune.pennylane.roles import Roles, find_roles, refitted
from qprune.pennylane.tape import WHOLE, circuit_of, expand, number, slot_count
from qprune.pennylane.training import (
    FineTuned,
    Recertification,
    TrainingStep,
    check_refit,
    finetune,
    outputs_of,
    recertify,
)
from qprune.report.store import load as load_result
from qprune.report.store import save
from qprune.results.certificate import Certificate, circuit_hash
from qprune.results.result import PruneResult
from qprune.results.tradeoff import TradeOffPoint
from qprune.selection.strategies import Strategy
from qprune.simulators.choices import final_outputs
from qprune.simulators.simulator import Simulator
from qprune.simulators.values import Outputs
from qprune.task.bundle import read_json
from qprune.task.task import Task
from qprune.verify.check import VerificationReport, verify

__all__ = ["FineTuned", "PrunedQNode", "Recertification", "TrainingStep", "finetune", "load", "prune", "recertify"]

CHECKED_SAMPLES = 3  # samples on which the conversion is checked against PennyLane's own simulator
FORMAT, FILE, ARRAYS = "qprune-pennylane/2", "pennylane.json", "pennylane.npz"


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
    simulator: str | Simulator | BaseEstimatorV2 = "statevector",
    executor: Executor | None = None,
    seed: int = 0,
    progress: bool = False,
) -> PrunedQNode:
    """Prune a trained QNode under a proven error bound: |Δ⟨O⟩| ≤ what Θ ≤ Σ_k θ_k allows, on every sample.

    Args:
        qnode: A QNode that returns expval, var and probs, or what this function returned before.
        limit: How far, as in `qprune.prune`. A budget limits each ⟨O⟩; of a var it limits ⟨O⟩ and ⟨O²⟩, and beside
            other measurements each single probability: `bounds` says what that makes of var and probs. With refit the
            weights themselves move: call the result with its own `weights`. A weight that moves several gates moves
            them together; gates whose angle no weights can set alone, such as w·x or sin(w), are kept or removed. In
            single precision the certificate speaks of the weights before they were rounded to it.
        inputs: Samples with a leading axis, shape (M, …); `inputs[i]` is what one call takes. A mapping from argument
            name to such an array for several arguments. None for circuits without input.
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
        simulator: As in `qprune.prune`.
        executor: As in `qprune.prune`.
        seed: Of the hold-out split and of strategies that draw.
        progress: Show progress bars on stderr, where that is a terminal.

    Raises:
        TaskError: The QNode, its arguments or its measurements cannot be used.
        OptionError: An option is unknown or out of its range.

    Source: THEORY T1, T2, T5.
    """
    settings = Settings(
        strategy=strategy,
        noise=noise,
        representatives=representatives,
        costs=costs,
        prune_encoding=prune_encoding,
        resynthesis=resynthesis,
        simulator=simulator,
        executor=executor,
        seed=seed,
        progress=progress,
    )
    limit = checked_limit(limit)
    network, single = network_of(_checked_qnode(qnode), inputs, weights, input_name, dict(kwargs or {}))
    tape = _first_tape(network)
    names: set[str] = set()
    operations = expand(tape.operations, names)
    signature = Signature.of(operations, tape.measurements)
    order = wire_order(tape, network.qnode.device.wires)
    observables, measured, readings = readings_of(tape.measurements, order)
    if labels is not None and any(reading.kind != "expval" for reading in readings):
        raise TaskError("labels need a QNode that returns only expval; leave them out, or measure the var apart")
    scalar = np.array([op.name not in WHOLE for op in operations for _ in range(slot_count(op))], dtype=bool)
    roles = find_roles(network, signature, scalar, progress)
    _check_moved(network, roles)
    circuit = circuit_of(operations, roles.parameters(), order)
    params = {p.name: p for p in circuit.parameters}
    columns = [name for name in params if name[0] == "x"]
    if observables is None:
        circuit.add_register(ClassicalRegister(len(measured)))
        circuit.measure(measured, range(len(measured)))
    task = Task(
        circuit,
        observables,
        inputs=roles.values[:, [int(name[1:]) for name in columns]] if network.inputs else None,
        input_params=columns,
        weights={name: roles.values[0, int(name[1:])] for name in params if name[0] == "w"},
        probabilities=probabilities,
        holdout=holdout,
        seed=seed,
        labels=labels,
    )
    task.holds = roles.holds()
    result = pruned_under(limit, task, settings)
    pruned = PrunedQNode(network, single, roles, result, tape)
    check_refit(pruned)
    _check_conversion(pruned)
    return pruned


class PrunedQNode:
    """A pruned QNode: called, drawn and differentiated like the one it came from. Made by `prune` and `load`.

    Attributes:
        qnode: The QNode proper, for `qml.draw`, `qml.specs`, `TorchLayer` and the like.
        result: What `qprune.prune` returned: plan, circuits and task.
        weights: The caller's array, or mapping of arrays, of unchanged shape; with new values after refit.
        original_weights: Those of the network it came from, likewise.
        certificate_valid: Whether `weights` are still those that were certified. Calls with others are not covered.
    """

    def __init__(self, network: Network, single: bool, roles: Roles, result: PruneResult, tape: Any) -> None:
        self.single, self.roles, self.result = single, roles, result
        self.weights_before, self.certified_weights = network.weights, refitted(network.weights, roles, result)
        self.network = replace(network, weights=self.certified_weights)
        self.plan = Plan.of(tape, roles, result, wire_order(tape, network.qnode.device.wires))
        self.readings = readings_of(tape.measurements, self.plan.order)[2]
        self.qnode = apply_plan(network.qnode, plan=self.plan)
        functools.update_wrapper(self, network.qnode.func, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.qnode(*args, **kwargs)

    @property
    def weights(self) -> Any:
        """With which to call it."""
        return self._packed(self.network.weights)

    @property
    def original_weights(self) -> Any:
        """With which to call the original."""
        return self._packed(self.weights_before)

    @property
    def trainable_mask(self) -> Any:
        """True for weight entries that still move a gate; same form and shapes as `weights`."""
        mask = np.any(self.roles.depends[sorted(self.plan.surviving())], axis=0, keepdims=True)[0]
        masks, start = {}, 0
        for name, array in self.network.weights.items():
            shape = np.shape(number(array))
            masks[name] = mask[start : start + int(np.prod(shape))].reshape(shape)
            start += masks[name].size
        return self._packed(masks)

    @property
    def certificate_valid(self) -> bool:
        now, then = flat(self.network.weights), flat(self.certified_weights)
        return bool(np.array_equal(now, then))

    @property
    def certificate(self) -> Certificate:
        """What is proven for the weights that pruning returned.

        Raises:
            CertificateError: The weights have moved since.
        """
        if not self.certificate_valid:
            raise CertificateError(
                "the certificate is void: the weights moved after pruning; qprune.pennylane.recertify measures this "
                "network against the original, and pruning again certifies what that removes"
            )
        return self.result.certificate

    @functools.cached_property
    def bounds(self) -> tuple[FloatArray, ...]:
        """Proven limit of the change of each measurement on each selected sample (T2), each of shape (M,).

        Units of the observable; of its square for var; total variation for probs.
        """
        certificate, before = self.certificate, self.original_outputs[0]
        return tuple(reading.bound(certificate, before, self.result.original) for reading in self.readings)

    @functools.cached_property
    def original_outputs(self) -> tuple[Outputs, Outputs | None]:
        """What the original measures on the selected and on the held-out samples, by exact simulation."""
        return outputs_of(self.result.original)

    def with_weights(self, weights: Any) -> PrunedQNode:
        """The same smaller circuit with other weights, in the form of `weights`; the certificate does not follow."""
        new = object.__new__(PrunedQNode)
        new.__dict__.update({name: value for name, value in vars(self).items() if name != "bounds"})
        arrays = {next(iter(self.network.weights)): weights} if self.single else dict(weights)
        for name, old in self.network.weights.items():
            if np.shape(number(arrays.get(name, ()))) != np.shape(number(old)):
                raise TaskError(f"weights {name} must have shape {np.shape(number(old))}, as when they were pruned")
        new.network = replace(self.network, weights={name: arrays[name] for name in self.network.weights})
        return new

    def report(self) -> str:
        """The before/after table, with the bound of every measurement that is not a row of the certificate."""
        lines = [str(self.result)]
        if not self.certificate_valid:
            return "\n".join([*lines, "", "VOID for the present weights, which moved after pruning: see recertify"])
        for reading, bound in zip(self.readings, self.bounds, strict=True):
            if reading.kind in ("var", "probs"):
                lines.append(f"  proven (T2) for {reading.name}: {bound.max():.6g}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        state = "certified" if self.certificate_valid else "certificate void, weights moved"
        return f"<PrunedQNode {self.__name__}{inspect.signature(self)}: {self.result!r}, {state}>"  # type: ignore[attr-defined]

    def verify(self, *, progress: bool = False) -> VerificationReport:
        """Recompute every claim independently, see `qprune.verify`; raises CertificateViolation with the numbers."""
        if not self.certificate_valid:
            self.certificate  # noqa: B018 raises
        return verify(self.result.original, self.result, progress=progress)

    def save(
        self,
        folder: str | Path,
        *,
        drawings: bool = True,
        overwrite: bool = False,
        tradeoff: Sequence[TradeOffPoint] = (),
    ) -> None:
        """Write the result as `PruneResult.save` does, so that `qprune verify` takes it, and what `load` needs.

        Args:
            folder: Where to; made anew.
            drawings: Whether to write pictures and the report too.
            overwrite: Whether an earlier result in that folder may be replaced.
            tradeoff: What `qprune.trade_off(pruned.result)` returned, for the report.

        Raises:
            BundleError: The folder exists or cannot be written.
        """
        folder = Path(folder)
        save(self.result, folder, drawings=drawings, overwrite=overwrite, tradeoff=tradeoff)
        like = {name: qml.math.get_interface(array) for name, array in self.network.weights.items()}
        about = {"format": FORMAT, "weights": like, "inputs": list(self.network.inputs), "single": self.single}
        arrays = {f"weights {name}": number(array) for name, array in self.network.weights.items()}
        arrays |= {f"original {name}": number(array) for name, array in self.weights_before.items()}
        arrays |= {f"certified {name}": number(array) for name, array in self.certified_weights.items()}
        arrays |= {f"inputs {name}": number(array) for name, array in self.network.inputs.items()}
        arrays |= vars(self.roles)
        try:
            (folder / FILE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            np.savez_compressed(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise BundleError(f"cannot write to {folder}: {error.strerror or error}") from error

    def _packed(self, arrays: dict[str, Any]) -> Any:
        return next(iter(arrays.values())) if self.single else arrays


def load(folder: str | Path, qnode: Any, *, kwargs: Mapping[str, Any] | None = None) -> PrunedQNode:
    """Read what `PrunedQNode.save` wrote and apply it to the QNode it was made for.

    Args:
        folder: Where `save` wrote.
        qnode: The original QNode; wires may have other labels, the circuit must be the same.
        kwargs: As in `prune`.

    Raises:
        BundleError: A file is missing or damaged.
        CertificateError: The QNode is not the one that was pruned.
        TaskError: Neither does its structure fit.
    """
    folder = Path(folder)
    result = load_result(folder)
    about = read_json(folder / FILE)
    if about.get("format") != FORMAT:
        raise BundleError(f"{folder / FILE} is of format {about.get('format')}, not {FORMAT}: prune and save again")
    try:
        with np.load(folder / ARRAYS) as stored:
            arrays = dict(stored)
        inputs = {name: arrays[f"inputs {name}"] for name in about["inputs"]}
        weights, original, certified = (
            {name: as_interface(arrays[f"{kind} {name}"], like) for name, like in about["weights"].items()}
            for kind in ("weights", "original", "certified")
        )
        roles = Roles(*(arrays[field.name] for field in fields(Roles)))
        single = bool(about["single"])
    except Exception as error:  # zip, NumPy and JSON raise many unrelated types
        raise BundleError(f"{folder / ARRAYS} or {FILE} is missing or damaged: {error!r}") from error
    network = Network(_checked_qnode(qnode), inputs, original, dict(kwargs or {}))
    try:
        tape = network.tape(network.sample(0), original)
    except Exception as error:  # whatever the user's function raises on arguments it was not made for
        raise CertificateError(f"the QNode cannot be called with the arguments stored in {folder}: {error}") from error
    order = wire_order(tape, network.qnode.device.wires)
    operations = expand(tape.operations)
    observables = readings_of(tape.measurements, order)[0]
    same = sum(map(slot_count, operations)) == len(roles.encoding) and (observables is None) == (
        result.original.observables is None
    )
    if same:
        same = circuit_hash(circuit_of(operations, roles.parameters(), order)) == result.certificate.original_hash
    if same and observables is not None:
        theirs = result.original.observables or ()
        same = len(observables) == len(theirs) and all(a.equiv(b) for a, b in zip(observables, theirs, strict=True))
    if not same:
        raise CertificateError(f"the QNode is not the one that was pruned into {folder}: give that one to load")
    pruned = PrunedQNode(network, single, roles, result, tape)
    pruned.network, pruned.certified_weights = replace(network, weights=weights), certified
    pruned.plan.rewrite(tape)  # checks constants and ties
    return pruned


# -- arguments --------------------------------------------------------------------------------------------------------


def _checked_qnode(qnode: Any) -> Any:
    if isinstance(qnode, PrunedQNode):
        return qnode.qnode
    if not isinstance(qnode, qml.QNode):
        raise TaskError(
            f"qnode must be a PennyLane QNode, got {type(qnode).__name__}; wrap the function with qml.qnode"
        )
    return qnode


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


def _check_conversion(pruned: PrunedQNode) -> None:
    """The task and both tapes must agree on a few samples, by PennyLane's own simulator."""
    network, result = pruned.network, pruned.result
    picked = np.unique(np.linspace(0, network.num_samples - 1, CHECKED_SAMPLES).astype(int))
    device = qml.device("default.qubit", wires=network.qnode.device.wires)
    before, now = (
        [network.tape(network.sample(int(i)), weights) for i in picked]
        for weights in (pruned.weights_before, network.weights)
    )
    for what, task, own in (
        ("original", result.original, before),
        ("pruned", result.task, [pruned.plan.rewrite(tape) for tape in now]),
    ):
        outputs = final_outputs(task, sites_of(task), picked)
        for k, tape in enumerate(own):
            (plain,), _ = qml.transforms.convert_to_numpy_parameters(tape.copy(shots=None))
            values = qml.execute([plain], device, diff_method=None)[0]
            values = values if len(pruned.readings) > 1 else (values,)
            for reading, value in zip(pruned.readings, values, strict=True):
                gap = float(np.max(np.abs(reading.values(outputs)[..., k] - value)))
                if gap > network.rounding * max(1.0, float(np.max(np.abs(value)))):
                    raise TaskError(
                        f"the {what} circuit gives another {reading.name} than its conversion on sample {picked[k]}: "
                        f"they differ by {gap:.3g}; no certificate can be given for this QNode, please report it"
                    )
