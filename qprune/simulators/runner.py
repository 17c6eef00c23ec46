"""Who simulates: in this process, or the samples spread over the workers of an executor."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2
from tqdm import tqdm

from qprune.gates.sites import Site, Word
from qprune.simulators.estimator import measured_pass
from qprune.simulators.passes import forward_pass
from qprune.simulators.sharding import in_pieces
from qprune.simulators.values import MATRIX_PRODUCT_STATE, STATEVECTOR, Outputs, Prefix
from qprune.task.task import Task

SHARD_WORK = 2**27  # amplitudes touched by the gates and values of a shard, at least: some 0.1 s
CALL_WORK = 2**6  # what a gate or value costs besides per sample, in amplitudes


@dataclass(frozen=True)
class Runner:
    """How passes are run.

    Attributes:
        simulator: One of `prefix.SIMULATORS`, or an estimator.
        threads: Threads for Aer, in each worker.
        executor: Runs shards of the samples; None runs all of them here.
        delta: Failure probability of a pass through an estimator.
    """

    simulator: str | BaseEstimatorV2 = STATEVECTOR
    threads: int = 1
    executor: Executor | None = None
    delta: float = 0.0

    def prefix(
        self,
        task: Task,
        sites: Sequence[Site],
        wanted: Sequence[Sequence[Word]],
        samples: NDArray[np.intp],
        progress: bool = False,
    ) -> Prefix:
        """`forward_pass`, to the last bit the same wherever it runs: no number is made of several samples."""
        if isinstance(self.simulator, BaseEstimatorV2):
            return measured_pass(self.simulator, self.delta, task, sites, wanted, samples, progress)
        shards = self._shards(sites, wanted, samples)
        if self.executor is None or len(shards) < 2:
            return forward_pass(
                task, sites, wanted, samples, simulator=self.simulator, threads=self.threads, progress=progress
            )
        with tqdm(total=len(samples), desc="simulating", unit="sample", disable=None if progress else True) as bar:
            parts = in_pieces(
                self.executor,
                _shard,
                [(task.only(shard), sites, wanted, self.simulator, self.threads) for shard in shards],
                lambda k: bar.update(len(shards[k])),
            )
        return _joined(parts)

    def outputs(self, task: Task, sites: Sequence[Site], samples: NDArray[np.intp], progress: bool = False) -> Outputs:
        """The outputs alone: a plain pass."""
        return self.prefix(task, sites, [()] * len(sites), samples, progress).outputs

    def _shards(
        self, sites: Sequence[Site], wanted: Sequence[Sequence[Word]], samples: NDArray[np.intp]
    ) -> list[NDArray[np.intp]]:
        """Runs of samples, each worth the way to a worker and back."""
        qubits = len({q for site in sites for q in site.qubits})
        if self.simulator == MATRIX_PRODUCT_STATE:  # more than bookkeeping, and nobody knows how much
            return [samples[k : k + 1] for k in range(len(samples))]
        work = (len(sites) + sum(map(len, wanted))) * (2**qubits + CALL_WORK)
        size = max(1, SHARD_WORK // max(work, 1))
        return [samples[k : k + size] for k in range(0, len(samples), size)]


def _shard(task: Task, sites: Sequence[Site], wanted: Sequence[Sequence[Word]], simulator: str, threads: int) -> Prefix:
    """On a worker: the pass of a task that holds the shard's samples only."""
    return forward_pass(task, sites, wanted, task.selected, simulator=simulator, threads=threads)


def _joined(parts: Sequence[Prefix]) -> Prefix:
    outputs = [part.outputs for part in parts]
    distributions = [o.distribution for o in outputs if o.distribution is not None]
    return Prefix(
        values=np.concatenate([part.values for part in parts], axis=1),
        index=parts[0].index,
        outputs=Outputs(
            means=np.concatenate([o.means for o in outputs], axis=1),
            deviations=np.concatenate([o.deviations for o in outputs], axis=1),
            distribution=np.concatenate(distributions) if distributions else None,
            rounding=max(o.rounding for o in outputs),
            truncation=max(o.truncation for o in outputs),
        ),
    )
