"""Several strategies under one limit: whole prunings in turn, of which the cheapest is kept."""

from __future__ import annotations

import time
from dataclasses import replace

from qprune.gates.costs import cost_of
from qprune.limits.base import Limit, Rewritten
from qprune.limits.prepared import Prepared
from qprune.limits.progress import INTERRUPTED, OUT_OF_TIME
from qprune.selection.strategies import Portfolio


def chosen_by_members(limit: Limit, prepared: Prepared) -> Rewritten:
    """What a limit allows: of a portfolio the cheapest circuit of any member, of another strategy its own."""
    settings = prepared.settings
    if not isinstance(settings.ordering, Portfolio):
        return limit.choose(prepared)
    members = settings.ordering.strategies
    end = None if settings.time_limit is None else time.monotonic() + settings.time_limit
    best: Rewritten | None = None
    for number, member in enumerate(members):
        left = None if end is None else (end - time.monotonic()) / (len(members) - number)
        if best is not None and left is not None and left <= 0:
            return _cut(best, OUT_OF_TIME)
        share = None if left is None else max(left, 1e-3)
        found = limit.choose(replace(prepared, settings=replace(settings, strategy=member, time_limit=share)))
        if best is None or _cost(prepared, found) < _cost(prepared, best):
            best = found
        if found.reduced.cut == INTERRUPTED:
            return _cut(best, INTERRUPTED)
    if best is None:
        raise ValueError("a portfolio has at least one member")
    return best


def _cost(prepared: Prepared, found: Rewritten) -> float:
    return sum(cost_of(site, prepared.costs) for site in found.reduced.sites)


def _cut(found: Rewritten, why: str) -> Rewritten:
    return replace(found, reduced=replace(found.reduced, cut=why))
