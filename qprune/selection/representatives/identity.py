"""The identity: the gate disappears."""

from __future__ import annotations

from collections.abc import Sequence

from qprune.selection.candidate import Candidate
from qprune.selection.offers import Offers


def identities(offers: Offers, places: Sequence[int]) -> list[Candidate]:
    """The removal of each of these gates."""
    compared = offers.distances.to_identities(places)
    return [offers.removal(k, found) for k, found in zip(places, compared, strict=True)]


def identity(offers: Offers, k: int) -> Candidate:
    """The removal of one gate."""
    return identities(offers, [k])[0]
