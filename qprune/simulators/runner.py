"""Who runs a pass: this process, or the samples spread over the workers of an executor."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune._progress import bar
from qprune.gates.sites import Site, Word
from qprune.simulators.sharding import in_pieces
from qprune.simulators.simulator import Simulator
from qprune.simulators.values import Outputs, Prefix
from qprune.task.portable import Portable
from qprune.task.task import Task


@dataclass(frozen=True)
class Runner:
    """How passes are run.

    Attributes:
        simulator: What runs them.
        executor: Runs shards of the samples; None runs all of them here.
    """

    simulator: Simulator
    executor: Executor | None = None

    def prefix(
        self,
        task: Task,
        sites: Sequence[Site],
        wanted: Sequence[Sequence[Word]],
        samples: NDArray[np.intp],
        progress: bool = False,
    ) -> Prefix:
        """`Simulator.run`, to the last bit the same wherever it runs: no number is made of several samples."""
        size = len(samples) if self.executor is None else self.simulator.shard_size(sites, wanted)
        if self.executor is None or size >= len(samples):
            return self.simulator.run(task, sites, wanted, samples, progress)
        shards = [samples[k : k + size] for k in range(0, len(samples), size)]
        shared = Portable((task.only(samples[:1]), tuple(sites)))
        with bar("simulating", "sample", progress, total=len(samples)) as shown:
            parts = in_pieces(
                self.executor,
                _shard,
                [(self.simulator, shared, task.inputs[shard], wanted) for shard in shards],
                lambda k: shown.update(len(shards[k])),
            )
        return _joined(parts)

    def outputs(self, task: Task, sites: Sequence[Site], samples: NDArray[np.intp], progress: bool = False) -> Outputs:
        """The outputs alone: a plain pass."""
        return self.prefix(task, sites, [()] * len(sites), samples, progress).outputs


def _shard(simulator: Simulator, shared: Portable, inputs: FloatArray, wanted: Sequence[Sequence[Word]]) -> Prefix:
    """On a worker: the pass of the task on the inputs of one shard."""
    task, sites = shared.content
    task = task.with_inputs(inputs)
    return simulator.run(task, sites, wanted, task.selected)


def _joined(parts: Sequence[Prefix]) -> Prefix:
    outputs = [part.outputs for part in parts]
    distributions = [o.distribution for o in outputs if o.distribution is not None]
    return Prefix(
        values=np.concatenate([part.values for part in parts], axis=1),
        index=parts[0].index,
        outputs=Outputs(
            centred=np.concatenate([o.centred for o in outputs], axis=1),
            centres=outputs[0].centres,
            deviations=np.concatenate([o.deviations for o in outputs], axis=1),
            distribution=np.concatenate(distributions) if distributions else None,
            rounding=max(o.rounding for o in outputs),
            truncation=max(o.truncation for o in outputs),
        ),
    )
