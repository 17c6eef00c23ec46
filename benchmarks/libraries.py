"""What qprune does itself although a library does something near: both on the same work, in the same process.

Each row answers one question of docs/design.md, "Why not a library". Times are processor time, medians of alternated
repetitions; counts are means over seeds.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import Clifford
from qiskit.synthesis import synth_cnot_count_full_pmh
from scipy.optimize import least_squares

import qprune
from benchmarks.peers.circuits import ansatz
from benchmarks.records import Row, Spread, append, provenance
from qprune.exact.cx_networks import with_shorter_runs
from qprune.gates.sites import sites_of
from qprune.limits.refit import fit
from qprune.noise.devices import TargetDevice
from qprune.noise.layout import Router, two_qubit_weights
from qprune.noise.models import resolve
from qprune.selection.strategies import Evidence, Proposal, Shapley, Strategy
from qprune.simulators.engine import Network
from qprune.simulators.matrix_product import MatrixProductState

NAME = "libraries"
REPEAT = 5
NETWORKS = ("iris-4q", "cancer-4q", "wine-6q", "digits-6q")
DEVICES = ("FakeManilaV2", "FakeLagosV2", "FakeTorino")
STEPS, GAIN = 60, 1e-4  # of a fit: most steps, least fall of the sum of squares by one, as a share of it


def run(out: Path, *, quick: bool = False, parts: Sequence[str] = ()) -> None:
    """Measure all parts, those named, or the smallest of each; rows are appended to a file.

    Raises:
        SystemExit: There was nothing to measure: every part asked for needs a library that is not installed.
    """
    measured = False
    for name in parts or PARTS:
        library = NEEDED.get(name)
        if library and find_spec(library) is None:
            print(f"{name}: not measured, {library} is not installed: pip install {library}", file=sys.stderr)
            continue
        for row in PARTS[name](quick):
            append(out, {"benchmark": NAME, **row, **provenance(0)})
            print(f"{row['config']['part']:14} {row['config']['case']}", flush=True)
            measured = True
    if not measured:
        raise SystemExit("nothing was measured, and no rows were added")


def _row(part: str, case: str, **found: Any) -> Row:
    return {"config": {"part": part, "case": case}, **found}


def _pair(first: Callable[[], Any], second: Callable[[], Any], repeat: int = REPEAT) -> dict[str, float]:
    """Medians of processor seconds, alternated, after one run of each."""
    first(), second()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat):
        for call, into in zip((first, second), times, strict=True):
            begun = time.process_time()
            call()
            into.append(time.process_time() - begun)
    return {"ours": Spread.of(times[0]).median, "library": Spread.of(times[1]).median}


# -- start ---------------------------------------------------------------------------------------------------------


def _start(repeat: int) -> Row:
    """`import qprune` beside `import qiskit`, fresh processes whose bytecode is on disk."""

    def seconds(name: str) -> float:
        code = f"import time; a = time.process_time(); import {name}; print(time.process_time() - a)"
        clean = {"PYTHONDONTWRITEBYTECODE": ""}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_env(clean))
        return float(done.stdout)

    times = {name: Spread.of([seconds(name) for _ in range(repeat)]).median for name in ("qprune", "qiskit")}
    return _row("start", "import", seconds={"ours": times["qprune"], "library": times["qiskit"]}, library="qiskit")


def _env(changes: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **changes}


# -- exact networks of CX ------------------------------------------------------------------------------------------


def _cx_networks(qubits: int, seeds: int) -> Row:
    """Random runs of CX between all pairs; Qiskit's synthesis may use any pair, ours those that occur."""
    rng = np.random.default_rng(qubits)
    counts: dict[str, list[int]] = {"given": [], "ours": [], "library": []}
    runs = [_random_run(rng, qubits, 3 * qubits) for _ in range(seeds)]
    tasks = [qprune.Task(circuit, "Z" * qubits) for circuit in runs]
    sites = [sites_of(task) for task in tasks]
    for circuit, task, gates in zip(runs, tasks, sites, strict=True):
        counts["given"].append(circuit.size())
        counts["ours"].append(len(with_shorter_runs(task, gates)[0]))
        counts["library"].append(_pmh(circuit))
    seconds = _pair(
        lambda: [with_shorter_runs(t, s) for t, s in zip(tasks, sites, strict=True)],
        lambda: [_pmh(circuit) for circuit in runs],
        repeat=1,
    )
    means = {name: float(np.mean(found)) for name, found in counts.items()}
    return _row("CX networks", f"{qubits} qubits", cost=means, seconds=seconds, library="synth_cnot_count_full_pmh")


def _random_run(rng: np.random.Generator, qubits: int, length: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    for _ in range(length):
        circuit.cx(*(int(q) for q in rng.permutation(qubits)[:2]))
    return circuit


def _pmh(circuit: QuantumCircuit) -> int:
    """Fewest CX over all sizes of a section."""
    matrix = Clifford(circuit).destab_x.T
    return min(synth_cnot_count_full_pmh(matrix, size).size() for size in range(1, circuit.num_qubits + 1))


# -- layout --------------------------------------------------------------------------------------------------------


def _layout(name: str, qubits: int, seeds: int) -> Row:
    """A strongly entangling ansatz, compiled by Qiskit at level 3 from our layout and from its own search."""
    backend = resolve(name)
    circuit = QuantumCircuit(qubits)
    for layer in range(3):
        for q in range(qubits):
            circuit.ry(0.3 + q + layer, q)
        for q in range(qubits):
            circuit.cx(q, (q + 1 + layer % (qubits - 1)) % qubits)
    weights = two_qubit_weights(circuit)
    device = TargetDevice(backend.target, name)

    def compiled(layout: Any) -> list[QuantumCircuit]:
        return [
            transpile(circuit, backend, optimization_level=3, initial_layout=layout, seed_transpiler=s)
            for s in range(seeds)
        ]

    ours = list(Router(device).best_layout(weights))
    costs = {
        "ours": float(np.mean([_loss(c, backend) for c in compiled(ours)])),
        "library": float(np.mean([_loss(c, backend) for c in compiled(None)])),
    }
    seconds = _pair(lambda: Router(device).best_layout(weights), lambda: compiled(None)[0])
    return _row("layout", f"{name}, {qubits} qubits", cost=costs, seconds=seconds, library="transpile, level 3")


def _loss(circuit: QuantumCircuit, backend: Any) -> float:
    """−Σ log(1 − error) of every two-qubit gate, by the backend's own properties."""
    total = 0.0
    for item in circuit.data:
        if len(item.qubits) == 2 and item.operation.name in backend.target:
            where = tuple(circuit.find_bit(q).index for q in item.qubits)
            total -= math.log1p(-(backend.target[item.operation.name][where].error or 0.0))
    return total


# -- least squares -------------------------------------------------------------------------------------------------


def _fits(name: str) -> Iterator[Row]:
    """Every fifth movable gate goes, in three ways; the rest is fitted from the original's weights.

    Both use the same Jacobians, as many steps and the same least gain of a step. Costs are geometric means, for each
    search ends in whichever minimum it meets.
    """
    problems = [_Problem(name, first) for first in range(3)]
    for method in ("trf", "lm"):
        if method == "lm" and any(problem.target.size < len(problem.free) for problem in problems):
            continue
        costs = {
            "ours": float(np.exp(np.mean([np.log(problem.ours()) for problem in problems]))),
            "library": float(np.exp(np.mean([np.log(problem.by(method)) for problem in problems]))),
        }
        seconds = _pair(
            lambda: [problem.ours() for problem in problems],
            lambda method=method: [problem.by(method) for problem in problems],
            repeat=3,
        )
        yield _row("least squares", f"{name}, {method}", cost=costs, seconds=seconds, library="scipy.least_squares")


class _Problem:
    """One network with gates missing, to be fitted to the whole one's outputs; both ways give the root mean square."""

    def __init__(self, name: str, first: int) -> None:
        task = qprune.load_network(name)
        sites = sites_of(task)
        gone = [k for k, site in enumerate(sites) if site.role == "trainable"][first::5]
        self.network = Network(task, tuple(site for k, site in enumerate(sites) if k not in gone))
        self.target = Network(task, sites).values(task.weights)
        self.start, self.free = np.array(task.weights), self.network.free

    def ours(self) -> float:
        return math.sqrt(fit(self.network, self.start, self.target, steps=STEPS, gain=GAIN)[1] / self.target.size)

    def by(self, method: str) -> float:
        found = least_squares(
            lambda x: (self.network.values(self._moved(x)) - self.target).ravel(),
            self.start[self.free],
            jac=lambda x: self.network.jacobian(self._moved(x))[1].reshape(self.target.size, len(self.free)),
            method=method,
            max_nfev=STEPS,
            ftol=GAIN,
        )
        return math.sqrt(2 * found.cost / self.target.size)

    def _moved(self, x: np.ndarray) -> np.ndarray:
        full = self.start.copy()
        full[self.free] = x
        return full


# -- matrix product states -----------------------------------------------------------------------------------------


def _chain(qubits: int, layers: int) -> Row:
    """RX and RZZ along a chain, ⟨Z⟩ of every fifth qubit; both keep every Schmidt coefficient above rounding."""
    import quimb.tensor as qtn

    rng = np.random.default_rng(0)
    angles = rng.normal(scale=0.3, size=(layers, 2, qubits))
    rzz = [[_rzz(a) for a in layer[1]] for layer in angles]
    rx = [[_rx(a) for a in layer[0]] for layer in angles]

    def ours() -> list[float]:
        state = MatrixProductState(qubits)
        for layer in range(layers):
            for q in range(qubits):
                state.apply(rx[layer][q], q)
            for q in range(qubits - 1):
                state.apply(rzz[layer][q], q)
        return [state.mean(((q, "Z"),)) for q in range(0, qubits, 5)]

    def library() -> list[float]:
        circuit = qtn.CircuitMPS(qubits, cutoff=1e-13)
        for layer in range(layers):
            for q in range(qubits):
                circuit.apply_gate_raw(rx[layer][q], (q,))
            for q in range(qubits - 1):
                circuit.apply_gate_raw(rzz[layer][q], (q, q + 1))
        z = np.diag([1.0, -1.0])
        return [float(np.real(circuit.local_expectation(z, q))) for q in range(0, qubits, 5)]

    difference = float(np.abs(np.array(ours()) - np.array(library())).max())
    return _row("chain", f"{qubits} qubits", difference=difference, seconds=_pair(ours, library, 3), library="quimb")


# -- Shapley values ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shown(Strategy):
    """Keeps what a strategy is shown, and proposes nothing."""

    evidence: list[Evidence] = field(default_factory=list)
    name: ClassVar[str] = "shown"

    def propose(self, evidence: Evidence) -> Proposal:
        self.evidence.append(evidence)
        return Proposal()


def _shapley(qubits: int, seeds: int) -> Iterator[Row]:
    """Of gates of a small ansatz, by as many calls of the oracle as `Shapley` makes; against all sets of gates."""
    import shapiq

    shown = _Shown()
    qprune.prune(ansatz("real-amplitudes", qubits, data=True, seed=(7, 0)), qprune.Measured(0.1), strategy=shown)
    evidence = shown.evidence[0]
    count = len(evidence.candidates)
    sets = np.array(list(product((False, True), repeat=count)))
    deviations = np.array([evidence.deviation(np.flatnonzero(~kept).tolist()) for kept in sets]) / evidence.scale
    places = 2 ** np.arange(count)[::-1]

    def worth(kept: np.ndarray) -> np.ndarray:
        return -deviations[np.atleast_2d(kept).astype(bool) @ places]

    sizes = sets.sum(axis=1)
    shares = np.array([1 / (count * math.comb(count - 1, size)) if size < count else 0.0 for size in sizes])
    exact = np.empty(count)
    for k in range(count):
        without = np.flatnonzero(~sets[:, k])
        exact[k] = shares[without] @ (deviations[without] - deviations[without + places[k]])
    calls = Shapley().samples * (count + 1)

    def ours(seed: int) -> np.ndarray:
        return Shapley().estimate(replace(evidence, rng=np.random.default_rng(seed)))[0]

    def library(estimator: str, seed: int) -> np.ndarray:
        found = getattr(shapiq, estimator)(count, random_state=seed).approximate(calls, worth)
        return found.get_n_order_values(1)

    def error(estimate: Callable[[int], np.ndarray]) -> float:
        found = [np.abs(estimate(seed) - exact).mean() for seed in range(seeds)]
        return float(np.mean(found) / np.abs(exact).mean())

    for estimator in ("PermutationSamplingSV", "KernelSHAP", "SVARM"):
        theirs = partial(library, estimator)
        costs = {"ours": error(ours), "library": error(theirs)}
        seconds = _pair(lambda: ours(0), lambda theirs=theirs: theirs(0))
        case = f"{count} gates, {calls} calls, {estimator}"
        yield _row("Shapley values", case, cost=costs, seconds=seconds, library="shapiq")


def _rx(angle: float) -> np.ndarray:
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    return np.array([[c, -1j * s], [-1j * s, c]])


def _rzz(angle: float) -> np.ndarray:
    return np.diag(np.exp(-0.5j * angle * np.array([1, -1, -1, 1])))


# -- all of them -----------------------------------------------------------------------------------------------------

PARTS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "start": lambda quick: iter([_start(3 if quick else 7)]),
    "CX networks": lambda quick: (_cx_networks(n, 5 if quick else 30) for n in ((4,) if quick else (4, 5, 6, 8))),
    "layout": lambda quick: (_layout(d, 4, 2 if quick else 10) for d in (DEVICES[:1] if quick else DEVICES)),
    "least squares": lambda quick: (row for n in (NETWORKS[:1] if quick else NETWORKS) for row in _fits(n)),
    "chain": lambda quick: iter([] if quick else [_chain(40, 4)]),
    "Shapley values": lambda quick: _shapley(2 if quick else 3, 2 if quick else 10),
}
"""What is measured, by name: rows from whether the smallest is asked for."""
NEEDED = {"chain": "quimb", "Shapley values": "shapiq"}  # libraries in no extra, by part


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        "# Beside libraries",
        "",
        "Made by `python -m benchmarks tables`. *Cost* is CX gates (CX networks), −Σ log(1 − error) of compiled",
        "two-qubit gates (layout), the root mean square of what is left (least squares), the mean error over the mean",
        "size (Shapley values, against all sets of gates; the library's time is without simulations); less is better.",
        "",
        "| part | case | library | cost: ours | library's | time: ours | library's |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cost = row.get("cost", {})
        costs = [f"{cost[side]:.3g}" if side in cost else "" for side in ("ours", "library")]
        times = [f"{1000 * row['seconds'][side]:.3g} ms" for side in ("ours", "library")]
        lines.append(
            f"| {row['config']['part']} | {row['config']['case']} | {row['library']} | {' | '.join((*costs, *times))} |"
        )
    return "\n".join([*lines, ""])
