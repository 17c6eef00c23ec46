"""Generative: prune a Born machine that draws bars and stripes, under a bound on total variation.

python -m examples.generative [--short]
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any

import numpy as np
import pennylane as qml
from pennylane import numpy as pnp
from tqdm import tqdm

import qprune.pennylane as qpp
from qprune import Proven

BUDGET = 0.05  # total variation that pruning may cost, proven
SIZES = {"2x2": (2, 2), "2x3": (2, 3)}


def main(short: bool = False) -> dict[str, dict[str, float]]:
    """Train, prune, and compare with the target distribution; returns the numbers it prints, by size."""
    sizes = {"2x2": SIZES["2x2"]} if short else SIZES
    found = {name: _one(name, *size, steps=60 if short else 200) for name, size in sizes.items()}
    columns = list(next(iter(found.values())))
    print("".join(f"{c:>20}" for c in ("images", *columns)))
    for name, numbers in found.items():
        print(f"{name:>20}" + "".join(f"{numbers[c]:>20.4g}" for c in columns))
    return found


def bars_and_stripes(rows: int, columns: int) -> np.ndarray:
    """Uniform distribution over images of full rows or full columns, pixel 0 the most significant bit."""
    images = {tuple(np.repeat(bits, columns)) for bits in product((0, 1), repeat=rows)}
    images |= {tuple(np.tile(bits, rows)) for bits in product((0, 1), repeat=columns)}
    target = np.zeros(2 ** (rows * columns))
    target[[int("".join(map(str, image)), 2) for image in images]] = 1 / len(images)
    return target


def _one(name: str, rows: int, columns: int, steps: int) -> dict[str, float]:
    qubits, target = rows * columns, bars_and_stripes(rows, columns)

    @qml.qnode(qml.device("default.qubit", wires=qubits))
    def machine(weights: Any) -> Any:
        qml.StronglyEntanglingLayers(weights, wires=range(qubits))
        return qml.probs(wires=range(qubits))

    def loss(weights: Any) -> Any:
        return pnp.sum((pnp.sqrt(machine(weights) + 1e-12) - np.sqrt(target)) ** 2)  # Hellinger

    shape = qml.StronglyEntanglingLayers.shape(n_layers=4, n_wires=qubits)
    weights = pnp.array(np.random.default_rng(1).normal(scale=0.3, size=shape))
    optimizer = qml.AdamOptimizer(0.05)
    for _ in tqdm(range(steps), desc=f"training {name}", disable=None):
        weights = optimizer.step(loss, weights)

    pruned = qpp.prune(machine, Proven(BUDGET), inputs=None, weights=weights)
    before, after = np.array(machine(weights)), np.array(pruned(pruned.weights))
    result = pruned.result
    return {
        "gates before": result.flat.size(),
        "exact": result.simplified.size(),
        "gates after": result.circuit.size(),
        "KL before": _divergence(target, before),
        "KL after": _divergence(target, after),
        "TV to target before": _total_variation(target, before),
        "TV to target after": _total_variation(target, after),
        "TV by pruning": _total_variation(before, after),
        "proven": result.certificate.largest_bound,
    }


def _divergence(target: np.ndarray, model: np.ndarray) -> float:
    seen = target > 0
    return float(np.sum(target[seen] * np.log(target[seen] / np.maximum(model[seen], 1e-12))))


def _total_variation(first: np.ndarray, second: np.ndarray) -> float:
    return float(0.5 * np.abs(first - second).sum())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="2x2 alone, few steps")
    main(parser.parse_args().short)
