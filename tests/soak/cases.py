"""The kinds of cases on Qiskit circuits: prune and check, under every limit, and send the result through files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from . import adapter, requests
from .adapter import Outcome, Request
from .checks import check_every_input, check_outcome, require, same_function
from .situation import Situation, draw_situation


@dataclass
class Tally:
    """What a case was about, for the counts; filled while it runs."""

    mode: str = ""
    gates: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    notes: dict[str, object] = field(default_factory=dict)

    def of(self, situation: Situation, request: Request) -> None:
        self.mode, self.gates = request.mode, situation.names
        tags = [*request.extras, "probabilities" if situation.observables is None else "observables"]
        tags += [name for name, there in (("huge angles", situation.huge), ("scaled", situation.scale != 1)) if there]
        tags += [name for name in ("holdout", "labels", "probabilities") if name in situation.extras]
        self.tags = tuple(tags)
        self.notes = {"situation": situation, "request": request}


def _pruned(
    rng: np.random.Generator, tally: Tally, draw: Callable[..., Request], by_accuracy: float = 0.0, **sizes: int
) -> tuple[Situation, Request, Outcome]:
    situation = draw_situation(rng, **sizes)
    by_labels = "labels" in situation.extras and rng.random() < by_accuracy
    request = requests.draw_accuracy(rng) if by_labels else draw(rng, situation.scale)
    return situation, request, _checked(rng, tally, situation, request)


def _checked(rng: np.random.Generator, tally: Tally, situation: Situation, request: Request) -> Outcome:
    tally.of(situation, request)
    outcome = adapter.prune(adapter.make_task(situation.task_arguments()), request)
    check_outcome(situation, request, outcome, rng)
    return outcome


def prune(rng: np.random.Generator, tally: Tally) -> None:
    """Any limit; the honest result verifies; once in a while the same twice."""
    _, request, outcome = _pruned(rng, tally, requests.draw_request, by_accuracy=0.5)
    adapter.verify(outcome)
    if rng.random() < 0.05:
        again = adapter.prune(outcome.result.original, request)
        _require_same(adapter.certificate_text(outcome), adapter.certificate_text(again), "determinism")


def every_input(rng: np.random.Generator, tally: Tally) -> None:
    """A limit for every input of a domain (T9), or a reason why there is none."""
    situation = draw_situation(rng, most_qubits=3, most_gates=8)
    if not situation.input_names:
        return
    box = None
    if rng.random() < 0.3:
        low = situation.inputs.min(axis=0) - rng.uniform(0, 2, len(situation.input_names))
        box = low, np.maximum(situation.inputs.max(axis=0), low + rng.choice([0.0, 1.0, 7.0]))
    request = requests.draw_everywhere(rng, situation.scale)
    tally.of(situation, request)
    tally.notes["box"] = box
    try:
        outcome = adapter.prune(adapter.make_task(situation.task_arguments(), box), request)
    except adapter.QpruneError as error:
        require(adapter.is_refusal(error), "a limit for every input is refused", repr(error))
        tally.tags = (*tally.tags, "refused")
        return
    truth = check_outcome(situation, request, outcome, rng)
    check_every_input(truth, request, rng, box)
    adapter.verify(outcome)


def refit(rng: np.random.Generator, tally: Tally) -> None:
    """Surviving weights move, on small networks."""
    *_, outcome = _pruned(rng, tally, requests.draw_refit, by_accuracy=0.7, most_qubits=2, most_gates=6)
    adapter.verify(outcome)


def noise(rng: np.random.Generator, tally: Tally) -> None:
    """A noise model shapes costs, geometry and tolerance, or says when to stop; no bound depends on it."""
    *_, outcome = _pruned(rng, tally, requests.draw_noisy, most_qubits=3, most_gates=7)
    adapter.verify(outcome)


def mps(rng: np.random.Generator, tally: Tally) -> None:
    """Matrix product states (T7)."""
    *_, outcome = _pruned(rng, tally, requests.draw_mps, most_gates=7)
    adapter.verify(outcome)


def measurements(rng: np.random.Generator, tally: Tally) -> None:
    """On a device that measures (T8): what is known is known to a radius."""
    drawn = draw_situation(rng, most_qubits=3, most_gates=6)
    extras = {name: value for name, value in drawn.extras.items() if name != "holdout"}  # which is refused, as it says
    z = ((("Z" * drawn.num_qubits, 1.0),),)
    situation = replace(drawn, observables=drawn.observables or z, extras=extras)
    adapter.verify(_checked(rng, tally, situation, requests.draw_measured(rng, situation.scale)))


def round_trip(rng: np.random.Generator, tally: Tally) -> None:
    """Saved and loaded, or pickled, a result is the same network and still verifies."""
    situation, _, outcome = _pruned(rng, tally, requests.draw_request, most_gates=7)
    pickled = adapter.pickled(outcome)
    _same_result(situation, outcome, pickled, rng, "pickled")
    adapter.verify(pickled)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result"
        if not adapter.saved(outcome, path):
            return
        loaded = adapter.load(path)
        _same_result(situation, outcome, loaded, rng, "saved and loaded")
    adapter.verify(loaded)


def _same_result(situation: Situation, first: Outcome, second: Outcome, rng, claim: str) -> None:
    _require_same(adapter.certificate_text(first), adapter.certificate_text(second), claim)
    same_function(situation, first, second, rng, claim)
    for outcome in (first, second):
        circuit, weights = adapter.original_of(outcome)
        require(weights == situation.weights, f"{claim}: the original's weights", f"{weights} {situation.weights}")
        require(circuit.num_qubits == situation.num_qubits, claim, "another number of qubits")


def _require_same(first: str, second: str, claim: str) -> None:
    """Two certificates to the last character."""
    lines = zip(first.splitlines(), second.splitlines(), strict=False)
    other = [f"{a.strip()} became {b.strip()}" for a, b in lines if a != b]
    require(first == second, f"{claim}: the certificate", "; ".join(other[:4]) or "it is longer")
