"""QUBO: what is worth keeping and not redundant, as a quadratic problem over bits, solved by annealing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune._checks import checked_choice
from qprune._optional import require
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields, set_flags
from qprune.selection.strategies.tensor_train import refined

BISECTIONS = 12  # of μ for one capacity


@dataclass(frozen=True)
class Qubo(Strategy):
    """min −Σ(α T_k + β F_k) z_k + γ Σ_{k<l} |cos(e_k, e_l)| z_k z_l + μ Σ c_k z_k over bits z, 1 for kept.

    T_k = ‖e_k‖ and F_k = ½ F_kk t_k² (Fisher information of the outputs, half the square of first-order effects), each
    in units of its largest; c_k is 1, or the cost in units of its largest. μ is found by bisection such that the
    capacity is met; where no μ does, the last gates go or come by the least energy, so that it is met exactly.

    Args:
        alpha: Weight of T, ≥ 0.
        beta: Weight of F, ≥ 0.
        gamma: Weight of redundancy, ≥ 0.
        capacity: Share kept, in [0, 1]; None: the smallest that keeps the budget, by bisection with the oracle.
        by: What the capacity counts, "number" of gates or "cost" (met up to the last gate).
        reads, sweeps: Of each annealing, ≥ 1.
        refine: Then search bits near the solution for the cheapest circuit within the budget, by a tensor train on
            measured deviations.
        evaluations: Deviations that the second stage may ask for, ≥ 1.

    Source: Hybrid QUBO, arXiv:2604.05856 (neural networks); at the level of gates ours. dimod, dwave-samplers, PROTES.

    Example:
        >>> Qubo(gamma=1, refine=True).gamma
        1.0
    """

    alpha: float = 1.0
    beta: float = 1.0
    gamma: float = 0.5
    capacity: float | None = None
    by: str = "number"
    reads: int = 10
    sweeps: int = 100
    refine: bool = False
    evaluations: int = 2000
    name: ClassVar[str] = "qubo"

    def __post_init__(self) -> None:
        set_fields(self, alpha=(0, np.inf), beta=(0, np.inf), gamma=(0, np.inf))
        set_fields(self, reads=(1, np.inf), sweeps=(1, np.inf), evaluations=(1, np.inf))
        if self.capacity is not None:
            object.__setattr__(self, "capacity", float(self.capacity))
        set_fields(self, capacity=(0, 1))
        checked_choice(self.by, "by", ("number", "cost"))
        set_flags(self, "refine")

    def propose(self, evidence: Evidence) -> Proposal:
        linear, quadratic, sizes = self.model(evidence)
        size, kept = len(linear), list[NDArray[np.bool_]]()

        def at(capacity: float) -> list[int]:
            kept.append(self._meeting(linear, quadratic, sizes, capacity, evidence.rng))
            return np.flatnonzero(~kept[-1]).tolist()

        if self.capacity is not None:
            sets = [at(self.capacity * sizes.sum())]
        else:
            low, high, best = 0, size, list[int]()  # gates that go, of those that might
            while low < high:
                middle = (low + high + 1) // 2
                gone = at(sizes.sum() * (size - middle) / size)
                fits = evidence.deviation(gone) <= evidence.budget
                low, high, best = (middle, high, gone) if fits else (low, middle - 1, best)
            sets = [best]
        if self.refine:
            sets = [refined(evidence, sets[0], self.evaluations), *sets]
        often = np.mean(kept, axis=0) if kept else np.zeros(size)
        return Proposal(order=np.lexsort((-linear, np.round(often, 9))).tolist(), sets=sets)

    def model(self, evidence: Evidence) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Energies −(αT + βF) (K,), γ|cos| (K, K) with zero diagonal, and what each gate counts, c (K,)."""
        taylor = np.linalg.norm(evidence.vectors(evidence.effects), axis=1)
        fisher = taylor**2 / 2
        parts = (w * v / (v.max(initial=0) or 1.0) for w, v in ((self.alpha, taylor), (self.beta, fisher)))
        sizes = np.ones(len(taylor))
        if self.by == "cost":
            sizes = evidence.costs / (evidence.costs.max(initial=0) or 1.0)
        return -sum(parts, np.zeros(len(taylor))), self.gamma * np.abs(evidence.similarity(evidence.effects)), sizes

    def _meeting(
        self,
        linear: FloatArray,
        quadratic: FloatArray,
        sizes: FloatArray,
        capacity: float,
        rng: np.random.Generator,
    ) -> NDArray[np.bool_]:
        """The bits of least energy that count as much as the capacity, shape (K,)."""
        low = -float(quadratic.sum()) - 1.0  # all are kept
        high = float(np.abs(linear).max(initial=0)) + 1.0  # none is
        span = sizes[sizes > 0].min(initial=1.0)
        low, high = low / span, high / span
        slack = 0.5 * sizes.max(initial=0)
        best = np.ones(len(linear), dtype=bool)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            found = self._annealed(linear + middle * sizes, quadratic, rng)
            if abs(found @ sizes - capacity) < abs(best @ sizes - capacity):
                best = found
            if abs(found @ sizes - capacity) < min(slack, 1e-9):
                break
            low, high = (middle, high) if found @ sizes > capacity else (low, middle)
        # One gate more or less, by the least energy; half the largest gate is as near as one gate can bring it.
        while abs(best @ sizes - capacity) > slack * (1 + 1e-9):
            more = best @ sizes < capacity
            change = (linear + quadratic @ best) * (1 if more else -1)
            change[(best if more else ~best) | (sizes == 0)] = np.inf
            best = best.copy()
            best[int(np.argmin(change))] ^= True
        return best

    def _annealed(self, linear: FloatArray, quadratic: FloatArray, rng: np.random.Generator) -> NDArray[np.bool_]:
        dimod = require("dimod", "strategies", "strategy 'qubo'")
        samplers = require("dwave.samplers", "strategies", "strategy 'qubo'")
        model = dimod.BinaryQuadraticModel(linear, np.triu(quadratic, 1), 0.0, dimod.BINARY)
        seed = int(rng.integers(2**31))
        answers = samplers.SimulatedAnnealingSampler().sample(
            model, num_reads=self.reads, num_sweeps=self.sweeps, seed=seed
        )
        first = answers.first.sample
        return np.array([first[k] == 1 for k in range(len(linear))], dtype=bool)
