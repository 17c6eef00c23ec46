"""What refit costs: the Jacobian beside other tools' on the same circuits, searches beside another checkout's.

Every row is a measurement in a process of its own with one thread; a file that holds a configuration already is left
as it is, so that a run can be cut short and resumed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.records import ROOT, Row, append, commit_of, provenance, rows_of

NETWORKS = ("iris-4q", "cancer-4q", "wine-6q", "digits-6q", "digits4-8q", "digits-10q")
SEEDS = range(5)
BUDGET = 0.05
OVER_PLAIN = 150  # times a plain pass of the ensemble that a search may take, an aim
NAME, OURS, OTHER = "refit", "qprune", "other checkout"
SIDES = (OURS, OTHER, "lightning", "jax")

_LOAD = """
import json, sys, time
from importlib.metadata import version
import numpy as np
import qprune
task = qprune.Task.load(sys.argv[1])
def versions(*names):
    return {name: version(name) for name in ("qiskit", "qiskit-aer", "numpy", "scipy", *names)}
"""

# Works in checkouts before and after limits became objects.
_SEARCH = (
    _LOAD
    + """
seed, budget = int(sys.argv[2]), float(sys.argv[3])
if hasattr(qprune, "Measured"):
    def search(budget):
        return qprune.prune(task, qprune.Measured(budget, refit=True), seed=seed)
else:
    def search(budget):
        return qprune.prune(task, budget=budget, certify="verified", refit=True, seed=seed)
small = qprune.Task.load(sys.argv[4])
task, kept = small, task
search(0.5)  # what the first use compiles or loads
task = kept
begun, wall = time.process_time(), time.perf_counter()
result = search(budget)
seconds, wall = time.process_time() - begun, time.perf_counter() - wall
gates = [item for item in result.circuit.data]
print(json.dumps({
    "processor_seconds": seconds, "seconds": wall, "gates": len(gates),
    "two_qubit_gates": sum(len(item.qubits) > 1 for item in gates),
    "measured": float(result.certificate.largest_measured), "versions": versions(),
}))
"""
)

_TIMED = """
run()
times = []
for _ in range(int(sys.argv[2])):
    begun = time.process_time()
    run()
    times.append(time.process_time() - begun)
print(json.dumps({
    "processor_seconds": sorted(times), "samples": len(task.selected), "qubits": task.num_qubits,
    "weights": len(task.weights), "versions": versions(*LIBRARIES),
}))
"""

_JACOBIAN = (
    _LOAD
    + """
LIBRARIES = ()
try:
    from qprune.gates.sites import sites_of
    from qprune.simulators.engine import Network
    network = Network(task, sites_of(task))
except ImportError:
    from qprune.adjoint import AdjointNetwork
    from qprune.gates import sites_of
    network = AdjointNetwork(task, sites_of(task), task.selected)
def run():
    network.jacobian(task.weights)
"""
    + _TIMED
)

# By the clock, in turns, so that whatever else goes on slows all alike. Two processes that share nothing but the
# machine say what a second processor of it can add.
_THREADS = (
    _LOAD
    + """
import os
from qprune.gates.sites import sites_of
from qprune.simulators.engine import Network
networks = [Network(task, sites_of(task), threads=threads) for threads in (1, 2)]
count = 1
def run(network):
    for _ in range(count):
        network.jacobian(task.weights)
def run_twice_at_once():
    child = os.fork()
    run(networks[0])
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
def timed(call, *given):
    begun = time.perf_counter()
    call(*given)
    return time.perf_counter() - begun
for network in networks:
    run(network)
count = 1 + int(0.3 / timed(run, networks[0]))  # a process more is not made in no time
seconds = [[], [], []]
for _ in range(2 * int(sys.argv[2])):
    for taken, given in zip(seconds, [(run, networks[0]), (run, networks[1]), (run_twice_at_once,)]):
        taken.append(timed(*given))
print(json.dumps({"seconds": seconds, "samples": len(task.selected), "versions": versions()}))
"""
)

_QNODE = (
    _LOAD
    + """
import pennylane as qml
import sympy
NAMES = {"rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "cx": qml.CNOT, "cz": qml.CZ, "h": qml.Hadamard,
    "p": qml.PhaseShift, "rzz": qml.IsingZZ}
where = {p: ("w", j) for j, p in enumerate(task.weight_params)} | {p: ("x", j) for j, p in enumerate(task.input_params)}
gates = []
for item in task.circuit.data:
    wires = [task.circuit.find_bit(q).index for q in item.qubits]
    angles = []
    for angle in item.operation.params:
        names = list(getattr(angle, "parameters", ()))
        formula = angle.sympify() if names else sympy.Float(float(angle))
        entries = {symbol.name: symbol for symbol in formula.free_symbols}
        function = sympy.lambdify([entries.get(p.name, sympy.Dummy()) for p in names], formula, "math", dummify=True)
        angles.append((function, [where[p] for p in names]))
    gates.append((NAMES[item.operation.name], wires, angles))
def words(observable):
    terms = [
        (c.real, [(q, l) for q, l in enumerate(reversed(label)) if l != "I"]) for label, c in observable.to_list()
    ]
    factors = {"X": qml.X, "Y": qml.Y, "Z": qml.Z}
    products = [(c, qml.prod(*(factors[l](q) for q, l in word)) if word else qml.I(0)) for c, word in terms]
    return qml.sum(*(qml.s_prod(c, factor) for c, factor in products))
observables = [words(o) for o in task.observables]
def circuit(x, w):
    given = {"x": x, "w": w}
    for gate, wires, angles in gates:
        gate(*(function(*(given[kind][j] for kind, j in places)) for function, places in angles), wires=wires)
    return [qml.expval(o) for o in observables]
rows = task.inputs[task.selected]
"""
)

_LIGHTNING = (
    _QNODE
    + """
LIBRARIES = "pennylane", "pennylane-lightning"
from pennylane import numpy as pnp
node = qml.QNode(circuit, qml.device("lightning.qubit", wires=task.num_qubits), diff_method="adjoint")
slope = qml.jacobian(lambda w, x: pnp.stack(node(x, w)), argnums=0)
weights = pnp.array(task.weights, requires_grad=True)
def run():
    for row in rows:
        slope(weights, pnp.array(row, requires_grad=False))
"""
    + _TIMED
)

_JAX = (
    _QNODE
    + """
LIBRARIES = "pennylane", "jax"
import jax
jax.config.update("jax_enable_x64", True)
node = qml.QNode(circuit, qml.device("default.qubit", wires=task.num_qubits), interface="jax", diff_method="backprop")
slope = jax.jit(jax.vmap(jax.jacrev(lambda w, x: jax.numpy.stack(node(x, w))), in_axes=(None, 0)))
def run():
    slope(task.weights, rows).block_until_ready()
"""
    + _TIMED
)


def run(
    out: Path,
    *,
    quick: bool = False,
    again: bool = False,
    networks: Sequence[str] = (),
    seeds: Sequence[int] = (),
    sides: Sequence[str] = (),
    against: Path | None = None,
    python: str = sys.executable,
    step: Callable[[str], None] = print,
) -> None:
    """Measure what the file does not hold yet, one row after the other.

    Args:
        out: File to which rows are added.
        quick: One small network and seed, to see that it works.
        again: Measure anew what the file holds.
        networks: Bundles; default all.
        seeds: Seeds of the searches; default five.
        sides: Of `SIDES`; default all.
        against: Another checkout, whose searches and Jacobian are measured too.
        python: The interpreter for it.
        step: Told what is being measured.
    """
    chosen = networks or (NETWORKS[:1] if quick else NETWORKS)
    known = [] if again else [json.dumps(row["config"], sort_keys=True) for row in rows_of(out)]
    for config, code, arguments, checkout, interpreter in _work(chosen, seeds or SEEDS, quick, against, python):
        if json.dumps(config, sort_keys=True) in known or (sides and config["side"] not in sides):
            continue
        step(", ".join(map(str, config.values())))
        found = _measured(code, arguments, checkout, interpreter)
        where = provenance(config.get("seed", 0))
        if checkout != ROOT:
            where["commit"] = commit_of(checkout)
        where["versions"] |= found.pop("versions", {})
        append(out, {"benchmark": NAME, "config": config, **found, **where})


def _work(
    networks: Sequence[str], seeds: Sequence[int], quick: bool, against: Path | None, python: str
) -> Iterator[tuple[Row, str, list[str], Path, str]]:
    sides = {OURS: (ROOT, sys.executable)}
    if against is not None:
        sides[OTHER] = (against.resolve(), python)
    repeats = "3" if quick else "7"
    for name in networks:
        folder = str(ROOT / "circuits" / name)
        jacobians = [(side, _JACOBIAN, *place) for side, place in sides.items()]
        jacobians += [(side, code, *sides[OURS]) for side, code in (("lightning", _LIGHTNING), ("jax", _JAX))]
        for side, code, checkout, interpreter in jacobians:
            yield {"what": "jacobian", "network": name, "side": side}, code, [folder, repeats], checkout, interpreter
        yield {"what": "threads", "network": name, "side": OURS}, _THREADS, [folder, repeats], *sides[OURS]
        for seed in list(seeds)[:1] if quick else seeds:
            for side, place in sides.items():
                config = {"what": "search", "network": name, "budget": BUDGET, "seed": seed, "side": side}
                small = str(ROOT / "circuits" / "planted-5q")
                yield config, _SEARCH, [folder, str(seed), str(BUDGET), small], *place


def _measured(code: str, arguments: Sequence[str], checkout: Path, python: str) -> Row:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code, *arguments],
        cwd=checkout,
        env=os.environ | threads | {"PYTHONPATH": str(checkout), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else str(done.returncode)}
    return json.loads(done.stdout.strip().splitlines()[-1])
