"""One case: a kind and a seed, which together determine it; what comes out is a row for the counts."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

import numpy as np

from . import bad_inputs, cases, faces, forgeries
from .cases import Tally

LONGEST = 300  # seconds of one case
Check = Callable[[np.random.Generator, Tally], None]


def _qnode(rng: np.random.Generator, tally: Tally) -> None:
    from . import qnodes  # PennyLane takes seconds to import

    qnodes.qnode(rng, tally)


# kind: share in a run over all kinds (cases out of 1000), and what it does
KINDS: dict[str, tuple[float, Check]] = {
    "prune": (430, cases.prune),
    "every input": (40, cases.every_input),
    "round trip": (110, cases.round_trip),
    "forged file": (110, forgeries.forged_file),
    "forged claim": (50, forgeries.forged_claim),
    "bad argument": (70, bad_inputs.bad_argument),
    "bad bundle": (40, bad_inputs.bad_bundle),
    "bad command": (20, bad_inputs.bad_command),
    "matrix product states": (25, cases.mps),
    "refit": (20, cases.refit),
    "measurements": (10, cases.measurements),
    "noise": (15, cases.noise),
    "pass manager": (15, faces.pass_manager),
    "neural network": (10, faces.neural_network),
    "executor": (8, faces.executor),
    "curve": (5, faces.curve),
    "command": (2, faces.command),
    "QNode": (20, _qnode),
}


class TooLong(Exception):
    """A case took longer than any should."""


def kind_of(seed: int, kinds: Sequence[str]) -> str:
    """The kind that a seed has in a run over these kinds."""
    shares = np.array([KINDS[kind][0] for kind in kinds])
    return str(np.random.default_rng([seed, 1]).choice(list(kinds), p=shares / shares.sum()))


def generator_of(seed: int, kind: str) -> np.random.Generator:
    return np.random.default_rng([seed, 0, *kind.encode()])


def tally_of(seed: int, kind: str) -> Tally:
    """What a case is about, whether it holds or not."""
    tally = Tally()
    with suppress(Exception):
        KINDS[kind][1](generator_of(seed, kind), tally)
    return tally


def run_case(seed: int, kind: str) -> dict[str, Any]:
    """Run one case; exceptions of any sort become part of the row.

    Returns:
        seed, kind, mode, gates, tags and seconds of CPU; where it failed also claim, message, trace and situation.
    """
    rng, tally, started = generator_of(seed, kind), Tally(), time.process_time()
    row: dict[str, Any] = {"seed": seed, "kind": kind}
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST)
    try:
        KINDS[kind][1](rng, tally)
    except Exception as error:  # whatever it is, it is what this run is for
        row |= {
            "claim": claim_of(error),
            "message": " ".join(str(error).split())[:400],
            "trace": traceback.format_exc(limit=-12),
            "situation": {name: repr(value) for name, value in tally.notes.items()},
        }
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    seconds = round(time.process_time() - started, 4)
    return {**row, "mode": tally.mode, "gates": tally.gates, "tags": tally.tags, "seconds": seconds}


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLong(f"more than {LONGEST} s")


def claim_of(error: Exception) -> str:
    """By which failures are grouped: the claim that does not hold, or the exception and where it was raised."""
    if hasattr(error, "claim"):
        return str(error.claim)
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if "/qprune/" in frame.filename] or frames
    place = inside[-1]
    return f"{type(error).__name__} in {place.filename.rpartition('/')[2]}, {place.name}"
