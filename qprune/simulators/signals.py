"""The compiled part of the engine, third: how threads share the blocks of samples of one call.

Each takes the next block whenever it has done one. A thread that sleeps takes some fifty microseconds to wake up, as
long as a whole sweep over a small circuit, and one that waits for the interpreter's lock sleeps; so those who wait
look at numbers in memory, in compiled code and without that lock, for a moment before they do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from qprune.simulators.tape import compiled

TAKEN, FINISHED, PARKED, SIGNALS = range(4)  # counts: of blocks, and of helpers done with the interpreter's lock
LOOKS = 1_000_000  # at a number before a thread sleeps: some two tenths of a millisecond, two looks a cycle
BELL = np.zeros(1, dtype=np.int64)  # changes whenever helpers are wanted


class Share(NamedTuple):
    """How a thread takes part in a call.

    Attributes:
        signals: Counts of this call, common to all who take part, shape (3,).
        bell: `BELL`.
        helpers: How many others the one who called waits for; 0 for these.
    """

    signals: NDArray[np.int64]
    bell: NDArray[np.int64]
    helpers: int


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


@intrinsic
def _counted(typingctx: Any, counts: Any, at: Any) -> Any:
    """One count as it was, and is one more from now on, for all threads."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _pointer(context, builder, signature.args[0], *arguments)
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "acq_rel")

    return types.int64(counts, types.int64), generate


@intrinsic
def _count(typingctx: Any, counts: Any, at: Any) -> Any:
    """One count as it is now, whichever thread changed it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(context, builder, signature.args[0], *arguments), "acquire", 8)

    return types.int64(counts, types.int64), generate


@compiled
def begin(share):
    """Call the helpers."""
    if share.helpers > 0:
        _counted(share.bell, 0)


@compiled
def next_block(share):
    """A block that nobody has taken."""
    return _counted(share.signals, TAKEN)


@compiled
def another_block(share):
    """The same, once the last one is finished."""
    _counted(share.signals, FINISHED)
    return next_block(share)


@compiled
def end(share):
    """Wait for the helpers, unless that takes long."""
    looks = 0
    while looks < LOOKS and _count(share.signals, PARKED) < share.helpers:
        looks += 1


@compiled
def finished(signals):
    """How many blocks are, whoever did them."""
    return _count(signals, FINISHED)


@compiled
def is_wanted(signals, bell, known):
    """After a call, by a helper: whether the bell rings before long."""
    _counted(signals, PARKED)
    looks = 0
    while looks < LOOKS and _count(bell, 0) == known:
        looks += 1
    return looks < LOOKS
