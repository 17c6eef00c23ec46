"""The ways of making a circuit smaller that the noise benchmark compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler.passes import RemoveIdentityEquivalent

import qprune
from benchmarks.noise.estimates import SHOTS
from benchmarks.noise.regimes import Regime
from qprune import Limit, Measured, Threshold, UnderNoise
from qprune._arrays import FloatArray
from qprune.exact.simplify import light_cones
from qprune.gates.costs import default_cost
from qprune.gates.sites import circuit_of, sites_of
from qprune.results.every_input import EveryInput

Setting = Mapping[str, Any]
"""`{"budget": …}`, `{"tolerance": …}`, or `{"shots": …}` under noise; {} where nothing can be set."""

HALVINGS = 30  # of the interval in which Qiskit's threshold is sought


@dataclass(frozen=True)
class Pruned:
    """A smaller circuit: weights bound, inputs free.

    Attributes:
        circuit: The circuit.
        limit: Largest change of each output on each training sample, shape (R, M), that is guaranteed; None if
            nothing is.
        level: Of the transpiler's optimisation.
        everywhere: What is proven for every input; None if nothing is.
    """

    circuit: QuantumCircuit
    limit: FloatArray | None = None
    level: int = 3
    everywhere: EveryInput | None = None


@dataclass(frozen=True)
class Pruner:
    """A way of making a circuit smaller.

    Attributes:
        prune: Task, setting, seed and noise (None where it is not looked at) to a smaller circuit.
        settings: What it is run with.
        seeds: How often it is drawn, at the middle setting; once at the others.
        calibrated: Whether it looks at the noise.
        base: The pruner whose circuit is run under zero-noise extrapolation; None: its own, as it is.
    """

    prune: Callable[[qprune.Task, Setting, int, Regime | None], Pruned]
    settings: tuple[Setting, ...]
    seeds: int = 1
    calibrated: bool = False
    base: str | None = None

    @property
    def middle(self) -> Setting:
        """The setting that more seeds than one are run with."""
        return self.settings[(len(self.settings) - 1) // 2]


def _none(task: qprune.Task, *_: Any) -> Pruned:
    return Pruned(_bound(task.circuit, task), level=1)


def _optimised(task: qprune.Task, *_: Any) -> Pruned:
    """Whatever Qiskit does at its highest level."""
    return Pruned(_bound(task.circuit, task))


def light_cone(task: qprune.Task, *_: Any) -> Pruned:
    """Without the gates that no output sees, whatever their angles."""
    sites = sites_of(task)
    seen = light_cones(task, sites, set()).any(axis=0)
    return Pruned(_bound(circuit_of(task, [site for site, kept in zip(sites, seen, strict=True) if kept]), task))


def _identity_equivalents(task: qprune.Task, setting: Setting, seed: int, regime: None) -> Pruned:
    """Qiskit's pass after the light cone, its threshold such that as many gates are left as q-iPrune leaves."""
    size = _pruned(task, setting, seed, regime).circuit.size()
    start = light_cone(task).circuit
    keeps_too_many, removes_enough = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (keeps_too_many + removes_enough) / 2
        if RemoveIdentityEquivalent(approximation_degree=1 - middle)(start).size() > size:
            keeps_too_many = middle
        else:
            removes_enough = middle
    return Pruned(RemoveIdentityEquivalent(approximation_degree=1 - removes_enough)(start))


def _pruned(
    task: qprune.Task,
    setting: Setting,
    seed: int,
    regime: Regime | None,
    *,
    refit: bool = False,
    beta: float = 1.0,
    gamma: float = 1.0,
    shots: int | None = None,
    **options: Any,
) -> Pruned:
    """`prune`, with λ calibrated where the noise is given, else λ = 1."""
    noise = None if regime is None else regime.calibration(beta, gamma, shots)
    result = qprune.prune(task, _limit(setting, refit), seed=seed, noise=noise, **options)
    certificate = result.certificate
    kept = certificate.bound if certificate.limited_by_proof else certificate.measured
    return Pruned(_bound(result.circuit, result.task), np.array(kept), everywhere=certificate.every_input)


def _limit(setting: Setting, refit: bool) -> Limit:
    if "tolerance" in setting:
        return Threshold(**setting)
    if "budget" in setting:
        return Measured(setting["budget"], refit=refit)
    return UnderNoise(refit=refit, shots=setting["shots"])


def _bound(circuit: QuantumCircuit, task: qprune.Task) -> QuantumCircuit:
    weights = task.named_weights
    return circuit.assign_parameters({p: weights[p.name] for p in circuit.parameters if p.name in weights})


def _q_iprune(settings: tuple[Setting, ...], seeds: int = 1, calibrated: bool = False, **options: Any) -> Pruner:
    return Pruner(partial(_pruned, **options), settings, seeds, calibrated)


BUDGETS: tuple[Setting, ...] = tuple({"budget": budget} for budget in (0.05, 0.1, 0.2))
MIDDLE = BUDGETS[1:2]
TOLERANCES: tuple[Setting, ...] = tuple({"tolerance": tolerance} for tolerance in (0.02, 0.05, 0.1, 0.2))
PRESENT: tuple[Setting, ...] = ({"shots": None},)  # least mean deviation, as if shots had no end
AT_SHOTS: tuple[Setting, ...] = ({"shots": SHOTS},)
GEOMETRY: Setting = {"gamma": 0.0, "costs": default_cost}
TOLERANCE: Setting = {"beta": 0.0}  # and costs
NOTHING: Setting = {"beta": 0.0, "gamma": 0.0, "costs": default_cost}
PARTS: Mapping[str, Setting] = {"no λ": NOTHING, "λ in geometry": GEOMETRY, "λ in costs": TOLERANCE, "λ": {}}
UNDER_NOISE = _q_iprune(AT_SHOTS, seeds=5, calibrated=True, refit=True)

PRUNERS: Mapping[str, Pruner] = {
    "none": Pruner(_none, ({},)),
    "Qiskit O3": Pruner(_optimised, ({},)),
    "exact": _q_iprune(({"budget": 0.0},)),
    "UnderNoise": UNDER_NOISE,
    "Qiskit O3, ZNE": Pruner(_optimised, ({},), base="Qiskit O3"),
    "UnderNoise, ZNE": replace(UNDER_NOISE, seeds=1, base="UnderNoise"),
    "UnderNoise, mean deviation": _q_iprune(PRESENT, calibrated=True, refit=True),
    "q-iPrune, refit": _q_iprune(BUDGETS, refit=True),
    "q-iPrune": _q_iprune(BUDGETS),
    "RemoveIdentityEquivalent": Pruner(_identity_equivalents, BUDGETS),
    "magnitude": _q_iprune(BUDGETS, strategy="magnitude"),
    "one-shot": _q_iprune(TOLERANCES, seeds=5),
    "random": _q_iprune(MIDDLE, seeds=10, strategy="random"),
    "random, refit": _q_iprune(MIDDLE, seeds=5, strategy="random", refit=True),
    "q-iPrune, λ": _q_iprune(BUDGETS, calibrated=True),
    "q-iPrune, λ, refit": _q_iprune(MIDDLE, calibrated=True, refit=True),
    # λ part by part; with refit no distance is looked at, so that costs are all there is of it
    "UnderNoise, no λ": _q_iprune(AT_SHOTS, seeds=5, calibrated=True, refit=True, **NOTHING),
    **{
        f"UnderNoise without refit, {part}": _q_iprune(AT_SHOTS, seeds=5, calibrated=True, **options)
        for part, options in PARTS.items()
    },
    "one-shot, λ": _q_iprune(TOLERANCES, seeds=5, calibrated=True),
    "one-shot, λ in geometry": _q_iprune(TOLERANCES, seeds=5, calibrated=True, **GEOMETRY),
    "one-shot, λ in tolerance": _q_iprune(TOLERANCES, seeds=5, calibrated=True, **TOLERANCE),
    "one-shot, λ in tolerance at shots": _q_iprune(TOLERANCES, seeds=5, calibrated=True, shots=SHOTS, **TOLERANCE),
}
