"""The ways of making a circuit smaller that the noise benchmark compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler.passes import RemoveIdentityEquivalent

import qprune
from benchmarks.noise.regimes import Regime
from qprune import Limit, Measured, Threshold, UnderNoise
from qprune._arrays import FloatArray
from qprune.exact.simplify import light_cones
from qprune.gates.costs import default_cost
from qprune.gates.sites import circuit_of, sites_of
from qprune.limits.finished import finished, forecast_of
from qprune.limits.measuring import compressor_of
from qprune.limits.prepared import prepare
from qprune.limits.settings import Settings
from qprune.limits.under_noise import fitted_for_noise

Setting = Mapping[str, Any]
"""`{"budget": …}` or `{"tolerance": …}`; {} where nothing can be set."""

HALVINGS = 30  # of the interval in which Qiskit's threshold is sought


@dataclass(frozen=True)
class Pruned:
    """A smaller circuit: weights bound, inputs free.

    Attributes:
        circuit: The circuit.
        limit: Largest change of each output on each training sample, shape (R, M), that is guaranteed; None if
            nothing is.
    """

    circuit: QuantumCircuit
    limit: FloatArray | None = None


@dataclass(frozen=True)
class Pruner:
    """A way of making a circuit smaller.

    Attributes:
        prune: Task, setting, seed and noise (None where it is not looked at) to a smaller circuit.
        settings: What it is run with.
        seeds: How often it is drawn.
        calibrated: Whether it looks at the noise.
    """

    prune: Callable[[qprune.Task, Setting, int, Regime | None], Pruned]
    settings: tuple[Setting, ...]
    seeds: int = 1
    calibrated: bool = False


def _none(task: qprune.Task, *_: Any) -> Pruned:
    return Pruned(_bound(task.circuit, task))


def _light_cone(task: qprune.Task, *_: Any) -> Pruned:
    """Without the gates that no output sees, whatever their angles."""
    sites = sites_of(task)
    seen = light_cones(task, sites, set()).any(axis=0)
    return Pruned(_bound(circuit_of(task, [site for site, kept in zip(sites, seen, strict=True) if kept]), task))


def _identity_equivalents(task: qprune.Task, setting: Setting, seed: int, regime: None) -> Pruned:
    """Qiskit's pass after the light cone, its threshold such that as many gates are left as q-iPrune leaves."""
    size = _pruned(task, setting, seed, regime).circuit.size()
    start = _light_cone(task).circuit
    keeps_too_many, removes_enough = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (keeps_too_many + removes_enough) / 2
        if RemoveIdentityEquivalent(approximation_degree=1 - middle)(start).size() > size:
            keeps_too_many = middle
        else:
            removes_enough = middle
    return Pruned(RemoveIdentityEquivalent(approximation_degree=1 - removes_enough)(start))


def _refitted_to_the_noise(task: qprune.Task, setting: Setting, seed: int, regime: Regime | None) -> Pruned:
    """No gate removed, weights such that the noisy outputs, as predicted, are the original's."""
    if regime is None:
        raise ValueError("to be refitted to a noise")
    noise = regime.calibration(1.0, 1.0)
    limit = UnderNoise(noise, refit="noise")
    prepared = prepare(task, Settings(noise=noise, seed=seed), limit.comparison)
    compressor = compressor_of(prepared)
    fitted = finished(prepared, fitted_for_noise(prepared, forecast_of(prepared), compressor, compressor.original))
    return Pruned(_bound(fitted.task.circuit, fitted.task))


def _pruned(
    task: qprune.Task,
    setting: Setting,
    seed: int,
    regime: Regime | None,
    *,
    refit: bool | str = False,
    beta: float = 1.0,
    gamma: float = 1.0,
    **options: Any,
) -> Pruned:
    """`prune`, with λ calibrated where the noise is given, else λ = 1."""
    noise = None if regime is None else regime.calibration(beta, gamma)
    result = qprune.prune(task, _limit(setting, refit), seed=seed, noise=noise, **options)
    certificate = result.certificate
    kept = certificate.bound if certificate.limited_by_proof else certificate.measured
    return Pruned(_bound(result.circuit, result.task), np.array(kept))


def _limit(setting: Setting, refit: bool | str) -> Limit:
    if "budget" not in setting:
        return Threshold(**setting)
    return UnderNoise(refit=refit) if setting["budget"] == "noise" else Measured(setting["budget"], refit=refit)


def _bound(circuit: QuantumCircuit, task: qprune.Task) -> QuantumCircuit:
    weights = task.named_weights
    return circuit.assign_parameters({p: weights[p.name] for p in circuit.parameters if p.name in weights})


def _q_iprune(settings: tuple[Setting, ...], seeds: int = 1, calibrated: bool = False, **options: Any) -> Pruner:
    return Pruner(partial(_pruned, **options), settings, seeds, calibrated)


def _budgets(*budgets: float | str) -> tuple[Setting, ...]:
    return tuple({"budget": budget} for budget in budgets)


BUDGETS, REFIT_BUDGETS = _budgets(0.05, 0.1, 0.2, 0.3), _budgets(0.05, 0.1, 0.2)
TOLERANCES = tuple({"tolerance": tolerance} for tolerance in (0.02, 0.05, 0.1, 0.2))
GEOMETRY: Setting = {"gamma": 0.0, "costs": default_cost}
TOLERANCE: Setting = {"beta": 0.0}  # and costs

PRUNERS: Mapping[str, Pruner] = {
    "none": Pruner(_none, ({},)),
    "light cone": Pruner(_light_cone, ({},)),
    "exact": _q_iprune(_budgets(0.0)),
    "RemoveIdentityEquivalent": Pruner(_identity_equivalents, BUDGETS),
    "magnitude": _q_iprune(BUDGETS, strategy="magnitude"),
    "random": _q_iprune(BUDGETS, seeds=10, strategy="random"),
    "random, refit": _q_iprune(REFIT_BUDGETS, seeds=3, strategy="random", refit=True),
    "q-iPrune": _q_iprune(BUDGETS),
    "q-iPrune, λ": _q_iprune(BUDGETS, calibrated=True),
    "q-iPrune, refit": _q_iprune(REFIT_BUDGETS, refit=True),
    "q-iPrune, λ, refit": _q_iprune((*REFIT_BUDGETS, *_budgets("noise")), calibrated=True, refit=True),
    "none, refit to the noise": Pruner(_refitted_to_the_noise, ({},), calibrated=True),
    "random, λ, refit to the noise": _q_iprune(
        _budgets("noise"), seeds=3, calibrated=True, strategy="random", refit="noise"
    ),
    "q-iPrune, λ, refit to the noise": _q_iprune(_budgets("noise"), calibrated=True, refit="noise"),
    # what λ does to the geometry, and to tolerance and costs, apart
    "q-iPrune, λ in geometry, refit": _q_iprune(_budgets(0.1), calibrated=True, **GEOMETRY, refit=True),
    "q-iPrune, λ in costs, refit": _q_iprune(_budgets(0.1), calibrated=True, **TOLERANCE, refit=True),
    "one-shot": _q_iprune(TOLERANCES),
    "one-shot, λ": _q_iprune(TOLERANCES, calibrated=True),
    "one-shot, λ in geometry": _q_iprune(TOLERANCES, calibrated=True, **GEOMETRY),
    "one-shot, λ in tolerance": _q_iprune(TOLERANCES, calibrated=True, **TOLERANCE),
}
