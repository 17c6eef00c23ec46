"""Which gates may be replaced, by which kinds of representatives, and what must be known of their prefix states."""

from __future__ import annotations

from qprune.gates.sites import Site, Word
from qprune.gates.subgroups import subgroup_of

KINDS = ("identity", "clifford", "class", "local")


def is_prunable(site: Site, prune_encoding: bool) -> bool:
    """Whether a gate may be replaced: it is in the catalogue, and no input enters unless the user allows it."""
    return site.family is not None and (site.role != "encoding" or prune_encoding)


def has_pair(site: Site) -> bool:
    """Whether a pair of one-qubit gates may stand in for a gate: it joins two qubits, and no input enters."""
    return site.family is not None and len(site.qubits) == len(site.word) == 2 and site.role != "encoding"


def words_for(site: Site, representatives: str) -> tuple[Word, ...]:
    """The Pauli words whose prefix expectations the candidates of a gate are compared by."""
    group = subgroup_of(site)
    if group is None:
        return ()
    return group.whole.words if representatives == "local" and has_pair(site) else group.words
