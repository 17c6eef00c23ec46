"""What the parameters of a QNode's task are called by whoever wrote the QNode. Part of `qprune.pennylane`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune.pennylane.network import Network, number_tolerance
from qprune.pennylane.roles import Roles
from qprune.pennylane.tape import number


def names_of(roles: Roles, network: Network) -> dict[str, str]:
    """By the task's name the entry of an argument that is this number, such as `weights[0, 0, 2]`.

    A number that is worked out of several entries, or is another than its entry, keeps the task's name.
    """
    weights = [(name, index, float(v)) for name, a in network.weights.items() for index, v in _entries(number(a))]
    inputs = [
        (name, index, np.array([number(row)[index] for row in rows], dtype=float))
        for name, rows in network.inputs.items()
        for index, _ in _entries(number(rows)[0])
    ]
    found = {}
    for s in np.flatnonzero(roles.moving).tolist():
        if roles.encoding[s]:
            same = [(n, i) for n, i, column in inputs if np.allclose(column, roles.values[:, s], rtol=1e-6, atol=0)]
        else:
            entries, value = np.flatnonzero(roles.depends[s]), roles.values[0, s]
            close = number_tolerance(value, network.is_single)
            same = [weights[k][:2] for k in entries if len(entries) == 1 and abs(weights[k][2] - value) <= close]
        if len(same) == 1:
            name, index = same[0]
            found[roles.name(s)] = f"{name}[{', '.join(map(str, index))}]" if index else name
    return found


def _entries(array: NDArray[Any]) -> list[tuple[tuple[int, ...], Any]]:
    return list(np.ndenumerate(array))
