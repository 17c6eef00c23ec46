"""The passes of all samples, gathered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qprune.gates.sites import Site, Word
from qprune.gates.subgroups import commutes_with, subgroup_of
from qprune.simulators.values import Readings


class Pass(Protocol):
    """Takes the gates and wanted words in order, then runs them."""

    def save_word(self, word: Word, /) -> int: ...
    def add(self, site: Site, /) -> None: ...
    def read(self, progress: bool, /) -> Readings: ...


def collected(
    builder: Pass, sites: Sequence[Site], wanted: Sequence[Sequence[Word]], progress: bool
) -> tuple[dict[tuple[int, Word], int], Readings]:
    """Run a pass; where each wanted word was read, and what."""
    index: dict[tuple[int, Word], int] = {}
    still_valid: dict[Word, int] = {}
    touching: dict[int, set[Word]] = {}
    for k, (site, words) in enumerate(zip(sites, wanted, strict=True)):
        for word in words:
            if word not in still_valid:
                still_valid[word] = builder.save_word(word)
                for q, _ in word:
                    touching.setdefault(q, set()).add(word)
            index[k, word] = still_valid[word]
        # A value stays what it was until a gate that does not commute with it touches its qubits.
        group = subgroup_of(site)
        for word in {word for q in site.qubits for word in touching.get(q, ())}:
            if not commutes_with(group, {word: 1.0}):
                del still_valid[word]
                for q, _ in word:
                    touching[q].discard(word)
        builder.add(site)
    return index, builder.read(progress)
