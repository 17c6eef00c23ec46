"""What the command says: errors in terms of its own flags, and results as JSON."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from qprune.cli.options import flag
from qprune.limits.frontier import Frontier
from qprune.limits.registry import LIMITS
from qprune.results.result import PruneResult, plan_actions, two_qubit_gates, verdict
from qprune.verify.checks import VerificationReport

ARGUMENT = re.compile(r"^(\w+)(?= (must|goes|needs|has|takes|names)\b)")
CLASSES = {kind.__name__: flag(name) for name, kind in LIMITS.items()}
CALL = re.compile(rf"\b({'|'.join(CLASSES)})\b(\(([^()]*)\))?")
PHRASES = {
    "overwrite=True": "--force",
    "give the task labels=…, one class per sample": "give inputs.csv a column label",
    "give 2*labels - 1, else 1 - 2*labels": "write 2*label - 1 into inputs.csv, else 1 - 2*label",
}
KEYWORD = re.compile(r"\b(refit|resynthesis|prune_encoding)=True\b")


def in_flags(message: str, options: Namespace) -> str:
    """A message about Python's arguments, about flags.

    Args:
        message: One line, as errors have it: it begins with the argument's name.
        options: What was parsed.
    """
    given = {name for name in LIMITS if getattr(options, f"limit_{name}", None) is not None}
    name = next(iter(given), "threshold")

    def argument(found: re.Match[str]) -> str:
        if found[1] == LIMITS[name].main:
            return flag(name)
        known = hasattr(options, found[1]) or hasattr(options, f"field_{found[1]}")
        return flag(found[1]) if known else found[1]

    def call(found: re.Match[str]) -> str:
        numbers = re.findall(r"(?<![\w=.])\d+(?:\.\d+)?", found[3] or "")
        refit = " --refit" if "refit=True" in (found[3] or "") else ""
        shots = "".join(f" --shots {count}" for count in re.findall(r"shots=(\d+)", found[3] or ""))
        return f"{CLASSES[found[1]]}{' ' if numbers else ''}{' '.join(numbers[:1])}{refit}{shots}"

    for python, here in PHRASES.items():
        message = message.replace(python, here)
    told = CALL.sub(call, ARGUMENT.sub(argument, message))
    return KEYWORD.sub(lambda found: flag(found[1]), told)


def print_json(record: Any) -> None:
    print(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False))


def result_record(result: PruneResult) -> dict[str, Any]:
    """A result in numbers, for programs."""
    certificate, circuits = result.certificate, (result.flat, result.simplified, result.circuit)
    every = certificate.every_input
    claim = None if every is None else {"proven": every.upper, "attained": every.lower, "worst": every.worst}
    return {
        "verdict": verdict(result),
        "warnings": result.warnings,
        "limit": certificate.options["limit"],
        "stages": ["original", "exact", "pruned"],
        "gates": [circuit.size() for circuit in circuits],
        "two_qubit_gates": [two_qubit_gates(circuit) for circuit in circuits],
        "depth": [circuit.depth() for circuit in circuits],
        "weights": [sum(circuit.has_parameter(p) for p in result.original.weight_params) for circuit in circuits],
        "accuracy": result.accuracy,
        "samples": len(certificate.samples),
        "outputs": certificate.outputs,
        "measured": certificate.largest_measured,
        "proven": certificate.largest_bound,
        "every_input": claim,
        "holdout": None if certificate.holdout is None else asdict(certificate.holdout),
        "plan": plan_actions(result.plan),
    }


def frontier_record(front: Frontier) -> dict[str, Any]:
    """A front in numbers."""
    return {"cut": front.cut, "results": [result_record(result) for result in front]}


def verification_record(report: VerificationReport) -> dict[str, Any]:
    """A verification in numbers."""
    return {"holds": True, "checks": [asdict(check) for check in report.checks], "informative": report.informative}
