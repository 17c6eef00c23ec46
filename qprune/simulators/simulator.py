"""What every simulator offers: one pass through a circuit, sample by sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qprune.gates.sites import Site, Word
from qprune.simulators.values import Outputs, Prefix
from qprune.task.task import Task

SHARD_WORK = 2**27  # amplitudes touched by the gates and values of a shard, at least: some 0.1 s
CALL_WORK = 2**6  # what a gate or value costs besides per sample, in amplitudes


@dataclass(frozen=True)
class Simulator(ABC):
    """Gives the expectation values that distances and bounds need, and the outputs, of one circuit.

    Attributes:
        name: What a certificate calls it.
        measures: Whether values come from shots: then they are intervals that hold but for a probability (T8).
        holds_states: Whether statevectors can be had beside it, which windows and refit work on.
        approximates: Whether values may be off by more than rounding; deviations are then judged with that added.
    """

    name: ClassVar[str]
    measures: ClassVar[bool] = False
    holds_states: ClassVar[bool] = True
    approximates: ClassVar[bool] = False

    @property
    def threads(self) -> int:
        """Most threads that simulations beside it may take: refit, and the screening of gates."""
        return 1

    @abstractmethod
    def run(
        self,
        task: Task,
        sites: Sequence[Site],
        wanted: Sequence[Sequence[Word]],
        samples: NDArray[np.intp],
        progress: bool = False,
    ) -> Prefix:
        """Run every sample once and read ⟨φ_k|P|φ_k⟩ for the wanted words P right before every gate k.

        Args:
            task: Binds the parameters.
            sites: The N gates in order.
            wanted: Pauli words per site, on the circuit's qubits; N sequences, many of them empty.
            samples: Indices of the M samples to run.
            progress: Whether to show a bar on stderr once the work has taken seconds.

        Returns:
            The values, shape (V, M), and the outputs of the same run.

        Raises:
            TaskError: The circuit does not fit this simulator, or memory.

        Source: THEORY T3.
        """

    def outputs(self, task: Task, sites: Sequence[Site], samples: NDArray[np.intp], progress: bool = False) -> Outputs:
        """The outputs alone: a plain pass."""
        return self.run(task, sites, [()] * len(sites), samples, progress).outputs

    def shard_size(self, sites: Sequence[Site], wanted: Sequence[Sequence[Word]]) -> int:
        """How many samples are worth the way to a worker and back."""
        qubits = len({q for site in sites for q in site.qubits})
        work = (len(sites) + sum(map(len, wanted))) * (2**qubits + CALL_WORK)
        return max(1, SHARD_WORK // max(work, 1))

    def record(self) -> dict[str, Any]:
        """What a certificate keeps of it."""
        return {"name": self.name, **asdict(self)}
