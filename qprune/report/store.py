"""Results as folders and pages: everything that writes or reads one."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qprune.errors import BundleError
from qprune.report.page import page, write_page
from qprune.report.plots import save_drawings
from qprune.results.certificate import Certificate
from qprune.results.result import PlanEntry, PruneResult
from qprune.results.tradeoff import TradeOffPoint
from qprune.task.bundle import read_circuit, read_json, read_qpy, write_qpy
from qprune.task.task import Task
from qprune.task.unitary_part import unitary_part


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
    """
    folder = Path(folder)
    check_output_folder(folder, overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BundleError(f"cannot write to {folder.parent}: {error.strerror or error}") from error
    try:
        _write(result, scratch, drawings, tradeoff)
        scratch.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    except OSError as error:
        raise BundleError(f"cannot write to {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write(result: PruneResult, folder: Path, drawings: bool, tradeoff: Sequence[TradeOffPoint]) -> None:
    result.original.save(folder / "original")
    result.task.save(folder / "pruned")
    for name, circuit in (("flat", result.flat), ("simplified", result.simplified)):
        write_qpy(circuit, folder / f"{name}.qpy")
    (folder / "certificate.json").write_text(result.certificate.to_json(), encoding="utf-8")
    plan = {
        "holdout": [result.original.holdout, result.original.seed],
        "accuracy": result.accuracy,
        "plan": [asdict(entry) for entry in result.plan],
    }
    (folder / "plan.json").write_text(json.dumps(plan, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "report.txt").write_text(f"{result}\n", encoding="utf-8")
    if drawings:
        save_drawings(result, folder)
        report(result, folder / "report.html", tradeoff=tradeoff)


def load(folder: str | Path) -> PruneResult:
    """Read what `save` wrote. Nothing is checked beyond form: that is what `verify` is for.

    Raises:
        BundleError: A file is missing or unreadable.
        CertificateError: The certificate is damaged.
    """
    folder = Path(folder)
    if not (folder / "certificate.json").is_file():
        raise BundleError(f"{folder} holds no certificate.json; give a folder that `qprune prune --out` wrote")
    try:
        text = (folder / "certificate.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"cannot read {folder / 'certificate.json'}: {error}") from error
    certificate = Certificate.from_json(text)
    extra = read_json(folder / "plan.json")
    try:
        holdout, seed = extra["holdout"]
        plan = tuple(_plan_entry(entry) for entry in extra["plan"])
        accuracy = None if extra["accuracy"] is None else (extra["accuracy"][0], extra["accuracy"][1])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder / 'plan.json'} is damaged: {error!r}") from error
    original = Task.load(folder / "original", split=None, holdout=holdout, seed=seed)
    return PruneResult(
        original=original,
        flat=read_qpy(folder / "flat.qpy"),
        simplified=read_qpy(folder / "simplified.qpy"),
        task=_pruned_task(original, folder / "pruned"),
        plan=plan,
        certificate=certificate,
        accuracy=accuracy,
    )


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
        if not (folder / "certificate.json").is_file():
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
