"""The result of pruning: the smaller circuit, the plan that made it and the certificate."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit

from qprune.bundle import read_circuit, read_json, read_qpy, write_qpy
from qprune.certificate import Certificate
from qprune.errors import BundleError
from qprune.hashes import circuit_hash, record_hash, task_hash
from qprune.html import page, write_page
from qprune.manifest import CERTIFICATE, FOR_PEOPLE, check_manifest, digests, read_certificate, seal
from qprune.report import TradeOffPoint, draw, plot, save_drawings, table
from qprune.task import FloatArray, Task
from qprune.unitary import unitary_part


@dataclass(frozen=True)
class PlanEntry:
    """What happened to one gate of the original circuit (after decomposition of composite gates).

    Attributes:
        index: Place in the original.
        gate: Name.
        qubits: Qubits in the gate's own order.
        role: "encoding", "trainable" or "fixed".
        action: "keep", "remove" or "replace" (approximate, under the bound), or "simplify" (exact).
        detail: The representative, or the exact simplification.
        subgroup: The class it was compared in, "" outside the catalogue.
        distance: d_q to the identity, or to the representative that replaced it; None where it was not compared.
        angle: Largest undeformed angle θ over the samples, radians; likewise.
        tolerance: ε_k, or None in budget mode.
        distance_low: Lower limit of d_q where it was measured; `distance` is then the upper limit.
        fixes: Weights that moved the gate and are numbers in what resynthesis put in its place.
    """

    index: int
    gate: str
    qubits: tuple[int, ...]
    role: str
    action: str
    detail: str
    subgroup: str
    distance: float | None
    angle: float | None
    tolerance: float | None
    distance_low: float | None = None
    fixes: tuple[str, ...] = ()

    @property
    def distance_text(self) -> str:
        """d_q for people; an interval where it was measured."""
        if self.distance is None:
            return ""
        return f"{self.distance:.3g}" if self.distance_low is None else f"{self.distance_low:.3g} … {self.distance:.3g}"


@dataclass(frozen=True, eq=False)
class PruneResult:
    """What `prune` returns.

    Attributes:
        original: The task that was pruned.
        flat: Its circuit with composite gates decomposed: what `plan` counts.
        simplified: The circuit after exact simplification only.
        task: The pruned network as a task: same ensemble, observables and split.
        plan: One entry per gate of `flat`.
        certificate: What is proven and measured.
        accuracy: Accuracy before and after on the task's labels, None without labels.
        files: Of a result that was read: SHA-256 of every file of its folder by path, but for the certificate's own.
    """

    original: Task
    flat: QuantumCircuit
    simplified: QuantumCircuit
    task: Task
    plan: tuple[PlanEntry, ...]
    certificate: Certificate
    accuracy: tuple[float, float] | None
    files: Mapping[str, str] | None = None

    @property
    def circuit(self) -> QuantumCircuit:
        """The pruned circuit; surviving weights and inputs are free Parameters."""
        return self.task.circuit

    @property
    def weights(self) -> FloatArray:
        """Values of the surviving weights, in the order of `task.weight_params`."""
        return self.task.weights

    @property
    def weight_map(self) -> tuple[int | None, ...]:
        """For each weight of the original its index among the surviving ones, or None."""
        place = {p: j for j, p in enumerate(self.task.weight_params)}
        return tuple(place.get(p) for p in self.original.weight_params)

    @property
    def fixed_weights(self) -> tuple[str, ...]:
        """Names of the weights that became numbers by resynthesis and move no gate any more."""
        fixed = {name for entry in self.plan for name in entry.fixes} - {p.name for p in self.task.weight_params}
        return tuple(p.name for p in self.original.weight_params if p.name in fixed)

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        return (
            f"PruneResult({self.flat.size()} → {self.circuit.size()} gates, "
            f"bound {self.certificate.largest_bound:.4g}, measured {self.certificate.largest_measured:.4g})"
        )

    def draw(self) -> tuple[Any, Any]:
        """matplotlib figures of the circuit before, with the gates that went coloured, and after."""
        return draw(self)

    def plot(self, ax: Any = None) -> Any:
        """Plot the measured deviation of every sample below its proven bound.

        Args:
            ax: matplotlib Axes; by default those of a new figure.

        Returns:
            The Axes.
        """
        return plot(self, ax)

    def report(self, path: str | Path, *, tradeoff: Sequence[TradeOffPoint] = (), title: str | None = None) -> None:
        """Write one self-contained HTML page: drawings, table, plots, certificate.

        Args:
            path: The file; an earlier one is replaced.
            tradeoff: What `qprune.trade_off(result)` returned, for the curve of gates against error.
            title: Heading; default: the circuit's name.

        Raises:
            BundleError: The file cannot be written.
        """
        write_page(page(self, tradeoff=tradeoff, title=title), path)

    def save(
        self,
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
            self._write(scratch, drawings, tradeoff)
            scratch.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(scratch, folder)
        except OSError as error:
            raise BundleError(f"cannot write to {folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _write(self, folder: Path, drawings: bool, tradeoff: Sequence[TradeOffPoint]) -> None:
        self.original.save(folder / "original")
        self.task.save(folder / "pruned")
        for name, circuit in (("flat", self.flat), ("simplified", self.simplified)):
            write_qpy(circuit, folder / f"{name}.qpy")
        plan = {"holdout": [self.original.holdout, self.original.seed], **_told(self)}
        (folder / "plan.json").write_text(json.dumps(plan, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / "report.txt").write_text(f"{self}\n", encoding="utf-8")
        if drawings:
            save_drawings(self, folder)
            self.report(folder / "report.html", tradeoff=tradeoff)
        seal(folder, self.certificate)

    @classmethod
    def load(cls, folder: str | Path) -> PruneResult:
        """Read what `save` wrote.

        Nothing is checked beyond form, and that what is read is what was saved: the rest is what `verify` is for.

        Raises:
            BundleError: A file is missing or unreadable.
            CertificateError: The certificate is damaged, or a file was changed, added or taken away after it was saved;
                files for people alone, such as report.html, may be, and `verify` will say so.
        """
        folder = Path(folder)
        certificate, files = read_certificate(folder), digests(folder)
        check_manifest(certificate.files, files, passed_over=FOR_PEOPLE)
        extra = read_json(folder / "plan.json")
        try:
            holdout, seed = extra["holdout"]
            plan = tuple(_plan_entry(entry) for entry in extra["plan"])
            accuracy = None if extra["accuracy"] is None else (extra["accuracy"][0], extra["accuracy"][1])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{folder / 'plan.json'} is damaged: {error!r}") from error
        original = Task.load(folder / "original", split=None, holdout=holdout, seed=seed)
        return cls(
            original=original,
            flat=read_qpy(folder / "flat.qpy"),
            simplified=read_qpy(folder / "simplified.qpy"),
            task=_pruned_task(original, folder / "pruned"),
            plan=plan,
            certificate=certificate,
            accuracy=accuracy,
            files=files,
        )


def recorded(result: PruneResult) -> PruneResult:
    """The result with the hashes of its records in the certificate."""
    return replace(result, certificate=replace(result.certificate, records=records_of(result)))


def records_of(result: PruneResult) -> dict[str, str]:
    """SHA-256 of what a result holds besides what the certificate says, by name (`Certificate.records`)."""
    told = {name: record_hash(record) for name, record in _told(result).items()}
    return {**told, "flat": circuit_hash(result.flat), "pruned": task_hash(result.task)}


def _told(result: PruneResult) -> dict[str, Any]:
    return {"accuracy": result.accuracy, "plan": [asdict(entry) for entry in result.plan]}


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


def plan_actions(plan: Sequence[PlanEntry]) -> dict[str, int]:
    """How many gates each action took."""
    counts = dict.fromkeys(("keep", "remove", "replace", "simplify"), 0)
    for entry in plan:
        counts[entry.action] += 1
    return counts
