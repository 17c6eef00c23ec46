"""Which circuits, limits, strategies, budgets and seeds are run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

BUDGETS = (0.05, 0.1)  # in units of half the widest spectrum
SEEDS = 5
BUNDLES = ("reupload-2q", "iris-4q", "cancer-4q", "h2-vqe-4q", "digits-6q", "wine-6q", "digits4-8q")
OTHERS = ("su2-full-4-data", "su2-circular-4", "real-amplitudes-4-data", "n-local-sca-4")
OTHERS += ("qnn-5", "ae-5", "vqe_su2-5", "vqe_real_amp-5")  # of MQT Bench
SMALL = tuple(f"small-{seed}" for seed in range(6))
DRAWING = ("random", "qubo", "shapley", "l0")  # whose proposals depend on the seed
OPTIMUM = "optimum"  # the best of all sets, sought on small circuits in a strategy's place
REFIT = "refit"  # how limits end that refit, which starts from drawn weights whatever the strategy


@dataclass(frozen=True)
class Part:
    """Every circuit with every limit, strategy and budget.

    Attributes:
        circuits, limits, strategies: By name; no strategies for all.
        budgets: In units of half the widest spectrum.
        seeds: Of what draws; the others have one.
    """

    circuits: Sequence[str]
    limits: Sequence[str]
    strategies: Sequence[str] = ()
    budgets: Sequence[float] = BUDGETS
    seeds: int = SEEDS

    def configs(self, known: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Of each row what it is about, circuit by circuit.

        Args:
            known: All strategies.
        """
        for circuit in self.circuits:
            for limit in self.limits:
                for strategy in [name for name in known if not self.strategies or name in self.strategies]:
                    seeds = self.seeds if strategy in DRAWING or limit.endswith(REFIT) else 1
                    for budget in self.budgets:
                        for seed in range(seeds):
                            yield _config(circuit, limit, budget, strategy, seed)
                if limit == "measured" and circuit in SMALL:
                    for budget in self.budgets:
                        yield _config(circuit, limit, budget, OPTIMUM, 0)


def _config(circuit: str, limit: str, budget: float, strategy: str, seed: int) -> dict[str, Any]:
    return {"circuit": circuit, "limit": limit, "budget": budget, "strategy": strategy, "seed": seed}


_PLAIN = ("measured", "proven", "everywhere")
_TWO_BUDGETS = ("h2-vqe-4q", "iris-4q", "real-amplitudes-4-data", "reupload-2q", "su2-circular-4", *SMALL)
_ONE_BUDGET = ("n-local-sca-4", "su2-full-4-data", "qnn-5", "vqe_su2-5", "ae-5")
_FITTED = (*_TWO_BUDGETS[:5], *_ONE_BUDGET)
_WITH_INPUTS = ("iris-4q", "real-amplitudes-4-data", "su2-full-4-data", *SMALL)
_SEVEN = ("q-iprune", "brain-surgeon", "random", "mip", "coarse-to-fine", "shapley", "equilibrium")

# What its own rows say takes under two hours; everything takes days.
DEFAULT = (
    Part(_TWO_BUDGETS, _PLAIN),
    Part(_ONE_BUDGET, _PLAIN, budgets=(0.05,), seeds=2),
    Part(_FITTED, ("measured, refit",), budgets=(0.05,), seeds=1),
    Part(_FITTED, ("measured, refit",), _SEVEN, budgets=(0.05,)),
    Part(_WITH_INPUTS, ("everywhere, refit",), ("q-iprune", "brain-surgeon", "random", "equilibrium"), (0.05,), 1),
)
EVERYTHING = (Part((*BUNDLES, *OTHERS, *SMALL), (*_PLAIN, "measured, refit", "everywhere, refit")),)
QUICK = (Part(SMALL[:1], EVERYTHING[0].limits),)


def configs_of(parts: Iterable[Part], known: Sequence[str]) -> list[dict[str, Any]]:
    """Those of all parts, none twice."""
    found = {tuple(config.values()): config for part in parts for config in part.configs(known)}
    return list(found.values())
