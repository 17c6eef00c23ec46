"""What people look at: the table, the drawings.

matplotlib is imported where it is used, so that `import qprune` stays light.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate

from qprune.errors import BundleError

if TYPE_CHECKING:
    from qprune.result import PruneResult
    from qprune.task import Task

REMOVED, REPLACED, EXACT = "#c0392b", "#d68910", "#909497"  # colours of the drawing of the original
DPI = 120
FOLD = 40  # columns of a drawing before it is folded


def table(result: PruneResult) -> str:
    """Before/after table with the proven bound beside the measured deviation."""
    certificate = result.certificate
    circuits = (result.flat, result.simplified, result.circuit)
    rows: list[tuple[str, ...]] = [("", "original", "exact", "pruned")]
    rows += [
        ("gates", *(str(c.size()) for c in circuits)),
        ("two-qubit gates", *(str(two_qubit_gates(c)) for c in circuits)),
        ("depth", *(str(c.depth()) for c in circuits)),
        ("trainable weights", *(str(_weights_left(result.original, c)) for c in circuits)),
    ]
    if result.accuracy is not None:
        before, after = result.accuracy
        rows.append(("accuracy", f"{before:.4f}", f"{before:.4f}", f"{after:.4f}"))
    widths = [max(len(row[j]) for row in rows) for j in range(4)]
    lines = [
        "  ".join(c.ljust(w) if j == 0 else c.rjust(w) for j, (c, w) in enumerate(zip(r, widths, strict=True)))
        for r in rows
    ]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join([*lines, "", *_claims(result), *_holdout(result)]) if certificate else "\n".join(lines)


def _claims(result: PruneResult) -> list[str]:
    certificate = result.certificate
    unit = "total variation" if certificate.outputs == ("probabilities",) else "deviation of an observable"
    lines = [
        f"{len(certificate.replaced)} gates replaced approximately, "
        f"{sum(r.by == 'identity' for r in certificate.replaced)} of them removed; all other changes are exact",
        f"largest {unit} over {len(certificate.samples)} samples",
        f"  proven (T2)  {certificate.largest_bound:.6g}",
        f"  measured     {certificate.largest_measured:.6g}"
        + ("" if certificate.tightness is None else f"   ({100 * certificate.tightness:.1f} % of the bound)"),
    ]
    predictions = [row for row in certificate.certified_predictions if row is not None]
    if predictions and certificate.samples:
        kept = int(np.all(predictions, axis=0).sum())
        lines.append(f"  predictions that provably cannot flip (T4): {kept} of {len(certificate.samples)}")
    return lines


def _holdout(result: PruneResult) -> list[str]:
    claim = result.certificate.holdout
    if claim is None:
        return []
    lines = [
        f"hold-out: {claim.samples} samples that selection never saw; each claim at confidence {1 - claim.delta:.0%}",
        f"  measured     mean {claim.mean:.6g}, largest {claim.largest:.6g}",
        f"  unseen inputs (T5): expected deviation ≤ {claim.expected_upper:.6g}",
    ]
    if claim.flip_rate_upper is not None:
        lines.append(f"  {claim.flips} predictions flipped; flip rate on unseen inputs ≤ {claim.flip_rate_upper:.4g}")
    return lines


def _weights_left(task: Task, circuit: QuantumCircuit) -> int:
    return sum(circuit.has_parameter(p) for p in task.weight_params)


def two_qubit_gates(circuit: QuantumCircuit) -> int:
    """Number of gates on two or more qubits."""
    return int(circuit.num_nonlocal_gates())


def draw(result: PruneResult) -> tuple[Any, Any]:
    """matplotlib figures of the circuit before (removed gates coloured) and after."""
    return _figure(_marked(result)), _figure(result.circuit)


def save_drawings(result: PruneResult, folder: Path) -> None:
    """Write `before.png` and `after.png`.

    Raises:
        BundleError: The folder cannot be written.
    """
    from matplotlib import pyplot

    for name, figure in zip(("before.png", "after.png"), draw(result), strict=True):
        try:
            figure.savefig(folder / name, dpi=DPI, bbox_inches="tight")
        except OSError as error:
            raise BundleError(f"cannot write {folder / name}: {error.strerror or error}") from error
        finally:
            pyplot.close(figure)


def _figure(circuit: QuantumCircuit) -> Any:
    style = {
        "displaycolor": {
            "removed": (REMOVED, "#ffffff"),
            "replaced": (REPLACED, "#ffffff"),
            "exact": (EXACT, "#ffffff"),
        }
    }
    return circuit.draw("mpl", style=style, fold=FOLD, idle_wires=True)


def _marked(result: PruneResult) -> QuantumCircuit:
    """The original with the gates that went renamed, because the drawer colours by name."""
    marked = result.flat.copy_empty_like()
    kinds = {"remove": "removed", "replace": "replaced", "simplify": "exact"}
    for item, entry in zip(result.flat.data, result.plan, strict=True):
        operation = item.operation
        if entry.action in kinds:
            operation = Gate(kinds[entry.action], operation.num_qubits, [], label=operation.name)
        marked.append(operation, item.qubits)
    return marked
