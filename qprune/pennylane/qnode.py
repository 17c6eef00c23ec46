"""A pruned QNode: called like the one it came from, saved and loaded. Part of `qprune.pennylane`."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune._files import read_json, whole_folder
from qprune.errors import BundleError, CertificateError, TaskError
from qprune.exact.absorption import Absorbed
from qprune.gates.sites import sites_of
from qprune.pennylane.measurements import Elsewhere, measured_by, outputs_of, readings_of, wire_order
from qprune.pennylane.naming import names_of
from qprune.pennylane.network import Network, as_interface, check_real, flat
from qprune.pennylane.plan import Plan, apply_plan
from qprune.pennylane.roles import Roles, refitted
from qprune.pennylane.stored import FREE, arrays_of, check_refitted, check_tied, match
from qprune.pennylane.tape import number
from qprune.report.store import is_result, write_result
from qprune.report.store import load as load_result
from qprune.results.certificate import Certificate
from qprune.results.manifest import seal
from qprune.results.result import PruneResult
from qprune.results.tradeoff import TradeOffPoint
from qprune.simulators.choices import final_outputs
from qprune.simulators.values import Outputs
from qprune.task.task import Task
from qprune.verify.check import verify
from qprune.verify.checks import VerificationReport

CHECKED_SAMPLES = 3  # samples on which the conversion is checked against PennyLane's own simulator
FORMAT, FILE, ARRAYS = "qprune-pennylane/2", "pennylane.json", "pennylane.npz"
# What a pruned QNode keeps beside what any QNode does.
OWN = (
    *("plan", "single", "roles", "result", "weights_before", "certified_weights", "network", "readings"),
    *("absorbed", "bounds", "original_outputs"),
)


class PrunedQNode(qml.QNode):
    """A QNode with fewer gates: called, drawn, differentiated, given shots and put into layers like any other.

    Made by `prune` and `load`; signature, device, interface and differentiation are those of the QNode it came from.
    `qml.set_shots` and `update` give a pruned QNode again. Any other transform gives a plain QNode without a
    certificate, as qprune does not know what that transform does to the circuit.

    Attributes:
        result: What `qprune.prune` returned: plan, circuits and task.
        weights: The caller's array, or mapping of arrays, of unchanged shape; with new values after refit.
        original_weights: Those of the network it came from, likewise.
        certificate_valid: Whether `weights` are still those that were certified. Calls with others are not covered.

    Example:
        >>> import numpy as np
        >>> @qml.qnode(qml.device("default.qubit", wires=1))
        ... def circuit(x, w):
        ...     qml.RX(x, 0)
        ...     qml.RY(w, 0)
        ...     return qml.expval(qml.Z(0))
        >>> from qprune import Proven
        >>> from qprune.pennylane import prune
        >>> pruned = prune(circuit, Proven(0.1), inputs=np.linspace(0, 1, 5), weights=0.01)
        >>> qml.specs(pruned)(0.3, pruned.weights).resources.num_gates
        1
    """

    def __init__(
        self,
        network: Network,
        single: bool,
        roles: Roles,
        result: PruneResult,
        tape: Any,
        absorbed: Absorbed | None = None,
    ) -> None:
        order = wire_order(tape, network.qnode.device.wires)
        self.readings = readings_of(tape.measurements, order)[2]
        elsewhere = Elsewhere() if absorbed is None else measured_by(self.readings, absorbed, order)
        if elsewhere.order is not None:
            self.readings = [reading._replace(rows=elsewhere.order) for reading in self.readings]
        plan = Plan.of(tape, roles, result, order, elsewhere)
        self.__dict__.update(vars(apply_plan(network.qnode, plan=plan)))
        self.plan, self.absorbed = plan, absorbed
        self.single, self.roles, self.result = single, roles, result
        self.weights_before, self.certified_weights = network.weights, refitted(network.weights, roles, result)
        self.network = replace(network, weights=self.certified_weights)

    def __copy__(self) -> PrunedQNode:
        """PennyLane's own copy is a plain QNode."""
        return self._as(super().__copy__())

    def update(self, **kwargs: Any) -> PrunedQNode:
        """The same pruned QNode with another device, interface, diff_method, …, as `qml.QNode.update`."""
        return self._as(super().update(**kwargs))

    def _as(self, plain: Any) -> PrunedQNode:
        """This pruned QNode executed as another QNode is."""
        new = type(self).__new__(type(self))
        new.__dict__.update(vars(self) | vars(plain))
        return new

    @property
    def qnode(self) -> Any:
        """The plain QNode, for whoever must not see more attributes than a QNode has."""
        plain = super().__copy__()
        for name in OWN:
            plain.__dict__.pop(name, None)
        return plain

    @property
    def weights(self) -> Any:
        """Weights to call this QNode with, in the caller's form."""
        return self._packed(self.network.weights)

    @property
    def original_weights(self) -> Any:
        """Weights to call the original QNode with, in the caller's form."""
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

    @property
    def certified_arrays(self) -> dict[str, NDArray[Any]]:
        """What the certificate's hash ties to it: weights before and after, inputs, what moves which angle."""
        return arrays_of(self.weights_before, self.certified_weights, self.network.inputs, self.roles)

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
        new = copy(self)
        new.__dict__.pop("bounds", None)
        arrays = {next(iter(self.network.weights)): weights} if self.single else dict(weights)
        for name, old in self.network.weights.items():
            here, then = np.shape(number(arrays.get(name, ()))), np.shape(number(old))
            if here != then:
                raise TaskError(f"argument {name} must have shape {then}, as when it was pruned, got {here}")
            check_real(name, arrays[name])
        new.network = replace(self.network, weights={name: arrays[name] for name in self.network.weights})
        return new

    def report(self) -> str:
        """The before/after table, with the bound of every measurement that is not a row of the certificate."""
        lines = [str(self.result)]
        if not self.certificate_valid:
            return "\n".join([*lines, "", "VOID for the present weights, which moved after pruning: see recertify"])
        if self.absorbed is not None:
            before, after = self.absorbed.groups
            lines.append(
                f"  before, {self.absorbed.gates} gates ({self.absorbed.two_qubit_gates} on two qubits) became part of "
                f"what is measured, in {after} settings ({before} before)"
            )
        for reading, bound in zip(self.readings, self.bounds, strict=True):
            if reading.kind in ("var", "probs"):
                lines.append(f"  proven (T2) for {reading.name}: {bound.max():.6g}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """How notebooks show it."""
        void = (
            "" if self.certificate_valid else "<p><b>Void for the present weights</b>, which moved: see recertify.</p>"
        )
        return f"{void}{self.result._repr_html_()}"

    @property
    def _called(self) -> str:
        """The function's name; a callable object or a partial function has none."""
        return str(getattr(self, "__name__", "circuit"))

    def __repr__(self) -> str:
        state = "certified" if self.certificate_valid else "certificate void, weights moved"
        return f"<PrunedQNode {self._called}{inspect.signature(self)}: {self.result!r}, {state}>"

    def verify(self, *, progress: bool | None = None) -> VerificationReport:
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
        like = {name: qml.math.get_interface(array) for name, array in self.network.weights.items()}
        about = {"format": FORMAT, "weights": like, "inputs": list(self.network.inputs), "single": self.single}
        about["absorbed"] = self.absorbed is not None
        arrays: dict[str, Any] = {f"{FREE}{name}": number(array) for name, array in self.network.weights.items()}
        arrays |= self.certified_arrays
        with whole_folder(folder, is_result, overwrite) as new:
            called, title = names_of(self.roles, self.network), f"{self._called}, pruned"
            write_result(self.result, new, drawings=drawings, tradeoff=tradeoff, title=title, names=called)
            (new / FILE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            np.savez_compressed(new / ARRAYS, **arrays)
            seal(new, self.result.certificate)

    def _packed(self, arrays: dict[str, Any]) -> Any:
        return next(iter(arrays.values())) if self.single else arrays


@qml.transforms.core.Transform.generic_register(PrunedQNode)
def _transformed(pruned: PrunedQNode, transform: Any, *args: Any, **kwargs: Any) -> Any:
    return transform(pruned.qnode, *args, **kwargs)


def load(folder: str | Path, qnode: Any, *, kwargs: Mapping[str, Any] | None = None) -> PrunedQNode:
    """Read what `PrunedQNode.save` wrote and apply it to the QNode it was made for.

    The stored arrays must be those that were certified, and the QNode with them must measure on a few samples what the
    certified circuits do, before and after. Weights that were trained further are loaded as they are; the certificate
    is then void, as before saving.

    Args:
        folder: Where `save` wrote.
        qnode: The original QNode; wires may have other labels, the circuit must be the same.
        kwargs: As in `prune`.

    Raises:
        BundleError: A file is missing or damaged.
        CertificateError: The QNode is not the one that was pruned, or the stored arrays are not those certified.
        TaskError: Neither does its structure fit.

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
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "mine"
        >>> pruned.save(folder)
        >>> load(folder, circuit).certificate == pruned.certificate
        True
    """
    folder = Path(folder)
    result = load_result(folder)
    about = read_json(folder / FILE)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BundleError(f'{folder / FILE} must be a JSON object with "format": "{FORMAT}": prune and save again')
    try:
        with np.load(folder / ARRAYS) as stored:
            arrays = dict(stored)
        if unreal := [name for name, array in arrays.items() if np.iscomplexobj(array)]:
            raise ValueError(f"{unreal[0]} must be real")
        inputs = {name: arrays[f"inputs {name}"] for name in about["inputs"]}
        weights, original, certified = (
            {name: as_interface(arrays[f"{kind} {name}"], like) for name, like in about["weights"].items()}
            for kind in ("weights", "original", "certified")
        )
        roles = Roles(*(arrays[field.name] for field in fields(Roles)))
        single, absorbs = bool(about["single"]), bool(about.get("absorbed"))
    except Exception as error:  # zip, NumPy and JSON raise many unrelated types
        raise BundleError(f"{folder / ARRAYS} or {FILE} is missing or damaged: {error!r}") from error
    check_tied(result, arrays)
    network = Network(checked_qnode(qnode), inputs, original, dict(kwargs or {}))
    try:
        tape = network.tape(network.sample(0), original)
    except Exception as error:  # whatever the user's function raises on arguments it was not made for
        raise CertificateError(f"the QNode cannot be called with the arguments stored in {folder}: {error}") from error
    matched, absorbed = match(tape, network, roles, result, absorbs)
    if not matched:
        raise CertificateError(f"the QNode is not the one that was pruned into {folder}: give that one to load")
    pruned = PrunedQNode(network, single, roles, result, tape, absorbed)
    check_refitted(certified, pruned.certified_weights, network.rounding)
    pruned.network, pruned.certified_weights = replace(network, weights=certified), certified
    try:
        check_conversion(pruned)
    except TaskError as error:
        raise CertificateError(f"the QNode with the stored arrays is not what was certified: {error}") from error
    return pruned.with_weights(next(iter(weights.values())) if single else weights)


def check_conversion(pruned: PrunedQNode) -> None:
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
            values = values if what == "original" else pruned.plan.read(values)
            values = values if len(pruned.readings) > 1 else (values,)
            for reading, value in zip(pruned.readings, values, strict=True):
                gap = float(np.max(np.abs(reading.values(outputs)[..., k] - value)))
                if gap > network.rounding * max(reading.ceiling(task), float(np.max(np.abs(value)))):
                    raise TaskError(
                        f"the {what} circuit gives another {reading.name} than its conversion on sample {picked[k]}: "
                        f"they differ by {gap:.3g}; no certificate can be given for this QNode, please report it"
                    )


# -- arguments --------------------------------------------------------------------------------------------------------


def checked_qnode(qnode: Any) -> Any:
    if isinstance(qnode, PrunedQNode):
        return qnode.qnode
    if not isinstance(qnode, qml.QNode):
        raise TaskError(
            f"qnode must be a PennyLane QNode (or, to prune, a TorchLayer or a module that holds one), got "
            f"{type(qnode).__name__}; wrap the function with qml.qnode"
        )
    return qnode


def task_of(pruned: PrunedQNode) -> Task:
    """The pruned task with the numbers that the QNode's present weights give."""
    task, values = pruned.result.task, pruned.network.table(pruned.network.weights, pruned.plan.signature)
    weights = {p.name: values[0, int(p.name[1:])] for p in task.weight_params}
    moved = task.with_weights(weights)
    if not task.input_params:
        return moved
    inputs = values[:, [int(p.name[1:]) for p in task.input_params]]
    return moved.with_inputs(
        inputs, probabilities=task.probabilities, labels=task.labels, holdout=task.holdout, seed=task.seed
    )
