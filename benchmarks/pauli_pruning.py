"""Pruning in Pauli form beside pruning gates: two-qubit gates left under the same limit, trained weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from qiskit.quantum_info import Statevector
from scipy.optimize import minimize

import qprune
from benchmarks.exact import uccsd
from benchmarks.records import ROOT, Row, append, markdown, provenance, rows_of, timed
from qprune import Measured, Proven

NAME, SEED = "pauli_pruning", 7
SHARE = 0.05  # of an output's largest change: the budget
LIMITS = {"proven": Proven, "measured": Measured}
FORMS: dict[str, dict[str, str]] = {
    "gates": {},
    "gates, then any couplings": {"couplings": "any"},
    "Pauli form, any couplings": {"couplings": "any", "form": "pauli"},
}


def h2_uccsd() -> qprune.Task:
    """UCCSD of H2 at the weights of least energy, from no excitation on."""
    circuit, energy = uccsd(("H", "H"), 1.4, 2)

    def mean(weights: np.ndarray) -> float:
        return float(Statevector(circuit.assign_parameters(weights)).expectation_value(energy).real)

    found = minimize(mean, np.zeros(circuit.num_parameters), method="BFGS")
    return qprune.Task(circuit, energy, weights=found.x)


def circuits(*, quick: bool = False) -> Iterator[tuple[str, Callable[[], qprune.Task]]]:
    """Names and what makes the tasks."""
    yield "h2-uccsd", h2_uccsd
    names = sorted(path.parent.name for path in (ROOT / "circuits").glob("*/task.json"))
    for name in [] if quick else names:
        if name != "planted-5q":
            yield name, lambda name=name: qprune.load_network(name)


def run(out: Path, *, quick: bool) -> None:
    """Append one row for each circuit, limit and form that the file does not hold yet."""
    there = {tuple(row["config"].values()) for row in rows_of(out)}
    for limit in ("proven",) if quick else LIMITS:
        for name, make in circuits(quick=quick):
            wanted = [form for form in FORMS if (name, limit, form) not in there]
            task = make() if wanted else None
            for form in wanted:
                append(out, _row(task, name, limit, form))


def _row(task: qprune.Task, name: str, limit: str, form: str) -> Row:
    found: list[qprune.PruneResult] = []
    budget = SHARE * task.largest_change
    origin = provenance(SEED)
    seconds = timed(lambda: found.append(qprune.prune(task, LIMITS[limit](budget), progress=False, **FORMS[form])))
    (result,) = found
    qprune.verify(task, result)
    return {
        "benchmark": NAME,
        "config": {"circuit": name, "limit": limit, "form": form},
        "budget": budget,
        "two_qubit_gates": [c.num_nonlocal_gates() for c in (result.flat, result.circuit)],
        "gates": [c.size() for c in (result.flat, result.circuit)],
        "bound": result.certificate.largest_bound,
        "measured": result.certificate.largest_measured,
        "seconds": seconds,
        **origin,
    }


def table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Two-qubit gates, then all gates, left by circuit and limit; the fewest of both in bold."""
    found = {tuple(row["config"].values()): row for row in rows}
    lines = []
    for name, limit in dict.fromkeys(key[:2] for key in found):
        own = [found.get((name, limit, form)) for form in FORMS]
        sizes = [(row["two_qubit_gates"][1], row["gates"][1]) if row else None for row in own]
        best = min(size for size in sizes if size)
        cells = ["" if s is None else f"**{s[0]}, {s[1]}**" if s == best else f"{s[0]}, {s[1]}" for s in sizes]
        first = next(row for row in own if row)
        start = f"{first['two_qubit_gates'][0]}, {first['gates'][0]}"
        lines.append((name, limit, f"{first['budget']:.3g}", start, *cells))
    return ("circuit", "limit", "budget", "before", *FORMS), lines


def page(rows: Sequence[Row]) -> str:
    """The table as a file."""
    return "\n".join(
        [
            "# Pruning in Pauli form",
            "",
            "Made by `python -m benchmarks tables` from the rows beside it. Two-qubit gates and all gates left at a",
            f"budget of {SHARE:g} of an output's largest change, every result verified; fewest in bold.",
            "With `form='auto'` the cheaper of the last two is taken.",
            "",
            *markdown(*table(rows)),
            "",
        ]
    )
