"""Results as folders and pages: everything that writes or reads one."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qprune.errors import BundleError, CertificateError
from qprune.report.page import page, write_page
from qprune.report.plots import drawing_library, save_drawings
from qprune.results.manifest import CERTIFICATE, check_manifest, digests, read_certificate, seal
from qprune.results.result import PlanEntry, PruneResult, told_of
from qprune.results.tradeoff import TradeOffPoint
from qprune.task.bundle import read_circuit, read_json, read_qpy, write_qpy
from qprune.task.task import Task
from qprune.task.unitary_part import unitary_part

FOR_PEOPLE = ("report.txt", "before.png", "after.png", "report.html")  # nothing is read back from these
BESIDE = ("pennylane.json", "pennylane.npz")  # read by `qprune.pennylane.load`, which checks them
CIRCUITS = ".qpy"  # compared by what the circuits do: their bytes depend on the version of Qiskit


def report(
    result: PruneResult, path: str | Path, *, tradeoff: Sequence[TradeOffPoint] = (), title: str | None = None
) -> None:
    """Write one self-contained HTML page: drawings, table, plots, certificate.

    Args:
        path: The file; an earlier one is replaced.
        tradeoff: What `qprune.trade_off(result)` returned, for the curve of gates against error.
        title: Heading; default: the circuit's name.

    Raises:
        BundleError: The file cannot be written.
    """
    write_page(page(result, tradeoff=tradeoff, title=title), path)


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
        BundleError: The folder exists (without `overwrite`, or with other things in it) or cannot be written.
        MissingExtraError: Drawings are wanted and the extra "report" is not installed.
    """
    folder = Path(folder)
    if drawings:
        drawing_library()
    check_output_folder(folder, overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BundleError(f"cannot write to {folder.parent}: {error.strerror or error}") from error
    try:
        write_result(result, scratch, drawings=drawings, tradeoff=tradeoff)
        scratch.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    except OSError as error:
        raise BundleError(f"cannot write to {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_result(
    result: PruneResult, folder: Path, *, drawings: bool = True, tradeoff: Sequence[TradeOffPoint] = ()
) -> None:
    """Write into an empty folder what `save` writes."""
    result.original.save(folder / "original")
    result.task.save(folder / "pruned")
    for name, circuit in (("flat", result.flat), ("simplified", result.simplified)):
        write_qpy(circuit, folder / f"{name}.qpy")
    plan = {"holdout": [result.original.holdout, result.original.seed], **told_of(result)}
    (folder / "plan.json").write_text(json.dumps(plan, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "report.txt").write_text(f"{result}\n", encoding="utf-8")
    if drawings:
        save_drawings(result, folder)
        report(result, folder / "report.html", tradeoff=tradeoff)
    seal(folder, result.certificate)


def load(folder: str | Path) -> PruneResult:
    """Read what `save` wrote.

    Nothing is checked beyond form, and that what is read is what was saved: the rest is what `verify` is for.

    Raises:
        BundleError: A file is missing or unreadable.
        CertificateError: The certificate is damaged, or a file was changed, added or taken away after it was saved.
            The page, the pictures and report.txt may be made anew; `verify` will say that they are not those saved.
    """
    folder = Path(folder)
    certificate, files = read_certificate(folder), digests(folder)
    check_manifest(certificate.files, files, passed_over=FOR_PEOPLE)
    extra = read_json(folder / "plan.json")
    try:
        holdout, seed = extra["holdout"]
        plan = tuple(_plan_entry(entry) for entry in extra["plan"])
        accuracy = None
        if extra["accuracy"] is not None:
            before, after = extra["accuracy"]
            accuracy = before, after
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder / 'plan.json'} is damaged: {error!r}") from error
    original = Task.load(folder / "original", split=None, holdout=holdout, seed=seed)
    result = PruneResult(
        original=original,
        flat=read_qpy(folder / "flat.qpy"),
        simplified=read_qpy(folder / "simplified.qpy"),
        task=_pruned_task(original, folder / "pruned"),
        plan=plan,
        certificate=certificate,
        accuracy=accuracy,
        files=files,
    )
    _check_agreement(result, files)
    return result


def _check_agreement(result: PruneResult, there: Mapping[str, str]) -> None:
    """Write the result again: every file must say what it would say now, and no other may be there.

    What stands in several files, such as the inputs in both bundles, is read from one of them. So a forger who writes
    all hashes anew still has to make every file say the same, which is what `verify` recomputes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        write_result(result, Path(scratch), drawings=False)
        here = digests(Path(scratch))
    for name in sorted({*here, *there} - {*FOR_PEOPLE, *BESIDE}):
        if name not in here or name not in there:
            raise CertificateError(f"file {name} is {'missing' if name in here else 'none that a result has'}")
        if not name.endswith(CIRCUITS) and here[name] != there[name]:
            raise CertificateError(f"file {name} says something else than the result that it belongs to")


def check_output_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that cannot be made, or that a result must not replace, before any long work."""
    if not folder.exists():
        above = next(parent for parent in folder.absolute().parents if parent.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise BundleError(f"cannot write to {folder}: {above} is no folder with leave to write; give another")
        return
    if not folder.is_dir():
        raise BundleError(f"{folder} is a file; give a folder")
    if any(folder.iterdir()):
        if not (folder / CERTIFICATE).is_file():
            raise BundleError(f"{folder} holds something else than a qprune result; give a new folder")
        if not overwrite:
            raise BundleError(f"{folder} already holds a result; give a new folder, or --force / overwrite=True")


def _pruned_task(original: Task, folder: Path) -> Task:
    """The pruned bundle on the original's ensemble, whatever inputs and weights the smaller circuit has left."""
    description, circuit = read_json(folder / "task.json"), unitary_part(read_circuit(folder))[0]
    try:
        weights = dict(zip(description["weight_params"], description["weights"], strict=True))
        return original.with_circuit(circuit, weights)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder / 'task.json'} does not fit its circuit: {error!r}") from error


def _plan_entry(entry: dict[str, Any]) -> PlanEntry:
    return PlanEntry(**{**entry, "qubits": tuple(entry["qubits"]), "fixes": tuple(entry.get("fixes", ()))})
