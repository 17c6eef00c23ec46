"""The tasks by name: family, depth, data, training, and what counts as good enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

import qprune
from benchmarks.tasks.data import Data, Split, bars_and_stripes, mnist, mnist_amplitudes, phishing, segments
from benchmarks.tasks.fermions import molecule
from benchmarks.tasks.networks import (
    Family,
    classifier,
    convolutional,
    eigensolver,
    hardware_efficient,
    qaoa,
    strongly_entangling,
)
from benchmarks.tasks.training import outputs, trained

CHEMICAL = 1.6e-3  # hartree
PATIENCE = 15.0  # seconds of a search, unless the task says otherwise
FALLS = {"no loss": 0.0, "1 point": 0.01, "3 points": 0.03}  # of accuracy, or of the share of the best cut
FORMULAS = {"h2": "H2", "lih": "LiH", "h2o": "H2O"}
SPREAD = 0.1  # standard deviation of weights before training: near the identity, away from barren plateaus

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """One task.

    Attributes:
        family: Its networks.
        layers: Depth of the original.
        steps, rate: Of training.
        data: Makes its samples; None for energies and cuts, which are one number.
        target: Without data: the least value that the output can have.
        chemical: Whether that is an energy, to be met within chemical accuracy; else minus the best cut.
        patience: Seconds after which a search for a smaller circuit is ended.
        budgets: Deviations that pruning without labels may make, in the output's unit.
        about: Data and network, for people.
    """

    family: Callable[[], Family]
    layers: int
    about: str
    steps: int = 800
    rate: float = 0.03
    data: Callable[[], Data] | None = None
    target: Callable[[], float] | None = None
    chemical: bool = False
    patience: float = PATIENCE
    budgets: tuple[float, ...] = (0.2, 0.35, 0.5)

    @property
    def unit(self) -> str:
        if self.data is not None:
            return "accuracy"
        return "mHa above exact" if self.chemical else "share of the best cut"

    def split(self, name: str) -> Split | None:
        """The samples of "train", "selection" or "test"; None without data."""
        return None if self.data is None else getattr(self.data(), name)

    def on(self, task: qprune.Task, name: str, most: int | None = None) -> qprune.Task:
        """A network on a split, at most its first so many samples; the network itself without data."""
        split = self.split(name)
        return task if split is None else task.with_inputs(split.inputs[:most], labels=split.labels[:most])

    def score(self, task: qprune.Task, name: str) -> float:
        """Accuracy on a split; without data the share of the best cut, or minus the error of the energy in hartree."""
        placed = self.on(task, name)
        values = outputs(placed)
        if self.target is None:
            return float(placed.accuracy(values) or 0.0)
        value, target = float(values[0, 0]), self.target()
        return target - value if self.chemical else value / target

    def limits(self, score: float) -> dict[str, float]:
        """The score that must be kept at each level, from the original's."""
        if self.chemical:
            return {"chemical accuracy": -CHEMICAL}
        return {level: score - fall for level, fall in FALLS.items()}

    def descended(self, task: qprune.Task, steps: int, rate: float, seed: int) -> qprune.Task:
        """A network trained on from its weights."""
        return task.with_weights(trained(self.on(task, "train"), task.weights, steps=steps, rate=rate, seed=seed))

    def scratch(self, task: qprune.Task, steps: int, seed: int) -> qprune.Task:
        """A network trained from weights near zero."""
        weights = np.random.default_rng(seed).normal(scale=SPREAD, size=len(task.weights))
        return self.descended(task.with_weights(weights), steps, self.rate, seed)

    def original(self, seed: int) -> qprune.Task:
        """The network of full depth, trained."""
        return self.scratch(self.family().network(self.layers), self.steps, seed)


def _ladder(nodes: int) -> list[tuple[int, int]]:
    """A Möbius ladder: a ring, and an edge between opposite nodes; three edges a node."""
    return [(j, (j + 1) % nodes) for j in range(nodes)] + [(j, j + nodes // 2) for j in range(nodes // 2)]


def best_cut(qubits: int, edges: list[tuple[int, int]]) -> int:
    """By looking at every partition."""
    sides = (np.arange(2**qubits)[:, None] >> np.arange(qubits)) & 1
    return int(np.max(sum(sides[:, a] ^ sides[:, b] for a, b in edges)))


def _angles(classes: tuple[int, ...], qubits: int, layers: int, **options: object) -> Known:
    return Known(
        family=partial(classifier, qubits, strongly_entangling, classes=len(classes)),
        layers=layers,
        data=partial(mnist, classes, qubits),
        about=f"MNIST {' / '.join(map(str, classes))}, {qubits} principal components as angles, strongly entangling",
        **options,  # type: ignore[arg-type]
    )


def _amplitudes(classes: tuple[int, ...], layers: int) -> Known:
    return Known(
        family=partial(classifier, 4, strongly_entangling, amplitudes=True),
        layers=layers,
        data=partial(mnist_amplitudes, classes),
        about=f"MNIST {' / '.join(map(str, classes))}, 4 × 4 pixels as amplitudes, strongly entangling",
    )


def _bars(rows: int, columns: int, layers: int, steps: int, count: int, **options: float) -> Known:
    return Known(
        family=partial(classifier, rows * columns, strongly_entangling),
        layers=layers,
        steps=steps,
        data=partial(bars_and_stripes, rows, columns, count),
        about=f"bars against stripes, {rows} × {columns} noisy pixels as angles, strongly entangling",
        **options,  # type: ignore[arg-type]
    )


def _energy(name: str, layers: int, hardware: bool, **options: float) -> Known:
    ansatz = hardware_efficient if hardware else None
    return Known(
        family=partial(eigensolver, name, ansatz),
        layers=layers,
        steps=2000,
        target=lambda: molecule(name).exact,
        chemical=True,
        budgets=(CHEMICAL, 4 * CHEMICAL),
        about=f"{FORMULAS[name]} {'hardware-efficient' if hardware else 'UCCSD'}",
        **options,  # type: ignore[arg-type]
    )


TASKS: dict[str, Known] = {
    "mnist-01-6q": _angles((0, 1), 6, 10),
    "mnist-36-6q": _angles((3, 6), 6, 10),
    "mnist-49-6q": _angles((4, 9), 6, 10),
    "mnist-36-amplitudes-4q": _amplitudes((3, 6), 12),
    "bars-2x2-4q": _bars(2, 2, 10, 800, 6000),
    "bars-2x3-6q": _bars(2, 3, 10, 1500, 6000),
    "bars-3x3-9q": _bars(3, 3, 8, 2000, 6000, patience=60.0),
    "h2-uccsd-4q": _energy("h2", 1, hardware=False),
    "h2-hardware-4q": _energy("h2", 5, hardware=True),
    "lih-uccsd-6q": _energy("lih", 1, hardware=False),
    "lih-hardware-6q": _energy("lih", 6, hardware=True, patience=30.0),
    "h2o-uccsd-8q": _energy("h2o", 1, hardware=False),
    "h2o-hardware-8q": _energy("h2o", 8, hardware=True),
    "maxcut-8q": Known(
        family=lambda: qaoa(8, _ladder(8)),
        layers=6,
        steps=500,
        target=lambda: -float(best_cut(8, _ladder(8))),
        budgets=(0.1, 0.3),
        about="MaxCut on the Möbius ladder of 8 nodes, QAOA",
    ),
    "mnist-0123-8q": _angles((0, 1, 2, 3), 8, 8),
    "phishing-9q": Known(
        family=partial(classifier, 9, strongly_entangling),
        layers=6,
        data=phishing,
        about="phishing sites, nine properties as angles, strongly entangling",
    ),
    "segments-10q": Known(
        family=partial(classifier, 10, strongly_entangling),
        layers=6,
        data=segments,
        about="patches of photographs, nature or built, ten colours as angles, strongly entangling",
    ),
    "mnist-01-convolutional-8q": Known(
        family=partial(classifier, 8, convolutional),
        layers=2,
        data=partial(mnist, (0, 1), 8),
        about="MNIST 0 / 1, 8 principal components as angles, convolutional",
    ),
    "mnist-01-amplitudes-4q": _amplitudes((0, 1), 12),
    "mnist-49-amplitudes-4q": _amplitudes((4, 9), 12),
    "mnist-49-8q": _angles((4, 9), 8, 10, steps=1500),
    "mnist-10-classes-10q": Known(
        family=partial(classifier, 10, strongly_entangling, classes=10),
        layers=4,  # ten outputs on ten qubits: a step of training takes ten times that of two classes on eight
        steps=800,
        data=partial(mnist, tuple(range(10)), 10, 200),
        about="MNIST, all ten digits, 10 principal components as angles, strongly entangling",
    ),
}
