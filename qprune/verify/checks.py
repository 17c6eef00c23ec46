"""Claims held against what was found: the machinery of `verify`, and the table it prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import fill
from typing import Any, Protocol

import numpy as np
from qiskit import QuantumCircuit

from qprune._text import aligned, html_table
from qprune.errors import CertificateError, CertificateViolation
from qprune.results.certificate import Certificate
from qprune.results.result import PlanEntry
from qprune.task.task import Task


class Result(Protocol):
    """What `verify` reads of a result; `qprune.PruneResult` has it."""

    @property
    def certificate(self) -> Certificate: ...
    @property
    def simplified(self) -> QuantumCircuit: ...
    @property
    def flat(self) -> QuantumCircuit: ...
    @property
    def original(self) -> Task: ...
    @property
    def task(self) -> Task: ...
    @property
    def plan(self) -> Sequence[PlanEntry]: ...
    @property
    def accuracy(self) -> tuple[float, float] | None: ...
    @property
    def files(self) -> Mapping[str, str] | None: ...


@dataclass(frozen=True)
class Check:
    """One kind of claim, recomputed.

    Attributes:
        claim: What is claimed.
        how: How it was recomputed.
        kind: What `number` is: "difference", the largest |found − claimed|; "margin", the smallest room left below a
            claimed limit, negative by rounding at most; "" where there is nothing to compare.
        number: In the claim's own unit.
        slack: Rounding that was allowed for at that place.
        ok: Whether the claim holds; `verify` raises where it does not.
    """

    claim: str
    how: str
    kind: str = ""
    number: float = 0.0
    ok: bool = True
    slack: float = 0.0

    @property
    def result(self) -> str:
        """The number for people; a margin below zero is never shown without the rounding that excuses it."""
        if not self.kind:
            return "–"
        excused = f", rounding {self.slack:.1g}" if self.kind == "margin" and self.number < 0 else ""
        return f"{self.kind} {self.number:.2g}{excused}"


@dataclass(frozen=True)
class VerificationReport:
    """Every check that was made, in order; `print` shows a table.

    Attributes:
        checks: The checks.
        informative: What the certificate records besides, which no claim rests on and nothing was recomputed of.
    """

    checks: tuple[Check, ...]
    informative: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"VerificationReport({len(self.checks)} checks, every claim holds)"

    def _repr_html_(self) -> str:
        """How notebooks show it: the verdict, and by which means how many claims were recomputed."""
        told = Counter(check.how for check in self.checks)
        rows = [("recomputed by", "claims"), *((how, str(count)) for how, count in told.most_common())]
        told_only = f"<p>As recorded, no claim rests on it: {escape(', '.join(self.informative))}.</p>"
        verdict = f"<p><b>Every claim holds</b>: {len(self.checks)} were recomputed.</p>"
        return f"{verdict}{html_table(rows, numbers=(1,))}{told_only if self.informative else ''}"

    def __str__(self) -> str:
        rows = [("claim", "recomputed by", "result", "")]
        for c in self.checks:
            rows.append((c.claim, c.how, c.result, "ok" if c.ok else "VIOLATED"))
        lines = [*aligned(rows), f"{len(self.checks)} checks, every claim holds"]
        told = fill(f"as recorded, no claim rests on it: {', '.join(self.informative)}", 100, subsequent_indent="  ")
        return "\n".join([*lines, told] if self.informative else lines)


class Checks:
    """Holds claim after claim against what was found; stops at the first that does not hold."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def check(self, claim: str, how: str, found: Any, claimed: Any, slack: Any, *where: Any, below: Any = None) -> None:
        """found ≤ claimed + slack and, with `below`, claimed ≤ found + below.

        Args:
            claim: What is claimed.
            how: How it was recomputed.
            found: What was found; like the others a number or an array, broadcast.
            claimed: What is claimed to be its upper limit, or with `below` its value.
            slack: Rounding allowed for.
            where: Names of the entries along each axis.
            below: How far above what was found the claim may lie; None for any distance.
        """
        found, claimed, slack, room = (
            np.asarray(a, float) for a in np.broadcast_arrays(found, claimed, slack, np.inf if below is None else below)
        )
        if not found.size:
            self.checks.append(Check(claim, how))
            return
        difference = found - claimed
        over = difference - slack if below is None else np.maximum(difference - slack, -difference - room)
        over = np.nan_to_num(over, nan=np.inf)  # what is not a number holds nowhere
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(over)), over.shape))
        if over[at] > 0:
            names = ", ".join(labels[i] for labels, i in zip(where, at, strict=True)) or "the ensemble"
            allowed = room[at] if difference[at] < 0 else slack[at]
            raise CertificateViolation(
                f"{claim} does not hold at {names}: claimed {'at most ' * (below is None)}{claimed[at]:.10g}, "
                f"found {found[at]:.10g} (rounding allowed: {allowed:.1g})"
            )
        if below is None:
            self.checks.append(Check(claim, how, "margin", 0.0 - float(difference[at]), slack=float(slack[at])))
        else:
            self.checks.append(Check(claim, how, "difference", float(np.abs(difference).max()), slack=float(slack[at])))

    def equal(self, claim: str, how: str, found: Any, claimed: Any, slack: Any, *where: Any) -> None:
        """|found − claimed| ≤ slack."""
        self.check(claim, how, found, claimed, slack, *where, below=slack)

    def holds(self, claim: str, how: str, ok: bool, words: str) -> None:
        """A claim that is no number."""
        if not ok:
            raise CertificateViolation(f"{claim}: {words}")
        self.checks.append(Check(claim, how))


def damaged(what: str) -> CertificateError:
    return CertificateError(f"certificate is damaged: {what}")
