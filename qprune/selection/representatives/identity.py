"""The identity: the gate disappears."""

from __future__ import annotations

from collections.abc import Sequence

from qprune.selection.candidate import Candidate
from qprune.selection.comparison import Comparison
from qprune.selection.offers import Offers


def identities(comparison: Comparison, offers: Offers, places: Sequence[int]) -> list[Candidate]:
    """The removal of each of these gates."""
    compared = comparison.to_identities(places)
    return [offers.removal(k, found) for k, found in zip(places, compared, strict=True)]


def identity(comparison: Comparison, offers: Offers, k: int) -> Candidate:
    """The removal of one gate."""
    return identities(comparison, offers, [k])[0]
