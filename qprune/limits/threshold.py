"""The paper's rule: every gate within a tolerance of its representative goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qprune.limits.base import (
    AGGREGATES,
    Limit,
    Rewritten,
    checked_aggregate,
    checked_tolerance,
    checked_window,
    option,
    set_checked,
)
from qprune.limits.candidates import candidates_of, rewritten
from qprune.limits.prepared import Comparison, Prepared
from qprune.selection.select import within_tolerance

DEFAULT_TOLERANCE = 0.05


@dataclass(frozen=True)
class Threshold(Limit):
    """Every gate goes whose distance to its representative is d_q ≤ ε_k, with ε_k² = ε₀² + γ r_k.

    What that may change of any output is proven afterwards and stands in the certificate; no budget limits it.

    Args:
        tolerance: ε₀ in [0, √2].
        aggregate: d_q over the samples: "rms" (√Σ p_i d²) or "max".
        window: Qubits of a window of the bound (T6): the angle of all its gates at once, measured on the original's
            prefix states, replaces the sum of theirs. "auto" takes the whole circuit as one window, whose angle is
            exact, while 2^n · M ≤ 2^14, and no windows beyond; 0 is the plain sum of T2.

    Raises:
        OptionError: A value is out of its range.

    Source: arXiv:2512.24019; THEORY T1, T2.

    Example:
        >>> Threshold(0.1)
        Threshold(tolerance=0.1, aggregate='rms', window='auto')
    """

    tolerance: float = DEFAULT_TOLERANCE
    aggregate: str = option("rms", "d_q over the samples", choices=AGGREGATES)
    window: int | str = option("auto", "qubits per window of the bound, 0 for none, or auto")
    name: ClassVar[str] = "threshold"
    main: ClassVar[str] = "tolerance"
    judged_by: ClassVar[str] = "bound"
    words: ClassVar[str] = "every gate with d_q ≤ ε goes, 0 to √2 (the paper's rule, default 0.05)"
    metavar: ClassVar[str] = "ε"
    quick: ClassVar[bool] = True

    def __post_init__(self) -> None:
        set_checked(
            self,
            tolerance=checked_tolerance(self.tolerance),
            aggregate=checked_aggregate(self.aggregate),
            window=checked_window(self.window),
        )

    @property
    def comparison(self) -> Comparison:
        return Comparison(self.tolerance, self.aggregate, self.window)

    def choose(self, prepared: Prepared) -> Rewritten:
        compared = candidates_of(prepared)
        return rewritten(prepared, within_tolerance(compared, prepared.tolerances, prepared.offers.pairs), compared)


DEFAULT_LIMIT = Threshold()
