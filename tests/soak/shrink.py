"""The smallest situation in which the same claim fails: gates, samples, outputs and options taken out one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from . import adapter
from .adapter import Request
from .checks import check_outcome
from .run_case import claim_of, tally_of
from .situation import Situation, names_in

Case = tuple[Situation, Request]


def situation_of(seed: int, kind: str) -> Case:
    """What a case prunes, and how."""
    notes = tally_of(seed, kind).notes
    if not isinstance(notes.get("situation"), Situation):
        raise SystemExit(f"cases of the kind {kind!r} cannot be shrunk")
    return notes["situation"], notes["request"]


def failing_claim(situation: Situation, request: Request) -> tuple[str, str] | None:
    """Claim and message of what fails when this is pruned and verified; None where all holds."""
    try:
        outcome = adapter.prune(adapter.make_task(situation.task_arguments()), request)
        check_outcome(situation, request, outcome, np.random.default_rng(0))
        adapter.verify(outcome)
    except Exception as error:  # of any kind
        return claim_of(error), str(error)
    return None


def shrunk(situation: Situation, request: Request, claim: str) -> Case:
    """Greedily smaller while the claim still fails."""
    case = situation, request
    while (smaller := next((c for c in _smaller(*case) if (failing_claim(*c) or ("",))[0] == claim), None)) is not None:
        case = smaller
    return case


def describe(situation: Situation, request: Request) -> str:
    """As lines from which the case can be written down."""
    lines = [f"{situation.num_qubits} qubits, measured {situation.measured}, {situation.form} {situation.observables}"]
    lines.append(f"inputs {situation.inputs.tolist()}, weights {situation.weights}, {situation.extras}")
    for step in situation.steps:
        angles = [f"{a.template}({a.constant!r}; {', '.join(a.names)})" for a in step.angles]
        lines.append(
            f"  {step.kind} (seed {step.seed}){' inverse' * step.inverted} on {step.qubits} {' '.join(angles)}"
        )
    return "\n".join([*lines, repr(request)])


def _smaller(situation: Situation, request: Request) -> Iterator[Case]:
    for k in range(len(situation.steps)):
        yield _without_unused(replace(situation, steps=situation.steps[:k] + situation.steps[k + 1 :])), request
    for changed in _plainer(situation):
        yield replace(situation, **changed), request
    for name in request.others:
        yield situation, replace(request, others={n: v for n, v in request.others.items() if n != name})
    if request.noise is not None:
        yield situation, replace(request, noise=None)
    if request.window != "auto":
        yield situation, replace(request, window="auto")


def _plainer(situation: Situation) -> Iterator[dict[str, Any]]:
    if situation.extras:
        yield {"extras": {}}
    if len(situation.inputs) > 1:
        yield from ({"inputs": row[None], "extras": {}} for row in situation.inputs)
    observables = situation.observables or ()
    if len(observables) > 1:
        yield from ({"observables": (terms,)} for terms in observables)
    for terms in observables[:1]:
        if len(terms) > 1:
            rest = observables[1:]
            yield from ({"observables": (terms[:k] + terms[k + 1 :], *rest)} for k in range(len(terms)))
    if situation.phase:
        yield {"phase": 0.0}
    if situation.observables is not None and situation.measured is not None:
        yield {"measured": None}
    if situation.form != "SparsePauliOp":
        yield {"form": "SparsePauliOp"}


def _without_unused(situation: Situation) -> Situation:
    used = names_in(situation.steps)
    columns = [k for k, name in enumerate(situation.input_names) if name in used]
    return replace(
        situation,
        weights={name: value for name, value in situation.weights.items() if name in used},
        inputs=situation.inputs[:, columns],
        input_names=tuple(situation.input_names[k] for k in columns),
    )
