"""One forward pass through Aer: the few expectation values that distances and bounds need.

Every distance needs only expectations of Pauli words in the state right before a gate, so they are read on the way
of a single statevector run; nothing of size 2^n × 2^n is made and no suffix is ever simulated (THEORY T3).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from qiskit_aer.jobs import aerjob

from qprune.gates.sites import Site, Word
from qprune.simulators.aer_circuit import CircuitPass
from qprune.simulators.collect import collected
from qprune.simulators.matrix_product import ChainPass
from qprune.simulators.statevector import EnsemblePass
from qprune.simulators.values import (
    AT_ONCE,
    MATRIX_PRODUCT_STATE,
    STATEVECTOR,
    Outputs,
    Prefix,
    check_memory,
    expectation_rounding,
    outputs_of,
)
from qprune.task.task import Task

"""Limit of the rounding error of an expectation value on few qubits after a few thousand gates in double precision.

Bounds use the upper end of what a value may be, so that a gate whose state *seems* to be an exact eigenstate still
contributes the angle that rounding could hide: some 10⁻⁷ on few qubits, 4·10⁻⁶ on twenty.
"""

MANY_THREADS = 4  # from here on Aer's own threads make up for what the ensemble in one state gains; it has only one


def forward_pass(
    task: Task,
    sites: Sequence[Site],
    wanted: Sequence[Sequence[Word]],
    samples: NDArray[np.intp],
    *,
    simulator: str = STATEVECTOR,
    threads: int = 1,
    progress: bool = False,
) -> Prefix:
    """Simulate every sample once and save ⟨φ_k|P|φ_k⟩ for the wanted words P of every site k.

    Args:
        task: Binds the parameters.
        sites: The gates in order.
        wanted: Pauli words per site, on the circuit's qubits.
        samples: Indices of the samples to run.
        simulator: One of `SIMULATORS`.
        threads: Threads for Aer, used from `MANY_THREADS` on and for states beyond `AT_ONCE` amplitudes.
        progress: Show a progress bar on stderr, where that is a terminal.

    Raises:
        TaskError: The statevector does not fit into memory, or the circuit entangles too much.

    Source: THEORY T3.
    """
    qubits = sorted({q for site in sites for q in site.qubits} | {q for s in task.output_supports for q in s}) or [0]
    if simulator == MATRIX_PRODUCT_STATE:
        chain = ChainPass(task, qubits, samples)
        index, read = collected(chain, sites, wanted, progress)
        return Prefix(read.values, index, outputs_of(task, read, chain.error, truncation=chain.truncation))
    many = threads >= MANY_THREADS and 2 ** len(qubits) > AT_ONCE
    check_memory(len(qubits), threads if many and len(samples) > 1 else 2)
    builder = CircuitPass(task, qubits, samples, threads) if many else EnsemblePass(task, qubits, samples)
    index, read = collected(builder, sites, wanted, progress)
    rounding = expectation_rounding(len(qubits), len(sites), 2 ** len(qubits) if many else AT_ONCE)
    return Prefix(read.values, index, outputs_of(task, read, rounding))


def final_outputs(
    task: Task, sites: Sequence[Site], samples: NDArray[np.intp], *, threads: int = 1, progress: bool = False
) -> Outputs:
    """The outputs alone, by statevectors: a plain pass."""
    return forward_pass(task, sites, [()] * len(sites), samples, threads=threads, progress=progress).outputs


def _forked() -> None:
    """Aer gives every job to one worker thread, which a forked process does not inherit: without a new one it waits."""
    aerjob.DEFAULT_EXECUTOR = ThreadPoolExecutor(max_workers=1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
