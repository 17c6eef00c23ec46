"""The only file of the soak that calls qprune.

What a case asks for is a `Request`, what it got an `Outcome`: both say nothing of how qprune spells them.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator
from qiskit.transpiler import PassManager

import qprune
from qprune import pennylane
from qprune.cli.command import main as command
from qprune.errors import QpruneError
from qprune.qiskit import PruneGates, from_qnn
from qprune.qiskit import check_certificate as check

__all__ = ["Outcome", "QpruneError", "Replacement", "Request", "command", "make_task", "prune"]

_NOISE_FLAGS = ("--noise", "--beta", "--gamma")
INFORMATIVE = ("report.html", "before.png", "after.png")


@dataclass(frozen=True)
class Request:
    """What pruning is asked to do.

    Attributes:
        limit: "threshold", "proven", "measured", "everywhere", "accuracy" or "under noise".
        tolerance: ε₀; with "proven" beside the budget.
        budget: In the observable's unit; of "accuracy" its largest fall.
        refit: Whether surviving weights move.
        window: Qubits of a window, or "auto".
        noise: (λ, β, γ), the name of a noise model, or None.
        others: strategy, representatives, aggregate, costs, prune_encoding, resynthesis, seed, simulator, executor, as
            qprune has them.
    """

    limit: str
    tolerance: float | None = None
    budget: float | None = None
    refit: bool = False
    window: int | str = "auto"
    noise: tuple[float, float, float] | str | None = None
    others: dict[str, Any] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """For the counts."""
        if self.limit == "proven" and self.tolerance is not None:
            return "proven, threshold"
        return f"{self.limit}, refit" if self.refit else self.limit

    @property
    def measures(self) -> bool:
        """Whether expectation values are measured rather than computed."""
        return isinstance(self.others.get("simulator"), qprune.OnDevice)

    @property
    def extras(self) -> tuple[str, ...]:
        """Options beside the limit that are not at their defaults, for the counts."""
        found = [f"{name}={value}" for name, value in sorted(self.others.items()) if isinstance(value, (str, bool))]
        found += [name for name in ("costs", "executor") if name in self.others]
        if self.window != "auto":
            found.append(f"window={self.window}")
        if self.noise is not None:
            found.append("noise=λ" if isinstance(self.noise, tuple) else "noise=model")
        return tuple(found)


@dataclass(frozen=True)
class Replacement:
    """One gate that was replaced: its place in the simplified circuit, qubits ascending, matrix or None for none."""

    site: int
    qubits: tuple[int, ...]
    matrix: NDArray[np.complex128] | None
    distance: float
    tolerance: float | None
    largest_angle: float


@dataclass(frozen=True)
class Outcome:
    """What pruning claims.

    Attributes:
        result: qprune's own.
        circuit: The pruned circuit, symbols free.
        weights: Its weights by name.
        simplified: The circuit after exact changes only.
        samples: Indices of the samples that were selected on; columns of what follows.
        bound: Proven limits, shape (outputs, samples).
        measured: Measured deviations, same shape.
        angle: Θ, same shape.
        certified: By output, where the sign cannot flip; None for outputs that predict none.
        replaced: The gates that were replaced.
        error: How far a Pauli word's mean may be off in `measured`.
        holdout: What is claimed of unseen inputs, or None.
        heldout: Indices of the samples held out.
        everywhere: By output the limit for every input of the domain, and what rounding may be of it; or None.
    """

    result: Any
    circuit: QuantumCircuit
    weights: dict[str, float]
    simplified: QuantumCircuit
    samples: tuple[int, ...]
    bound: NDArray[np.float64]
    measured: NDArray[np.float64]
    angle: NDArray[np.float64]
    certified: tuple[tuple[bool, ...] | None, ...]
    replaced: tuple[Replacement, ...]
    error: float
    holdout: Any
    heldout: tuple[int, ...]
    everywhere: tuple[tuple[float, float], ...] | None


def on_device(precision: float, seed: int, delta: float) -> Any:
    """A simulator that measures, as on a device."""
    return qprune.OnDevice(StatevectorEstimator(default_precision=precision, seed=seed), delta=delta)


def make_task(arguments: dict[str, Any], box: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None) -> Any:
    """A task; claims for every input are about the box, if given."""
    task = qprune.Task(**arguments)
    return task if box is None else task.with_domain(qprune.Domain.box(*box))


def limit_of(request: Request) -> Any:
    """The limit in qprune's own words."""
    window = {"window": request.window}
    compared = {**window, "aggregate": request.others.get("aggregate", "rms")}
    if request.limit == "threshold":
        return qprune.Threshold(request.tolerance, **compared)
    if request.limit == "proven":
        return qprune.Proven(request.budget, tolerance=request.tolerance, **compared)
    if request.limit == "measured":
        return qprune.Measured(request.budget, refit=request.refit, **window)
    if request.limit == "everywhere":
        return qprune.Everywhere(request.budget, refit=request.refit, **window)
    if request.limit == "accuracy":
        return qprune.Accuracy(request.budget, refit=request.refit, **window)
    return qprune.UnderNoise(request.noise, refit=request.refit, **window)


REFUSALS = (  # of a limit for every input
    "a limit for every input takes",
    "double precision knows the angle",
    "has no limits over the domain",
)


def is_refusal(error: Exception) -> bool:
    """Whether a limit for every input was refused for one of the reasons there are, in its words."""
    return any(words in str(error) for words in REFUSALS)


def settings_of(request: Request) -> dict[str, Any]:
    """What stands beside the limit, in qprune's own words."""
    settings = {name: value for name, value in request.others.items() if name != "aggregate"}
    if isinstance(request.noise, tuple):
        coherence, beta, gamma = request.noise
        settings["noise"] = qprune.calibrate(coherence, beta=beta, gamma=gamma)
    elif request.noise is not None and request.limit != "under noise":
        settings["noise"] = request.noise
    return settings


def prune(task: Any, request: Request) -> Outcome:
    return outcome_of(qprune.prune(task, limit_of(request), **settings_of(request)))


def outcome_of(result: Any) -> Outcome:
    certificate, task = result.certificate, result.task
    claim = certificate.every_input
    shape = (len(certificate.outputs), len(certificate.samples))
    return Outcome(
        result=result,
        circuit=result.circuit,
        weights=dict(zip((p.name for p in task.weight_params), task.weights.tolist(), strict=True)),
        simplified=result.simplified,
        samples=tuple(certificate.samples),
        bound=np.array(certificate.bound).reshape(shape),
        measured=np.array(certificate.measured).reshape(shape),
        angle=np.array(certificate.angle).reshape(shape),
        certified=tuple(certificate.certified_predictions),
        replaced=tuple(_replacement(entry) for entry in certificate.replaced),
        error=certificate.expectations.error,
        holdout=certificate.holdout,
        heldout=tuple(int(i) for i in result.original.heldout),
        everywhere=None if claim is None else tuple((o.upper, o.rounding) for o in claim.outputs),
    )


def _replacement(entry: Any) -> Replacement:
    matrix = None if entry.matrix is None else np.array(entry.matrix) @ np.array([1, 1j])
    return Replacement(
        entry.site, tuple(sorted(entry.qubits)), matrix, entry.distance, entry.tolerance, entry.largest_angle
    )


def verify(outcome: Outcome) -> None:
    """Raises where a claim does not hold, to qprune's own verifier."""
    qprune.verify(outcome.result.original, outcome.result)


COLUMNS = {"label", "probability", "split"}  # of inputs.csv, besides those of the inputs


def saved(outcome: Outcome, folder: Path) -> bool:
    """Whether a result was saved; only an input parameter with the name of a column may be refused, in these words."""
    return _saved(outcome.result.original, lambda: qprune.save(outcome.result, folder, drawings=False))


def saved_task(task: Any, folder: Path) -> bool:
    """Whether a bundle was written, likewise."""
    return _saved(task, lambda: task.save(folder))


def _saved(task: Any, save: Callable[[], Any]) -> bool:
    taken = COLUMNS & {p.name for p in task.input_params}
    try:
        save()
    except qprune.BundleError as error:
        if not taken or "give that input parameter another name" not in str(error):
            raise
        return False
    return True


def load(folder: Path) -> Outcome:
    return outcome_of(qprune.load(folder))


def load_and_verify(folder: Path) -> None:
    """What `qprune verify FOLDER` does."""
    result = qprune.load(folder)
    qprune.verify(result.original, result)


def pickled(outcome: Outcome) -> Outcome:
    return outcome_of(pickle.loads(pickle.dumps(outcome.result)))


def certificate_text(outcome: Outcome) -> str:
    """The certificate, without the list of files that it gets when it is written."""
    return replace(outcome.result.certificate, files={}).to_json()


def original_of(outcome: Outcome) -> tuple[QuantumCircuit, dict[str, float]]:
    """The original's circuit and weights as the result holds them."""
    task = outcome.result.original
    return task.circuit, dict(zip((p.name for p in task.weight_params), task.weights.tolist(), strict=True))


def forged(outcome: Outcome, changes: dict[str, Any]) -> Outcome:
    """The outcome with other claims: rows, samples, fields of the hold-out, the error and the simulator."""
    certificate, made = outcome.result.certificate, dict(changes)
    for name in ("bound", "measured", "angle"):
        if name in made:
            made[name] = tuple(map(tuple, made[name].tolist()))
    if "holdout" in made:
        made["holdout"] = replace(certificate.holdout, **made["holdout"])
    if "error" in made:
        made["expectations"] = replace(certificate.expectations, error=made.pop("error"))
    if "simulator" in made:
        named = {**certificate.options["simulator"], "name": made.pop("simulator")}
        made["options"] = {**certificate.options, "simulator": named}
    return replace(outcome, result=replace(outcome.result, certificate=replace(certificate, **made)))


def is_informative(what: str) -> bool:
    """Whether a file of a saved result, or a field of it, is for people and nothing rests on it."""
    return what.startswith(INFORMATIVE)


LIMITS = {  # and the arguments of each, for those that are none
    "Threshold": ("tolerance", "aggregate", "window"),
    "Proven": ("budget", "tolerance", "aggregate", "window"),
    "Measured": ("budget", "refit", "window"),
    "Accuracy": ("loss", "refit", "window"),
    "UnderNoise": ("device", "refit", "window"),
}


def prune_under(task: Any, limit: str, arguments: dict[str, Any], options: dict[str, Any]) -> None:
    """`prune` with arguments of a limit and options as given."""
    qprune.prune(task, getattr(qprune, limit)(**arguments), **options)


def load_task(folder: Path) -> Any:
    return qprune.Task.load(folder)


# -- other ways in -------------------------------------------------------------------------------------------------


def in_pass_manager(manager: Any, stage: str, task: Any, request: Request) -> tuple[QuantumCircuit, Any] | None:
    """Run a staged pass manager on the task's circuit with pruning at the end of a stage.

    None where a circuit on a register named like the device's may be read in two ways, and is refused in these words.
    """
    step = PassManager([PruneGates(task, limit_of(request), **settings_of(request))])
    before = getattr(manager, stage)
    setattr(manager, stage, step if before is None else before + step)
    try:
        circuit = manager.run(task.circuit)
    except qprune.TaskError as error:
        if "cannot be told whether the layout" not in str(error):
            raise
        return None
    return circuit, manager.property_set


def check_certificate(circuit: QuantumCircuit, properties: Any) -> None:
    check(circuit, properties)


def from_network(network: Any, inputs: Any, weights: Any, extras: dict[str, Any]) -> Any:
    return from_qnn(network, inputs, weights, **extras)


def with_executor(request: Request, executor: Any) -> Request:
    return replace(request, others={**request.others, "executor": executor})


def front(task: Any, budgets: list[float]) -> list[Outcome]:
    return [outcome_of(result) for result in qprune.frontier(task, budgets=budgets, refit=False)]


def trade_off(outcome: Outcome) -> None:
    qprune.trade_off(outcome.result, points=3)


def flags_of(request: Request) -> list[str]:
    """The request as arguments of the command."""
    main = request.tolerance if request.limit == "threshold" else request.budget
    flags = [f"--{request.limit}", repr(main), "--window", str(request.window)] + ["--refit"] * request.refit
    if request.limit == "proven" and request.tolerance is not None:
        flags += ["--tolerance", repr(request.tolerance)]
    if isinstance(request.noise, tuple):
        flags += [word for pair in zip(_NOISE_FLAGS, request.noise, strict=True) for word in map(str, pair)]
    for name, value in request.others.items():
        flag = f"--{name.replace('_', '-')}"
        flags += [flag] if value is True else [flag, json.dumps(value) if isinstance(value, dict) else str(value)]
    return flags


def prune_qnode(node: Any, inputs: Any, weights: Any, request: Request) -> Any:
    return pennylane.prune(node, limit_of(request), inputs=inputs, weights=weights, **settings_of(request))


def load_qnode(folder: Path, node: Any) -> Any:
    return pennylane.load(folder, node)
