"""The other ways in: Qiskit's pass manager, Qiskit Machine Learning's networks, the command, curves, executors."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import CouplingMap, generate_preset_pass_manager

from . import adapter, oracle, requests
from .cases import Tally
from .checks import PER_GATE, check_outcome, deviations, require, units_of
from .situation import Situation, draw_situation

TRANSPILED = ("rx", "ry", "rz", "cx", "cz", "crx", "h", "u", "rzz", "swap", "cp", "x", "s", "composite", "unitary on 2")


def _small(rng: np.random.Generator, tally: Tally, limit: str | None = None, **sizes: bool):
    situation = draw_situation(rng, most_qubits=3, most_gates=6, kinds=TRANSPILED, **sizes)
    request = requests.draw_request(rng, situation.scale, limit)
    tally.of(situation, request)
    return situation, request


def pass_manager(rng: np.random.Generator, tally: Tally) -> None:
    """`PruneGates` at a random stage on a device: what comes out keeps the bound of what it received."""
    situation, request = _small(rng, tally, huge=False)  # Qiskit's own passes round huge angles
    level, stage = int(rng.integers(2)), str(rng.choice(["init", "translation", "optimization", "post_routing"]))
    tally.tags = (*tally.tags, f"level {level}", stage)
    line = CouplingMap.from_line(situation.num_qubits + int(rng.integers(2)))
    manager = generate_preset_pass_manager(
        level, coupling_map=line, basis_gates=["rz", "sx", "x", "cx"], seed_transpiler=int(rng.integers(100))
    )
    task = adapter.make_task(situation.task_arguments())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if _loses(manager.run(task.circuit), situation):
            tally.tags = (*tally.tags, "Qiskit approximates")  # a unitary, up to a fidelity of 1 − 1e-9
            return
        found = adapter.in_pass_manager(manager, stage, task, request)
        if found is None:
            tally.tags = (*tally.tags, "layout refused")
            return
        circuit, properties = found
        adapter.check_certificate(circuit, properties)
    _check_compiled(situation, circuit, properties)


def _loses(compiled: QuantumCircuit, situation: Situation) -> bool:
    """Whether Qiskit alone, without `PruneGates`, changes outputs of the circuit by more than rounding."""
    slack = PER_GATE * (20 + 4 * compiled.size()) * units_of(situation)
    changes = [_change(compiled, situation, i, {}) for i in range(len(situation.inputs))]
    return bool(np.any(np.array(changes) > slack))


def _check_compiled(situation: Situation, circuit, properties) -> None:
    """The compiled circuit's outputs, read where the layout says, by the oracle."""
    outcome = adapter.outcome_of(properties["qprune_result"])
    slack = PER_GATE * (20 + 4 * circuit.size()) * units_of(situation)
    for column, sample in enumerate(outcome.samples):
        change = _change(circuit, situation, sample, outcome.weights)
        over = change - outcome.bound[:, column] - slack
        require(over.max() <= 0, "bound of the compiled circuit", f"{change} > {outcome.bound[:, column]}")


def _change(
    circuit: QuantumCircuit, situation: Situation, sample: int, weights: Mapping[str, float]
) -> NDArray[np.float64]:
    """How far the outputs of a circuit with a layout are from the situation's."""
    places = list(range(circuit.num_qubits)) if circuit.layout is None else circuit.layout.final_index_layout()
    order = places[: situation.num_qubits] + [q for q in range(circuit.num_qubits) if q not in places]
    point = situation.values(sample)
    state = oracle.run(circuit, point | weights)
    tensor = state.reshape((2,) * circuit.num_qubits)
    axes = [circuit.num_qubits - 1 - q for q in reversed(order)]
    moved = tensor.transpose(axes).reshape(-1, 2**situation.num_qubits)
    require(np.abs(moved[1:]).max(initial=0) < 1e-9, "ancillas stay |0⟩", f"{np.abs(moved[1:]).max(initial=0)}")
    return np.array(deviations(situation, situation.state(point), moved[0]))


def neural_network(rng: np.random.Generator, tally: Tally) -> None:
    """`from_qnn` on what looks like an EstimatorQNN or a SamplerQNN."""
    situation, request = _small(rng, tally)
    arguments = situation.task_arguments()
    circuit, weights = arguments["circuit"], arguments["weights"]
    network = SimpleNamespace(
        circuit=circuit, input_params=arguments["input_params"], weight_params=list(weights), interpret=None
    )
    if situation.observables is not None:
        given = arguments["observables"]
        network.observables = given if isinstance(given, list) else [given]
    extras = {name: arguments[name] for name in situation.extras}
    task = adapter.from_network(network, situation.inputs, list(weights.values()), extras)
    check_outcome(situation, request, adapter.prune(task, request), rng)


def executor(rng: np.random.Generator, tally: Tally) -> None:
    """On an executor's workers: the same to the last bit."""
    situation, request = _small(rng, tally)
    task = adapter.make_task(situation.task_arguments())
    alone = adapter.prune(task, request)
    with ThreadPoolExecutor(2) as pool:
        shared = adapter.prune(task, adapter.with_executor(request, pool))
    require(adapter.certificate_text(alone) == adapter.certificate_text(shared), "executor", "another certificate")


def curve(rng: np.random.Generator, tally: Tally) -> None:
    """The front and the curve of sizes against deviations: every point is within its limit."""
    situation, request = _small(rng, tally, "proven")
    task = adapter.make_task(situation.task_arguments())
    budgets = sorted(float(b) * situation.scale for b in rng.uniform(0, 1, 3))
    for outcome in adapter.front(task, budgets):
        check_outcome(situation, adapter.Request("measured"), outcome, rng)
        adapter.verify(outcome)
    adapter.trade_off(adapter.prune(task, request))


def command(rng: np.random.Generator, tally: Tally) -> None:
    """`qprune prune` a bundle, then `verify` and `show` it: exit status 0, and the result is sound."""
    situation, request = _small(rng, tally)
    with tempfile.TemporaryDirectory() as parent:
        bundle, out = Path(parent) / "bundle", Path(parent) / "out"
        if not adapter.saved_task(adapter.make_task(situation.task_arguments()), bundle):
            return
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            line = ["prune", str(bundle), "--tradeoff", "0", "--out", str(out), *adapter.flags_of(request)]
            require(adapter.command(line) == 0, "qprune prune", f"{line}: {said.getvalue()[-300:]}")
            for action in ("verify", "show"):
                require(adapter.command([action, str(out)]) == 0, f"qprune {action}", said.getvalue()[-300:])
        loaded = adapter.load(out)
    whole = {**situation.extras}
    whole.pop("holdout", None)  # a bundle holds no split
    check_outcome(_with_extras(situation, whole), request, loaded, rng)


def _with_extras(situation: Situation, extras) -> Situation:
    from dataclasses import replace

    return replace(situation, extras=extras)
