"""Random requests: every limit with every option that goes with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .adapter import Request, on_device

STRATEGIES = (
    *(
        "magnitude",
        "random",
        "brain-surgeon",
        "mip",
        "elimination",
        "coarse-to-fine",
        "spanning-tree",
        "centrality",
        "qubo",
    ),
    *("equilibrium", "l0", "shapley", "discrete-layers"),
)
ORDERS = ("magnitude", "random", "q-iprune")  # of strategies, what needs no states
MODELS = ("depolarizing-1e-2", "depolarizing-1e-3", "relaxation-falcon", "over-rotation", "readout", "combined")


def draw_request(rng: np.random.Generator, scale: float, limit: str | None = None) -> Request:
    """Threshold, proven or measured, with random options.

    Args:
        rng: Where everything comes from.
        scale: Unit of the budget.
        limit: One of them; default any.
    """
    limit = limit or str(rng.choice(["threshold", "proven", "measured"], p=[0.4, 0.4, 0.2]))
    others = _others(rng, limit)
    tolerance = None
    if limit == "threshold" or (limit == "proven" and rng.random() < 0.25):
        tolerance = _some(rng, (1e-3, 0.3), (0.3, 2**0.5))
    budget = None if limit == "threshold" else _some(rng, (1e-3, 0.5), (0.5, 3.0)) * scale
    noise = None
    if rng.random() < 0.25:
        noise = (float(rng.choice([rng.uniform(0.5, 1), rng.random()])), float(rng.uniform(0, 4)), _gamma(rng))
    window: int | str = "auto" if rng.random() < 0.7 else int(rng.integers(4))
    return Request(limit, tolerance, budget, window=window, noise=noise, others=others)


def draw_accuracy(rng: np.random.Generator) -> Request:
    """For a task with labels."""
    loss = float(rng.choice([0.0, 0.01, rng.uniform(0, 0.6)]))
    return Request("accuracy", budget=loss, refit=bool(rng.random() < 0.4), others=_others(rng, "accuracy"))


def draw_refit(rng: np.random.Generator, scale: float) -> Request:
    others = {"strategy": str(rng.choice(["q-iprune", "magnitude", "random"])), "seed": int(rng.integers(100))}
    budget = _some(rng, (1e-3, 0.3), (0.3, 1.0)) * scale
    return Request("measured", budget=budget, refit=True, others=others)


def draw_everywhere(rng: np.random.Generator, scale: float) -> Request:
    """A budget that every input of a domain keeps (T9)."""
    others = _others(rng, "measured")
    budget = _some(rng, (1e-3, 0.5), (0.5, 3.0)) * scale
    return Request("everywhere", budget=budget, refit=bool(rng.random() < 0.1), others=others)


def draw_noisy(rng: np.random.Generator, scale: float) -> Request:
    """A named noise model, which sets costs and geometry; sometimes it says when to stop."""
    model = str(rng.choice(MODELS))
    if rng.random() < 0.4:
        return Request("under noise", noise=model, others=_others(rng, "measured"))
    request = draw_request(rng, scale)
    return Request(request.limit, request.tolerance, request.budget, noise=model, others=request.others)


def draw_mps(rng: np.random.Generator, scale: float) -> Request:
    request = draw_request(rng, scale)
    others = {**_without_states(request.others), "simulator": "matrix_product_state"}
    return Request(request.limit, request.tolerance, request.budget, noise=request.noise, others=others)


def draw_measured(rng: np.random.Generator, scale: float) -> Request:
    """Expectation values by measurement (T8), with a chance to fail that no soak will meet."""
    request = draw_request(rng, scale, str(rng.choice(["threshold", "proven"])))
    device = on_device(float(10.0 ** rng.uniform(-4, -2)), int(rng.integers(100)), 1e-12)
    others = {**_without_states(request.others), "simulator": device}
    return Request(request.limit, request.tolerance, request.budget, window=0, noise=request.noise, others=others)


def _without_states(others: dict[str, Any]) -> dict[str, Any]:
    """Another strategy for one that asks for states, where there are none."""
    return {**others, "strategy": "magnitude"} if others.get("strategy", "random") not in ORDERS else others


def _others(rng: np.random.Generator, limit: str) -> dict[str, Any]:
    others: dict[str, Any] = {}
    if limit in ("threshold", "proven") and rng.random() < 0.5:
        others["aggregate"] = "max"
    if rng.random() < 0.25:
        others["prune_encoding"] = True
    if rng.random() < 0.15:
        others["resynthesis"] = True
    if rng.random() < 0.15:
        others["costs"] = {"cx": float(rng.uniform(0, 30)), "rz": float(rng.choice([0, 1e-9, 5]))}
    if limit in ("threshold", "proven") and rng.random() < 0.5:
        others["representatives"] = str(rng.choice(["clifford", "class", "local"], p=[0.42, 0.42, 0.16]))
    if limit != "threshold" and rng.random() < 0.4:
        others |= {"strategy": str(rng.choice(STRATEGIES)), "seed": int(rng.integers(100))}
    if rng.random() < 0.05:
        others["couplings"] = str(rng.choice(["circuit", "any"]))
    if rng.random() < 0.05:
        others["form"] = str(rng.choice(["pauli", "auto"]))
    return others


def _some(rng: np.random.Generator, low: tuple[float, float], high: tuple[float, float]) -> float:
    return float(rng.choice([rng.uniform(*low), rng.uniform(*low), rng.uniform(*high), 0.0], p=[0.3, 0.3, 0.3, 0.1]))


def _gamma(rng: np.random.Generator) -> float:
    return float(rng.choice([0.0, 0.1, 1.0]))
