"""What can be known of a trained network before anything is pruned, and may tell how small it becomes."""

from __future__ import annotations

import numpy as np

import qprune
from benchmarks.compression.points import SAMPLES
from benchmarks.records import Row
from benchmarks.tasks.catalogue import Known
from qprune._optional import require
from qprune.gates.sites import sites_of
from qprune.simulators.engine import Network

NAME = "compression, beforehand"
EXPLAINED = 0.999  # share of the squared Jacobian that directions carry


def known_beforehand(known: Known, task: qprune.Task) -> Row:
    """Directions in which weights move the outputs, and accuracies of classical rules on the same inputs.

    Args:
        known: The task, with data.
        task: Its trained original.

    Returns:
        `directions`: as many singular vectors of the Jacobian of all outputs on training samples carry 99.9 % of its
        square; `one_input` and `linear`: test accuracy of the best threshold on one input, and of logistic regression.
    """
    found: Row = {"directions": directions(known.on(task, "train", SAMPLES)), "weights": len(task.weights)}
    train, test = known.split("train"), known.split("test")
    if train is None or test is None:
        return found
    rules = {
        "one_input": require("sklearn.tree", "tasks", "the task").DecisionTreeClassifier(max_depth=1, random_state=0),
        "linear": require("sklearn.linear_model", "tasks", "the task").LogisticRegression(max_iter=2000),
    }
    for name, rule in rules.items():
        found[name] = float(rule.fit(train.inputs, train.labels).score(test.inputs, test.labels))
    return found


def directions(task: qprune.Task) -> int:
    """How many singular vectors of the Jacobian of all outputs on the samples carry 99.9 % of its square."""
    jacobian = Network(task, sites_of(task)).jacobian(task.weights)[1]
    squares = np.linalg.svd(jacobian.reshape(-1, jacobian.shape[2]), compute_uv=False) ** 2
    return int(np.searchsorted(np.cumsum(squares) / squares.sum(), EXPLAINED)) + 1
