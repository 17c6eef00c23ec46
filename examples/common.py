"""What the examples share: a training loop with a progress bar, and a Markdown table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pennylane as qml
from tqdm import tqdm


def train(loss: Callable[[Any], Any], weights: Any, *, steps: int, stepsize: float, name: str = "training") -> Any:
    """Minimise loss(weights) by Adam."""
    optimizer = qml.AdamOptimizer(stepsize)
    with tqdm(range(steps), name, unit="step", disable=None) as bar:
        for _ in bar:
            weights, cost = optimizer.step_and_cost(loss, weights)
            bar.set_postfix(loss=f"{float(cost):.4g}")
    return weights


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; the first is text, the others are numbers."""
    widths = [max(len(line[j]) for line in (header, *rows)) for j in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [header, rule, *rows]
    cells = [[c.rjust(w) if j else c.ljust(w) for j, (c, w) in enumerate(zip(x, widths, strict=True))] for x in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
