"""A gate with its weights where a re-fit left them."""

from __future__ import annotations

from qprune.selection.candidate import Candidate
from qprune.selection.offers import Offers
from qprune.task.task import Task


def refitted(offers: Offers, k: int, moved: Task) -> Candidate | None:
    """Gate k at the weights of another task; None if it stayed what it was, or has no coordinate."""
    site = offers.sites[k]
    if site.coordinate is None:
        return None
    target, group = float(moved.values(site.coordinate)), offers.distances.group(k)
    if group.is_identity(group.sum_of(target, -float(offers.distances.coordinate(k)))):
        return None
    (compared,) = offers.distances.to_coordinates(k, [target])
    return offers.replacement(k, ((moved.bound_operation(site.operation), site.qubits),), "refit", compared)
