"""What can be had for nothing: two-qubit gates that exact rewriting takes away, weights free, beside other exact tools.

Every tool gets the same circuit and must leave all outputs; how well it does is measured by `peers.measure`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import n_local
from qiskit.quantum_info import Clifford, SparsePauliOp
from qiskit.synthesis import synth_clifford_full

import qprune
from benchmarks.peers import circuits as peers
from benchmarks.peers import tools
from benchmarks.peers.measure import Compiled, cx_count, deviation
from benchmarks.records import Row, append, provenance, rows_of
from benchmarks.scaling import plain_pass
from qprune.exact.cx_networks import shorten_networks
from qprune.exact.pauli import in_pauli_form
from qprune.exact.pauli_form import pauli_form
from qprune.exact.simplify import output_sums, simplify
from qprune.gates.sites import Site, circuit_of, sites_of

NAME, SEED = "exact", 7
REFIT, REFIT_QUBITS = "refit at 1e-12", 4  # of an output's largest change; circuits with inputs, up to so many qubits
DENSE = 10  # qubits up to which outputs are compared
ENTANGLER_LAYERS, QAOA_LAYERS = 4, 2


@dataclass(frozen=True)
class Case:
    """One circuit: its group, its name, what makes its task, and whether refit is tried on it too."""

    group: str
    name: str
    make: Callable[[], qprune.Task]
    refitted: bool = False


def cases(*, quick: bool = False) -> Iterator[Case]:
    """All circuits, those of MQT Bench where it is installed; for a quick check one small entangler."""
    for n in (4,) if quick else (4, 6, 8):
        yield Case("entanglers", f"basic-entangler-{n}", lambda n=n: _weighted(basic_entangler(n), _first(n)))
    if quick:
        return
    for n in (4, 6):
        yield Case("entanglers", f"strongly-entangling-{n}", lambda n=n: _weighted(strongly_entangling(n), _first(n)))
        full = n_local(n, ["ry"], "cz", reps=3, entanglement="full")
        yield Case("entanglers", f"full-cz-{n}", lambda n=n, full=full: _weighted(full, _first(n)))
    for n in (6, 8):
        yield Case("QAOA", f"qaoa-{n}", lambda n=n: _weighted(*qaoa(n)))
    yield Case("UCCSD", "h2", lambda: _weighted(*uccsd(("H", "H"), 1.4, 2)))
    yield Case("UCCSD", "lih", lambda: _weighted(*uccsd(("Li", "H"), 3.0, 5)))
    for case in peers.cases():
        if tools.installed(case.package):
            yield Case(case.group, case.name, case.make, peers.has_inputs(case.name) and case.qubits <= REFIT_QUBITS)


def _weighted(circuit: QuantumCircuit, measured: object) -> qprune.Task:
    rng = np.random.default_rng(SEED)
    return qprune.Task(circuit, measured, weights=rng.uniform(-np.pi, np.pi, circuit.num_parameters))


def _first(n: int) -> str:
    return "I" * (n - 1) + "Z"


# -- circuits ---------------------------------------------------------------------------------------------------------


def basic_entangler(n: int) -> QuantumCircuit:
    """PennyLane's BasicEntanglerLayers: RX on every qubit, a ring of CX."""
    circuit, weights = QuantumCircuit(n), iter(ParameterVector("w", n * ENTANGLER_LAYERS))
    for _ in range(ENTANGLER_LAYERS):
        for q in range(n):
            circuit.rx(next(weights), q)
        for q in range(n):
            circuit.cx(q, (q + 1) % n)
    return circuit


def strongly_entangling(n: int, layers: int = 3) -> QuantumCircuit:
    """PennyLane's StronglyEntanglingLayers, each rotation in three; the ring's range grows with the layer."""
    circuit, weights = QuantumCircuit(n), iter(ParameterVector("w", 3 * n * layers))
    for layer in range(layers):
        for q in range(n):
            circuit.rz(next(weights), q)
            circuit.ry(next(weights), q)
            circuit.rz(next(weights), q)
        for q in range(n):
            circuit.cx(q, (q + layer % (n - 1) + 1) % n)
    return circuit


def qaoa(n: int) -> tuple[QuantumCircuit, SparsePauliOp]:
    """QAOA for the cut of a ring with its diameters, each edge a ladder of two CX, and its energy."""
    edges = sorted({tuple(sorted((q, p % n))) for q in range(n) for p in (q + 1, q + n // 2)})
    circuit, weights = QuantumCircuit(n), ParameterVector("w", 2 * QAOA_LAYERS)
    circuit.h(range(n))
    for layer in range(QAOA_LAYERS):
        for a, b in edges:
            circuit.cx(a, b)
            circuit.rz(weights[2 * layer], b)
            circuit.cx(a, b)
        for q in range(n):
            circuit.rx(weights[2 * layer + 1], q)
    return circuit, SparsePauliOp.from_sparse_list([("ZZ", list(edge), 1.0) for edge in edges], n)


def uccsd(atoms: tuple[str, str], distance: float, orbitals: int) -> tuple[QuantumCircuit, SparsePauliOp]:
    """UCCSD of a molecule with two active electrons, one Trotter step, every word a ladder of CX; and its energy.

    Args:
        atoms: Their symbols.
        distance: In units of Bohr's radius.
        orbitals: Active ones.
    """
    import pennylane as qml

    molecule = qml.qchem.Molecule(list(atoms), np.array([[0, 0, 0], [0, 0, distance]]))
    energy, n = qml.qchem.molecular_hamiltonian(molecule, active_electrons=2, active_orbitals=orbitals)
    terms = [
        ("".join(word.values()), list(word.keys()), float(np.real(c)))
        for word, c in qml.pauli.pauli_sentence(energy).items()
    ]
    excitations = [e for kind in qml.qchem.excitations(2, n) for e in kind]
    circuit, weights = QuantumCircuit(n), ParameterVector("w", len(excitations))
    circuit.x([0, 1])
    for excitation, weight in zip(excitations, weights, strict=True):
        half = len(excitation) // 2
        order = [*((q, "+") for q in reversed(excitation[half:])), *((q, "-") for q in reversed(excitation[:half]))]
        up = qml.fermi.FermiWord({(k, q): sign for k, (q, sign) in enumerate(order)})
        generator = qml.fermi.jordan_wigner(up, ps=True) - qml.fermi.jordan_wigner(up.adjoint(), ps=True)
        generator.simplify()
        for word, c in generator.items():
            _ladder(circuit, sorted((int(q), p) for q, p in word.items()), float((2j * c).real) * weight)
    return circuit, SparsePauliOp.from_sparse_list(terms, n)


def _ladder(circuit: QuantumCircuit, word: list[tuple[int, str]], angle: object) -> None:
    inner = QuantumCircuit(circuit.num_qubits)
    for q, letter in word:
        if letter != "Z":
            getattr(inner, {"X": "h", "Y": "sx"}[letter])(q)
    for (a, _), (b, _) in pairwise(word):
        inner.cx(a, b)
    circuit.compose(inner, inplace=True)
    circuit.rz(angle, word[-1][0])
    circuit.compose(inner.inverse(), inplace=True)


# -- tools ------------------------------------------------------------------------------------------------------------


def _without_pauli_form(task: qprune.Task) -> tuple[Site, ...]:
    sites, _ = simplify(task, sites_of(task))
    return shorten_networks(task, sites)[0]


def _ours(couplings: str | None, *, absorb: bool = False) -> Callable[[qprune.Task], Compiled]:
    def call(task: qprune.Task) -> Compiled:
        if absorb:
            absorbed = qprune.absorb(task, couplings=couplings).task
            return replace(Compiled.unmoved(absorbed.circuit), observables=absorbed.observables)
        sites = _without_pauli_form(task)
        if couplings is not None:
            sites, _ = in_pauli_form(task, sites, None, couplings)
        return replace(Compiled.unmoved(circuit_of(task, sites)), observables=task.observables)

    return call


def rustiq(task: qprune.Task) -> Compiled:
    """Rustiq's network of all words, its last Clifford gate included, and then the Clifford gates of the circuit."""
    form = pauli_form(task, sites_of(task), output_sums(task))
    words = [("".join(p for _, p in s.word), [q for q, _ in s.word], s.coordinate) for s in form.rotations]
    from qiskit.synthesis import synth_pauli_network_rustiq  # of Qiskit 2.4

    circuit = synth_pauli_network_rustiq(task.num_qubits, words, upto_phase=True, resynth_clifford_method=1)
    return Compiled.unmoved(circuit.compose(synth_clifford_full(Clifford(form.frame))))


def pauli_simp(task: qprune.Task) -> Compiled:
    """pytket's PauliSimp."""
    from pytket.circuit import OpType
    from pytket.extensions.qiskit import qiskit_to_tk, tk_to_qiskit
    from pytket.passes import AutoRebase, PauliSimp, SequencePass

    tket = qiskit_to_tk(tools.bound(task).circuit)
    SequencePass([PauliSimp(), AutoRebase({OpType.CX, OpType.Rz, OpType.Ry, OpType.Rx})]).apply(tket)
    ends = {q.index[0]: r.index[0] for q, r in tket.implicit_qubit_permutation().items()}
    circuit = QuantumCircuit(task.num_qubits)
    circuit.compose(tk_to_qiskit(tket, perm_warning=False), qubits=range(task.num_qubits), inplace=True)
    return Compiled(circuit, tuple(ends[q] for q in range(task.num_qubits)))


def _refit(task: qprune.Task) -> Compiled:
    """Not exact, but so near that only rounding tells: what goes when weights may become other ones."""
    result = qprune.prune(task, qprune.Measured(1e-12 * task.largest_change, refit=True))
    return Compiled.unmoved(result.circuit, result.task.named_weights)


TOOLS: dict[str, tuple[str, Callable[[qprune.Task], Compiled]]] = {
    "Qiskit O3, weights free": ("qiskit", lambda task: tools.o3(task, Compiled.unmoved(task.circuit))),
    "Rustiq": ("qiskit", rustiq),
    "pytket PauliSimp": ("pytket", pauli_simp),
    "qprune, no Pauli form": ("qprune", _ours(None)),
    "qprune": ("qprune", _ours("circuit")),
    "qprune, any couplings": ("qprune", _ours("any")),
    "qprune, absorbed": ("qprune", _ours("circuit", absorb=True)),
    "qprune, absorbed, any couplings": ("qprune", _ours("any", absorb=True)),
}


def run(out: Path, *, quick: bool) -> None:
    """Append one row for each tool and circuit that the file does not hold yet."""
    there = {tuple(row["config"].values()) for row in rows_of(out)}
    for case in cases(quick=quick):
        offered = {**TOOLS, REFIT: ("qprune", _refit)} if case.refitted else TOOLS
        wanted = [name for name in offered if (case.group, case.name, name) not in there]
        if not wanted:
            continue
        task = case.make()
        plain_pass(task, 1)
        for name in wanted:
            row = {"benchmark": NAME, "config": {"group": case.group, "circuit": case.name, "tool": name}}
            append(out, {**row, **provenance(SEED), **_measured(task, *offered[name])})


def _measured(task: qprune.Task, package: str, call: Callable[[qprune.Task], Compiled]) -> Row:
    if package not in ("qprune", "qiskit") and not tools.installed(package):
        return {"status": f"not run: {package} is not installed"}
    try:
        start = time.process_time()
        compiled = call(task)
        spent = time.process_time() - start
    except Exception as error:  # a peer may fail in any way; the row says so
        return {"status": f"not run: {type(error).__name__}: {str(error)[:120]}"}
    start = time.process_time()
    plain_pass(task, 1)
    plain = time.process_time() - start
    return {
        "status": "done",
        "two_qubit_gates": [cx_count(task.circuit), cx_count(compiled.circuit)],
        "weights": [len(task.weights), compiled.free_weights(task)],
        "deviation": deviation(task, compiled) if task.num_qubits <= DENSE else None,
        "over_plain": spent / plain,
        "seconds": spent,
    }


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def tables(rows: Sequence[Row]) -> tuple[float, Table, Table, Table, Table]:
    """The largest deviation; CX left by group, over groups on all of which a tool ended; by circuit; times; refit."""
    names = [name for name in TOOLS if any(row["config"]["tool"] == name for row in rows)]
    found = {(r["config"]["group"], r["config"]["circuit"], r["config"]["tool"]): r for r in rows}
    circuits = list(dict.fromkeys(key[:2] for key in found))
    each = [(*c, *_cells([found.get((*c, name)) for name in names])) for c in circuits]
    groups = [*dict.fromkeys(group for group, _ in circuits), "all"]
    sums = [_sum(group, names, [c for c in circuits if group in ("all", c[0])], found) for group in groups]
    exact = [row for row in rows if row["status"] == "done" and row["config"]["tool"] != REFIT]
    deviations = [row["deviation"] or 0.0 for row in exact]
    return (
        max(deviations, default=0.0),
        (("group", "circuits", "CX", *names), sums),
        (("group", "circuit", "CX", *names), each),
        (("time / plain pass", "median", "largest"), [_times(name, rows) for name in names]),
        _beside_refit(found),
    )


def _beside_refit(found: dict) -> Table:
    """On circuits on which refit was tried: CX and weights left by it, and by rewriting with and without absorption."""
    rewritten = ("qprune, any couplings", "qprune, absorbed, any couplings")
    lines = []
    for (group, circuit, name), row in found.items():
        if name == REFIT and row["status"] == "done":
            cells = [_left(found.get((group, circuit, other))) for other in rewritten]
            before = str(row["two_qubit_gates"][0])
            lines.append((circuit, before, *cells, _left(row), f"{row['deviation']:.2g}", f"{row['seconds']:.3g}"))
    return ("circuit", "CX", *rewritten, REFIT, "deviation", "seconds"), lines


def _cells(rows: Sequence[Row | None]) -> list[str]:
    before = next((str(r["two_qubit_gates"][0]) for r in rows if r and r["status"] == "done"), "")
    return [before, *map(_left, rows)]


def _left(row: Row | None) -> str:
    if row is None or row["status"] != "done":
        return "" if row is None else "–"
    before, after = row["weights"]
    return f"{row['two_qubit_gates'][1]}" + (f" ({after} of {before} weights)" if after not in (0, before) else "")


def _sum(group: str, names: list[str], circuits: list[tuple[str, str]], found: dict) -> tuple[str, ...]:
    cells = []
    for name in names:
        done = [r for c in circuits if (r := found.get((*c, name))) and r["status"] == "done"]
        before, after = (sum(r["two_qubit_gates"][k] for r in done) for k in (0, 1))
        cells.append(
            f"{after} ({100 * (before - after) / max(before, 1):.0f} %)" if len(done) == len(circuits) else "–"
        )
    starts = [_cells([found.get((*c, name)) for name in names])[0] for c in circuits]
    return (group, str(len(circuits)), str(sum(map(int, filter(None, starts)))), *cells)


def _times(name: str, rows: Sequence[Row]) -> tuple[str, str, str]:
    spent = [r["over_plain"] for r in rows if r["config"]["tool"] == name and r["status"] == "done"]
    return name, f"{np.median(spent):.3g}" if spent else "", f"{max(spent):.3g}" if spent else ""
