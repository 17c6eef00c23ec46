"""What a set of replacements may change at most, known before anything is simulated again (T2, T6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qprune._arrays import FloatArray
from qprune.exact.simplify import light_cones
from qprune.limits.claims import output_bounds
from qprune.limits.prepared import Prepared
from qprune.selection.candidate import Candidate
from qprune.selection.select import angles_used


def angle_of(prepared: Prepared, chosen: Sequence[Candidate]) -> FloatArray:
    """Θ_{r,i}: the sum of angles inside each output's light cone, or the windows' where that is less.

    Args:
        prepared: The simplified circuit.
        chosen: The replacements.

    Returns:
        Angles in [0, π/2], radians, shape (R, M).

    Source: THEORY T2, T6.
    """
    task = prepared.task
    cone = light_cones(task, prepared.sites, {c.place for c in chosen if c.separates})
    total = angles_used(chosen, cone, (len(task.output_supports), len(task.selected)))
    theta = np.minimum(total, np.pi / 2)
    return theta if prepared.windows is None else np.minimum(theta, prepared.windows.angles(chosen, cone))


def bound_of(prepared: Prepared, chosen: Sequence[Candidate]) -> FloatArray:
    """The proven limit of every output's change, shape (R, M), in the observables' units."""
    return output_bounds(prepared.task, angle_of(prepared, chosen), prepared.prefix.outputs)
