"""Results as folders and pages: everything that writes or reads one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qprune._files import read_json, tidy, whole_folder, write_whole
from qprune.errors import BundleError, CertificateError, OptionError, QpruneError
from qprune.limits.frontier import Frontier
from qprune.report.front_page import front_page
from qprune.report.page import page
from qprune.report.plot import plot
from qprune.report.plots import drawing_library, save_drawings, save_figure
from qprune.results.hashes import circuit_hash, task_hash
from qprune.results.manifest import CERTIFICATE, check_manifest, digests, read_certificate, seal
from qprune.results.result import ACTIONS, PlanEntry, PruneResult, checked_result, told_of
from qprune.results.tradeoff import TradeOffPoint
from qprune.task.bundle import BUNDLE_FILES, CIRCUIT, read_circuit, read_circuit_file, read_task, write_task
from qprune.task.circuit_file import circuit_text, is_same_text
from qprune.task.task import Task
from qprune.task.unitary_part import unitary_part

FRONTIER = ("frontier.png", "frontier.html")
FOR_PEOPLE = ("report.txt", "before.png", "after.png", "report.html")  # nothing is read back from these
# Compared by what the circuits do: a gate may be written in other words when it was read.
CIRCUIT_FILES = ("flat.json", "simplified.json", CIRCUIT)
BESIDE = ("pennylane.json", "pennylane.npz")  # read by `qprune.pennylane.load`, which checks them

# Everything that `save` and `PrunedQNode.save` write, for `overwrite` replaces nothing else.
RESULT_FILES = {
    *("certificate.json", "plan.json", "flat.json", "simplified.json", "report.txt"),
    *("report.html", "before.png", "after.png", "pennylane.json", "pennylane.npz"),
    *(
        f"{part}{name}"
        for part in ("given", "original", "pruned")
        for name in ("", *(f"/{file}" for file in BUNDLE_FILES))
    ),
}


def report(
    result: PruneResult | Frontier,
    path: str | Path,
    *,
    tradeoff: Sequence[TradeOffPoint] = (),
    title: str | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write one self-contained HTML page: drawings, table, plots, certificate; of a front with a slider along it.

    Args:
        result: What `prune` returned; or what `frontier` returned, of which only the title can be given.
        path: The file; an earlier one is replaced.
        tradeoff: What `qprune.trade_off(result)` returned, for the curve of gates against error.
        title: Heading; default: the circuit's name.
        names: What parameters are called on the page, by name; default: by their own.

    Raises:
        BundleError: The file cannot be written.
        OptionError: It is neither, or something that only a result's page shows is given with a front.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "page.html"
        >>> report(result, path, title="mine")
        >>> "<h1>mine</h1>" in path.read_text(encoding="utf-8")
        True
    """
    if isinstance(result, Frontier):
        if tradeoff or names:
            raise OptionError("tradeoff and names go with one result, not with a front; give report(front[k], …)")
        write_whole(path, front_page(result, title=title))
    else:
        write_whole(path, page(checked_result(result), tradeoff=tradeoff, title=title, names=names))


def save(
    result: PruneResult,
    folder: str | Path,
    *,
    drawings: bool = True,
    overwrite: bool = False,
    tradeoff: Sequence[TradeOffPoint] = (),
) -> None:
    """Write everything `load` and `qprune verify` need, and drawings for people; all or nothing.

    Args:
        folder: Where to; made anew.
        drawings: Whether to write `before.png`, `after.png` and `report.html`.
        overwrite: Whether an earlier result in that folder may be replaced.
        tradeoff: As in `report`.

    Raises:
        BundleError: The folder exists (without `overwrite`, or with other things in it) or cannot be written, or a
            gate of a circuit cannot be stored.
        MissingExtraError: Drawings are wanted and the extra "report" is not installed.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "mine"
        >>> save(result, folder, drawings=False)
        >>> load(folder).certificate == result.certificate
        True
    """
    checked_result(result)
    if drawings:
        drawing_library()
    with whole_folder(folder, is_result, overwrite) as new:
        write_result(result, new, drawings=drawings, tradeoff=tradeoff)


def write_result(
    result: PruneResult,
    folder: Path,
    *,
    drawings: bool = True,
    tradeoff: Sequence[TradeOffPoint] = (),
    title: str | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write into an empty folder what `save` writes, and read it again.

    Raises:
        BundleError: A circuit cannot be stored, or what was read is not what was written.
        OSError: The folder cannot be written.
    """
    _write(result, folder)
    _compare(result, _read(folder))
    if drawings:
        save_drawings(result, folder)
        report(result, folder / "report.html", tradeoff=tradeoff, title=title, names=names)
    seal(folder, result.certificate)


def _write(result: PruneResult, folder: Path) -> None:
    """Everything that is read back, and the table."""
    for name, task in (("given", result.given), ("original", result.original), ("pruned", result.task)):
        if task is None:
            continue
        (folder / name).mkdir()
        write_task(task, folder / name)
    for name, circuit in (("flat", result.flat), ("simplified", result.simplified)):
        (folder / f"{name}.json").write_text(circuit_text(circuit), encoding="utf-8")
    plan = {"holdout": [result.original.holdout, result.original.seed], **told_of(result)}
    (folder / "plan.json").write_text(json.dumps(plan, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "report.txt").write_text(f"{result}\n", encoding="utf-8")
    seal(folder, result.certificate)


def _compare(written: PruneResult, read: PruneResult) -> None:
    """Raise BundleError unless two results are the same, circuits and tasks by their hashes."""
    here, there = _fingerprint(written), _fingerprint(read)
    different = [name for name in here if here[name] != there[name]]
    if different:
        raise BundleError(
            f"the result cannot be stored: its {different[0]} would not be read as it is; please report this circuit"
        )


def _fingerprint(result: PruneResult) -> dict[str, object]:
    circuits = {"flat": result.flat, "simplified": result.simplified}
    tasks = {"original": result.original, "pruned": result.task}
    tasks |= {} if result.given is None else {"given": result.given}
    return {
        **{f"circuit ({name})": circuit_hash(circuit) for name, circuit in circuits.items()},
        **{f"circuit ({name})": circuit_hash(task.circuit) for name, task in tasks.items()},
        **{f"task ({name})": task_hash(task) for name, task in tasks.items()},
        "certificate": result.certificate,
        "plan": result.plan,
        "accuracy": result.accuracy,
    }


def load(folder: str | Path) -> PruneResult:
    """Read what `save` wrote.

    Nothing is checked beyond form, and that what is read is what was saved: the rest is what `verify` is for.

    Raises:
        BundleError: A file is missing, unreadable or damaged.
        CertificateError: The certificate is damaged, or a file was changed, added or taken away after it was saved.
            The page, the pictures and report.txt may be made anew; `verify` will say that they are not those saved.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "mine"
        >>> save(result, folder, drawings=False)
        >>> load(folder).circuit.size()
        2
    """
    folder = Path(folder)
    if not os.path.exists(folder):
        tidy(folder.parent)  # may have been set aside by a process that died
    result = _read(folder)
    there = result.files or {}
    check_manifest(result.certificate.files, there, passed_over=FOR_PEOPLE)
    try:
        _check_agreement(result, there, folder)
    except (TypeError, ValueError, LookupError) as error:  # what the report makes of entries of another kind
        if isinstance(error, QpruneError):
            raise
        raise CertificateError(f"certificate is damaged: {error!r}") from error
    return result


def _read(folder: Path) -> PruneResult:
    certificate, files = read_certificate(folder), digests(folder)
    extra = read_json(folder / "plan.json")
    try:
        holdout, seed = extra["holdout"]
        plan = tuple(map(_plan_entry, extra["plan"]))
        accuracy = _accuracy(extra["accuracy"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BundleError(f"{folder / 'plan.json'} is damaged: {error!r}") from error
    original = _original(folder / "original", holdout, seed)
    given = None
    if os.path.exists(folder / "given"):
        given = Task.load(folder / "given", split=None, holdout=holdout, seed=seed)
    known = original.circuit.parameters
    return PruneResult(
        original=original,
        flat=read_circuit_file(folder / "flat.json", known),
        simplified=read_circuit_file(folder / "simplified.json", known),
        task=_pruned_task(original, folder / "pruned"),
        plan=plan,
        certificate=certificate,
        accuracy=accuracy,
        given=given,
        files=files,
    )


def _check_agreement(result: PruneResult, there: Mapping[str, str], folder: Path) -> None:
    """Write the result again: every file must say what it would say now, and no other may be there.

    What stands in several files, such as the inputs in both bundles, is read from one of them. So a forger who writes
    all hashes anew still has to make every file say the same, which is what `verify` recomputes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        _write(result, Path(scratch))
        here = digests(Path(scratch))
        for name in sorted({*here, *there} - {*FOR_PEOPLE, *BESIDE}):
            if name not in here or name not in there:
                raise CertificateError(f"file {name} is {'missing' if name in here else 'none that a result has'}")
            if here[name] != there[name] and not _is_same_circuit(Path(scratch) / name, folder / name):
                raise CertificateError(f"file {name} says something else than the result that it belongs to")


def _is_same_circuit(first: Path, second: Path) -> bool:
    """Whether two files hold one circuit: the order in which Qiskit prints a sum depends on the objects in memory."""
    if first.name not in CIRCUIT_FILES:
        return False
    return is_same_text(*(path.read_text(encoding="utf-8") for path in (first, second)))


def is_result(folder: Path) -> bool:
    """Whether a folder holds a saved result and nothing else."""
    if not os.path.isfile(folder / CERTIFICATE):
        return False
    inside = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return inside <= RESULT_FILES


def save_frontier(front: Frontier, folder: str | Path, *, overwrite: bool = False) -> None:
    """Write a Pareto front whole or not at all: its results as 00, 01, … from the largest on, a plot and a page.

    Args:
        front: What `qprune.frontier` returned.
        folder: Where to; made anew.
        overwrite: Whether an earlier front in that folder may be replaced.

    Raises:
        BundleError: As of `save`.
    """
    with whole_folder(folder, is_frontier, overwrite) as new:
        for k, result in enumerate(front):
            (new / f"{k:02d}").mkdir()
            write_result(result, new / f"{k:02d}")
        picture, slider = (new / name for name in FRONTIER)
        save_figure(plot(front), picture)
        links = [f"{k:02d}/report.html" for k in range(len(front))]
        slider.write_text(front_page(front, links=links), encoding="utf-8")


def is_frontier(folder: Path) -> bool:
    """Whether a folder holds a saved Pareto front and nothing else."""
    inside = list(folder.iterdir())
    return bool(inside) and all(path.name in FRONTIER or (path.name.isdecimal() and is_result(path)) for path in inside)


def _original(folder: Path, holdout: Any, seed: Any) -> Task:
    """The original's bundle; where gates were absorbed, its circuit may have lost inputs that its data still have."""
    arguments = read_task(folder, None, lost=True)
    circuit: QuantumCircuit = arguments["circuit"]
    whole = circuit.copy_empty_like()
    for name in arguments["input_params"]:
        if not circuit.has_parameter(name):
            whole.rz(Parameter(name), 0)
    if not whole.data:
        return Task(**arguments, holdout=holdout, seed=seed)
    arguments["circuit"] = whole.compose(circuit)
    return Task(**arguments, holdout=holdout, seed=seed).with_circuit(unitary_part(circuit)[0])


def _pruned_task(original: Task, folder: Path) -> Task:
    """The pruned bundle on the original's ensemble, whatever inputs and weights the smaller circuit has left."""
    circuit = unitary_part(read_circuit(folder, original.circuit.parameters))[0]
    description = read_json(folder / "task.json")
    try:
        weights = dict(zip(description["weight_params"], description["weights"], strict=True))
        return original.with_circuit(circuit, weights)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder / 'task.json'} does not fit its circuit: {error!r}") from error


def _accuracy(given: Any) -> tuple[float, float] | None:
    if given is None:
        return None
    before, after = map(_share, given)
    return before, after


def _share(number: Any) -> float:
    if not isinstance(number, int | float) or not 0 <= number <= 1:
        raise ValueError(f"an accuracy must be a number from 0 to 1, got {number!r}")
    return float(number)


def _plan_entry(entry: dict[str, Any]) -> PlanEntry:
    if entry["action"] not in ACTIONS:
        raise ValueError(f"an action must be one of {', '.join(ACTIONS)}, got {entry['action']!r}")
    return PlanEntry(**{**entry, "qubits": tuple(entry["qubits"]), "fixes": tuple(entry.get("fixes", ()))})
