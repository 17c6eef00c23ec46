"""What a strategy is shown: the gates that may go, what they do to the outputs, and an oracle that counts its calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune.errors import OptionError
from qprune.gates.costs import Costs, cost_of
from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.selection.participation import Participation
from qprune.simulators.engine import Network, check_engine_memory
from qprune.task.task import Task

DEFAULT_BUDGET = 0.05  # share of the largest change that counts as the budget where a limit has none in that unit
LEAST_SHARE = 1e-12  # of a scale: what is smaller counts as this much, so that nothing is divided by zero


@dataclass(frozen=True)
class Surroundings:
    """What a limit knows beside the circuit at hand.

    Attributes:
        task: The original's, with the selected samples.
        sites: Gates of the simplified original, by whose outputs all deviations are judged.
        costs: As in `prune`.
        budget: Largest deviation allowed, in the observables' unit; None where the limit has none in that unit.
        holds_states: Whether the simulator does.
        check: Called before every deviation; may raise to end the search, as when its time is up.
        left: Seconds until then; infinite without a time limit.
    """

    task: Task
    sites: Sequence[Site]
    costs: Costs = None
    budget: float | None = None
    holds_states: bool = True
    check: Callable[[], None] = lambda: None
    left: Callable[[], float] = lambda: np.inf

    @cached_property
    def outputs(self) -> FloatArray:
        """Of the simplified original, shape (R, M)."""
        return Network(self.task, self.sites).values(self.task.weights)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The gates that may go from a circuit, K of them, and what is known of each.

    Everything is worked out when it is first asked for. Gates are named by their index k among the candidates.

    Attributes:
        candidates: The K removals: place, distance d_q, angles per sample, gain and turn of each.
        sites: The gates of the circuit at hand.
        rng: Generator with the seed of the call; whoever draws draws from it.
        task: The circuit at hand with its weights and samples; None where only candidates are known.
        around: What the limit knows beside.
        counted: Holds the number of calls of the oracle.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Weakest(qprune.strategies.Strategy):
        ...     name = "weakest"
        ...
        ...     def propose(self, evidence):
        ...         distances = [candidate.distance for candidate in evidence.candidates]
        ...         return qprune.strategies.Proposal(order=evidence.ascending(distances))
        >>> task = qprune.Task(circuit, "ZI")
        >>> qprune.prune(task, qprune.Measured(0.01), strategy=Weakest()).circuit.size()
        2
    """

    candidates: Sequence[Candidate]
    sites: Sequence[Site]
    rng: np.random.Generator
    task: Task | None = None
    around: Surroundings | None = None
    counted: list[int] = field(default_factory=lambda: [0])

    # -- gates -------------------------------------------------------------------------------------------------

    @property
    def places(self) -> list[int]:
        """Index of each gate in the circuit."""
        return [c.place for c in self.candidates]

    @cached_property
    def gains(self) -> FloatArray:
        """Cost that goes with each gate, that of gates which then cancel included, shape (K,)."""
        return np.array([c.gain for c in self.candidates], dtype=float)

    @cached_property
    def costs(self) -> FloatArray:
        """Cost of each gate by itself, shape (K,)."""
        costs = None if self.around is None else self.around.costs
        return np.array([cost_of(self.sites[k], costs) for k in self.places], dtype=float)

    @cached_property
    def distances(self) -> FloatArray:
        """d_q of each gate from the identity, shape (K,)."""
        return np.array([c.distance for c in self.candidates], dtype=float)

    @cached_property
    def joins(self) -> NDArray[np.bool_]:
        """Whether each gate acts on several qubits, shape (K,)."""
        return np.array([len(self.sites[k].qubits) > 1 for k in self.places], dtype=bool)

    @cached_property
    def layers(self) -> NDArray[np.intp]:
        """The layer of each gate when every gate comes as early as it can, shape (K,)."""
        depth: dict[int, int] = {}
        layer = np.zeros(len(self.sites), dtype=np.intp)
        for k, site in enumerate(self.sites):
            layer[k] = max((depth.get(q, 0) for q in site.qubits), default=0)
            depth |= dict.fromkeys(site.qubits, int(layer[k]) + 1)
        return layer[self.places]

    @property
    def budget(self) -> float:
        """Largest deviation that the limit allows; a share of the largest change where it has no such number."""
        asked = None if self.around is None else self.around.budget
        return DEFAULT_BUDGET * self._known.largest_change if asked is None else asked

    @property
    def scale(self) -> float:
        """The budget, or the smallest that can be told from nothing: what deviations are divided by."""
        return max(self.budget, LEAST_SHARE * self._known.largest_change) or 1.0

    @property
    def _known(self) -> Task:
        if self.task is None:
            raise OptionError("this strategy looks at outputs, and only the order of candidates is asked for here")
        return self.task

    # -- effects -----------------------------------------------------------------------------------------------

    @cached_property
    def participation(self) -> Participation:
        """The circuit with a share of each gate, compiled.

        Raises:
            OptionError: States are not to be had.
            TaskError: They do not fit into memory.
        """
        task = self._known
        if self.around is not None and not self.around.holds_states:
            raise OptionError("this strategy works on statevectors; use Statevector(), or strategy='q-iprune'")
        qubits = {q for s in self.sites for q in s.qubits}.union(*task.output_supports)
        check_engine_memory(task, self.sites, max(1, len(qubits)), [len(task.selected)], more=len(self.places))
        return Participation(task, self.sites, self.places)

    @cached_property
    def outputs(self) -> FloatArray:
        """f of the circuit at hand, shape (R, M)."""
        return self.participation.values(np.ones(len(self.candidates)))

    @cached_property
    def target(self) -> FloatArray:
        """f of the original, shape (R, M)."""
        return self.outputs if self.around is None else self.around.outputs

    @cached_property
    def exact_effects(self) -> FloatArray:
        """e_k = f(without gate k) − f, shape (K, R, M): one run each."""
        runs = [self.participation.without([k]) - self.outputs for k in range(len(self.candidates))]
        return np.array(runs, dtype=float).reshape(len(runs), *self.outputs.shape)

    @cached_property
    def effects(self) -> FloatArray:
        """e_k to first order, −t_k ∂f/∂t_k, shape (K, R, M): one Jacobian; exact for gates that take no share."""
        _, derivative = self.participation.jacobian(np.ones(len(self.candidates)))
        found = -derivative
        for k in np.flatnonzero(~self.participation.scalable).tolist():
            found[k] = self.participation.without([k]) - self.outputs
        return found

    @property
    def weights(self) -> FloatArray:
        """p_i of the samples, shape (M,)."""
        return self._known.selection_weights()

    def vectors(self, effects: FloatArray) -> FloatArray:
        """Effects as rows √p_i e_k,(r,i), shape (K, R·M): scalar products are means over the ensemble."""
        weighted = effects * np.sqrt(self.weights)
        return weighted.reshape(len(effects), -1)

    def similarity(self, effects: FloatArray | None = None) -> FloatArray:
        """cos(e_k, e_l), shape (K, K), zero on the diagonal and for gates without effect; exact effects by default."""
        rows = self.vectors(self.exact_effects if effects is None else effects)
        norms = np.linalg.norm(rows, axis=1)
        least = LEAST_SHARE * self._known.largest_change
        rows = np.where(norms[:, None] > least, rows / np.maximum(norms, least or 1.0)[:, None], 0.0)
        cosines = rows @ rows.T
        np.fill_diagonal(cosines, 0.0)
        return cosines

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """Label of each selected sample, shape (M,).

        Raises:
            OptionError: The task has none.
        """
        task = self._known
        if task.labels is None:
            raise OptionError("this strategy needs labels: give the task labels=…, one class per sample")
        return task.labels[task.selected]

    def states(self) -> ComplexArray:
        """Final states of the circuit at hand, shape (2^n, M)."""
        task = self._known
        return Network(task, self.sites, register=range(task.num_qubits)).states(task.weights)

    def seconds_left(self) -> float:
        """How long the search may still take; where its time is up, this raises what ends it."""
        if self.around is None:
            return float(np.inf)
        self.around.check()
        return self.around.left()

    # -- the oracle --------------------------------------------------------------------------------------------

    def deviation(self, gone: Collection[int]) -> float:
        """Largest change of any output on any sample from the original when these gates are gone; counts its calls."""
        if self.around is not None:
            self.around.check()
        self.counted[0] += 1
        return self.change(self.participation.without(gone) - self.target)

    def change(self, difference: FloatArray) -> float:
        """Largest |Δ| of outputs, total variation of distributions, of a difference of shape (R, M)."""
        if self._known.observables is None:
            return float(np.abs(difference).sum(axis=0).max(initial=0) / 2)
        return float(np.abs(difference).max(initial=0))

    @property
    def calls(self) -> int:
        """How often `deviation` was asked."""
        return self.counted[0]

    # -- proposals ---------------------------------------------------------------------------------------------

    def ascending(self, scores: FloatArray | Sequence[float]) -> list[int]:
        """Gates by score, least first; equal scores in the order of the circuit."""
        return [int(k) for k in np.argsort(np.asarray(scores, dtype=float), kind="stable")]

    def up_to(self, shares: FloatArray, levels: Sequence[float]) -> list[list[int]]:
        """Sets of gates whose share is at most each level, the largest first."""
        return [np.flatnonzero(shares <= level).tolist() for level in sorted(levels, reverse=True)]

    def per_gain(self, scores: FloatArray) -> FloatArray:
        """Scores per cost that goes, for gates that cost nothing as for the least that counts."""
        least = LEAST_SHARE * self.gains.max(initial=0) or 1.0
        return np.asarray(scores / np.maximum(self.gains, least))
