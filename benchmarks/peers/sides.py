"""Side by side: each tool by itself at the setting its users would take, timed against one plain pass."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import qasm3
from qiskit.circuit import Parameter

import qprune
from benchmarks.peers import field, tools
from benchmarks.peers.measure import Compiled, cx_count, deviation, gate_count, outputs, unitary_distance
from benchmarks.records import Row, ratio, timed
from benchmarks.scaling import plain_pass
from qprune import Limit, Measured, Proven

BUDGET = 0.05  # that qprune is given, and to which others are tuned where it says so
HALVINGS = 12  # of a threshold's exponent, or of a number of gates
SHORT, OFTEN = 2.0, 3  # seconds; what takes less is repeated
FISHER_SAMPLES, FISHER_THRESHOLD = 20, 1e-8
SLACK = 1e-9  # by which a measured deviation may exceed a stated bound: rounding of two simulators
SQULEARN = "QPRUNE_SQULEARN_PYTHON"  # environment variable: the interpreter of sQUlearn's environment


@dataclass(frozen=True)
class Outcome:
    """What a tool returned.

    Attributes:
        compiled: The circuit.
        bound: Its own bound on every output and sample, shape (R, M), or None.
        distance: Its own bound on the distance of the unitaries, or None.
        seconds: Its own time, where it ran elsewhere.
    """

    compiled: Compiled
    bound: NDArray[np.float64] | None = None
    distance: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Tool:
    """A tool at one setting.

    Attributes:
        name: As in the table.
        package: What must be installed.
        call: From a task to an outcome.
        remark: On trainable parameters.
    """

    name: str
    package: str
    call: Callable[[qprune.Task], Outcome]
    remark: str = ""


def run(tool: Tool, task: qprune.Task) -> Iterator[Row]:
    """One row: counts, deviation, the tool's bound held against it, and times over a plain pass."""
    plain_pass(task, 1)
    tool_times, plain_times, outcomes = [], [], []
    while not tool_times or (sum(tool_times) < SHORT and len(tool_times) < OFTEN):
        before = timed(lambda: plain_pass(task, 1))
        spent = timed(lambda: outcomes.append(tool.call(task)))
        tool_times.append(spent if outcomes[-1].seconds is None else outcomes[-1].seconds)
        plain_times.append((before + timed(lambda: plain_pass(task, 1))) / 2)
    outcome, whole = outcomes[-1], Compiled.unmoved(task.circuit)
    original, compiled = outputs(task, whole), outcome.compiled
    yield {
        "gates": [gate_count(task.circuit), gate_count(compiled.circuit)],
        "two_qubit_gates": [cx_count(task.circuit), cx_count(compiled.circuit)],
        "weights": [len(task.weights), compiled.free_weights(task)],
        "deviation": deviation(task, compiled, original),
        "over_plain": ratio(tool_times, plain_times),
        "repeat": len(tool_times),
        **_claim(task, outcome, whole, original),
    }


def _claim(task: qprune.Task, outcome: Outcome, whole: Compiled, original: NDArray[np.float64]) -> Row:
    if outcome.bound is not None:
        excess = np.abs(outputs(task, outcome.compiled) - original) - outcome.bound
        return {"stated": float(outcome.bound.max()), "held": bool(excess.max() <= SLACK)}
    if outcome.distance is not None:
        distance = unitary_distance(task, whole, outcome.compiled)
        return {"stated": outcome.distance, "held": distance <= outcome.distance + 1e-7, "distance": distance}
    return {"stated": None, "held": None}


# -- the tools --------------------------------------------------------------------------------------------------------


def _plain(function: Callable[..., Compiled], *arguments: Any) -> Callable[[qprune.Task], Outcome]:
    return lambda task: Outcome(function(task, tools.bound(task), *arguments))


def _o3_on_free_weights(task: qprune.Task) -> Outcome:
    return Outcome(tools.o3(task, Compiled.unmoved(task.circuit)))


def _cone_and_rie(task: qprune.Task, degree: float) -> Outcome:
    return Outcome(tools.identity_equivalents(task, tools.light_cone(task, tools.bound(task)), degree))


def _cone_and_rie_tuned(task: qprune.Task) -> Outcome:
    """The largest threshold whose deviation, measured after each try, is within the budget."""
    original = outputs(task, Compiled.unmoved(task.circuit))
    low, high, best = -14.0, 0.0, Compiled.unmoved(task.circuit)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        tried = _cone_and_rie(task, 1 - 10**middle).compiled
        if deviation(task, tried, original) <= BUDGET:
            low, best = middle, tried
        else:
            high = middle
    return Outcome(best)


def _in_order(order: Callable[[qprune.Task], list[int]]) -> Callable[[qprune.Task], Outcome]:
    """As many gates of an order as the budget on the measured deviation admits, by halving."""

    def call(task: qprune.Task) -> Outcome:
        original, gates = outputs(task, Compiled.unmoved(task.circuit)), order(task)
        low, high = 0, len(gates) + 1
        while high - low > 1:
            middle = (low + high) // 2
            if deviation(task, tools.without_gates(task, set(gates[:middle])), original) <= BUDGET:
                low = middle
            else:
                high = middle
        return Outcome(tools.without_gates(task, set(gates[:low])))

    return call


def _fisher(task: qprune.Task) -> Outcome:
    gone = tools.by_fisher_rank(task, samples=FISHER_SAMPLES, threshold=FISHER_THRESHOLD)
    return Outcome(tools.without_gates(task, tools.gates_of_weights(task, gone)))


def _squlearn(task: qprune.Task) -> Outcome:
    """In its own process and environment; what it deletes is deleted here as it would, features and all."""
    inputs = [Parameter(f"i{k}") for k in range(len(task.input_params))]
    weights = [Parameter(f"w{k}") for k in range(len(task.weight_params))]
    renamed = dict(zip((*task.input_params, *task.weight_params), (*inputs, *weights), strict=True))
    asked = {
        "qasm": qasm3.dumps(task.circuit.assign_parameters(renamed)),  # names that OpenQASM keeps as they are
        "inputs": [p.name for p in inputs],
        "weights": [p.name for p in weights],
        "seed": tools.SEED,
    }
    done = subprocess.run(
        [os.environ[SQULEARN], Path(__file__).with_name("squlearn_worker.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"sQUlearn: {done.stderr.strip().splitlines()[-1]}")
    answer = json.loads(done.stdout)
    smaller = tools.without_gates(task, tools.gates_of_weights(task, answer["gone"]))
    return Outcome(smaller, seconds=answer["seconds"])


def _bqskit(function: Callable[..., Compiled], epsilon: float) -> Callable[[qprune.Task], Outcome]:
    def call(task: qprune.Task) -> Outcome:
        stated: list[float] = []
        compiled = function(task, tools.bound(task), epsilon, stated)
        return Outcome(compiled, distance=sum(stated))

    return call


def _qprune(limit: Limit) -> Callable[[qprune.Task], Outcome]:
    def call(task: qprune.Task) -> Outcome:
        result = qprune.prune(task, limit)
        weights = result.task.named_weights
        return Outcome(Compiled.unmoved(result.circuit, weights), bound=np.array(result.certificate.bound))

    return call


REFITTED = f"qprune, verified, refit, {BUDGET}"
TOOLS: tuple[Tool, ...] = (
    Tool("Qiskit O3, approximation_degree 1", "qiskit", _plain(tools.o3)),
    Tool("Qiskit O3, approximation_degree 0.99", "qiskit", _plain(tools.o3, 0.99)),
    Tool("Qiskit O3, weights free", "qiskit", _o3_on_free_weights),
    Tool("LightCone + RIE 0.9999", "qiskit", lambda task: _cone_and_rie(task, 0.9999)),
    Tool("LightCone + RIE 0.999", "qiskit", lambda task: _cone_and_rie(task, 0.999)),
    Tool("LightCone + RIE 0.99", "qiskit", lambda task: _cone_and_rie(task, 0.99)),
    Tool(f"LightCone + RIE, tuned to {BUDGET}", "qiskit", _cone_and_rie_tuned),
    Tool("PennyLane compile", "pennylane", _plain(tools.pennylane), " (of a QNode: yes)"),
    Tool("pytket FullPeepholeOptimise", "pytket", _plain(tools.pytket)),
    Tool("BQSKit ScanningGateRemovalPass 1e-4", "bqskit", _bqskit(tools.bqskit_scanning, 1e-4)),
    Tool("BQSKit ScanningGateRemovalPass 1e-3", "bqskit", _bqskit(tools.bqskit_scanning, 1e-3)),
    Tool("BQSKit compile", "bqskit", _bqskit(tools.bqskit_compile, 1e-8)),
    Tool("sQUlearn automated_pruning", "squlearn", _squlearn),
    Tool("QFI rank", "qprune", _fisher),
    Tool(f"magnitude, tuned to {BUDGET}", "qprune", _in_order(tools.by_magnitude)),
    Tool(f"random, tuned to {BUDGET}", "qprune", _in_order(tools.at_random)),
    Tool(f"qprune, proven, {BUDGET}", "qprune", _qprune(Proven(BUDGET))),
    Tool(f"qprune, verified, {BUDGET}", "qprune", _qprune(Measured(BUDGET))),
    Tool(REFITTED, "qprune", _qprune(Measured(BUDGET, refit=True))),
)


def available(package: str) -> bool:
    """Whether a peer can run here: imported, or found where the variable for its own environment points."""
    variable = {"squlearn": SQULEARN, "wisq": field.WISQ}.get(package)
    return tools.installed(package) if variable is None else variable in os.environ
