"""The reference networks that ship with qprune, by name (circuits/README.md)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from qprune._resources import did_you_mean, shipped_folder
from qprune.errors import OptionError
from qprune.task.task import Task


def network_names() -> tuple[str, ...]:
    """Names of the trained networks that `load_network` knows, in alphabetical order.

    Example:
        >>> import qprune
        >>> "iris-4q" in qprune.network_names()
        True
    """
    return tuple(sorted(path.parent.name for path in shipped_folder("circuits").glob("*/task.json")))


def load_network(name: str, *, split: str | None = "train", holdout: float | ArrayLike = 0.0, seed: int = 0) -> Task:
    """A trained network with its data, ready to be pruned: to try qprune, and to compare methods on.

    Args:
        name: One of `network_names()`.
        split: Which samples to take: "train", "test", or None for all; networks without data have one sample.
        holdout: Share or indices of the samples that selection does not see, as in `Task`.
        seed: Of the choice of the hold-out, as in `Task`.

    Raises:
        OptionError: There is no network of that name; says which are near.

    Example:
        >>> import qprune
        >>> qprune.load_network("iris-4q").num_qubits
        4
    """
    if name not in network_names():
        raise OptionError(
            f"name must be that of a reference network, got {name!r}; {did_you_mean(str(name), network_names())}"
            f"qprune.network_names() lists all; Task.load takes the folder of a bundle"
        )
    return Task.load(shipped_folder("circuits") / name, split=split, holdout=holdout, seed=seed)
