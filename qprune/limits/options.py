"""The options of `prune`: one record, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from math import isfinite, sqrt
from numbers import Real
from typing import Any

from qiskit.primitives import BaseEstimatorV2

from qprune.errors import OptionError
from qprune.gates.costs import Costs
from qprune.gates.sites import NAMES
from qprune.noise.calibration import Noise, NoiseCalibration, calibrate
from qprune.selection.finder import KINDS
from qprune.selection.strategies import STRATEGIES
from qprune.simulators.values import SIMULATORS, STATEVECTOR

DEFAULT_TOLERANCE = 0.05
DEFAULT_DELTA = 0.05
CERTIFY = ("bound", "verified")
AGGREGATES = ("rms", "max")
UNRECORDED = ("noise", "threads", "executor", "progress")  # λ, β and γ stand for the noise; the others shape nothing


@dataclass(frozen=True)
class Options:
    """What `prune` was asked for; its docstring says what each means.

    Raises:
        OptionError: A value is out of its range, or two do not go together.
    """

    tolerance: float | None = None
    budget: float | str | None = None
    certify: str = "bound"
    refit: bool | str = False
    window: int | str = "auto"
    noise: Noise = None
    aggregate: str = "rms"
    representatives: str = "identity"
    strategy: str = "q-iprune"
    costs: Costs = None
    prune_encoding: bool = False
    resynthesis: bool = False
    seed: int = 0
    simulator: str | BaseEstimatorV2 = STATEVECTOR
    delta: float = DEFAULT_DELTA
    threads: int = 1
    executor: Executor | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _plain(getattr(self, field.name)))
        tolerance, budget, window = self.tolerance, self.budget, self.window
        if tolerance is not None and not (_is_number(tolerance) and 0 <= tolerance <= sqrt(2)):
            raise OptionError(f"tolerance must be a number in [0, √2], the range of d_q, got {tolerance!r}")
        if budget not in (None, "noise") and not (_is_number(budget) and float(budget) >= 0):
            raise OptionError(
                f'budget must be a finite number ≥ 0 in units of the observable, or "noise", got {budget!r}'
            )
        for name in ("tolerance", "budget"):
            if _is_number(getattr(self, name)):
                object.__setattr__(self, name, float(getattr(self, name)))
        for name, allowed in (
            ("certify", CERTIFY),
            ("aggregate", AGGREGATES),
            ("representatives", KINDS),
            ("strategy", tuple(STRATEGIES)),
            ("simulator", SIMULATORS),
        ):
            if name == "simulator" and self.is_measured:
                continue
            if getattr(self, name) not in allowed:
                listed = ", ".join(map(repr, allowed))
                raise OptionError(f"{name} must be one of {listed}, got {getattr(self, name)!r}")
        if not (isinstance(self.refit, bool) or self.refit == "noise"):
            raise OptionError(f'refit must be True, False or "noise", got {self.refit!r}')
        for name in ("prune_encoding", "resynthesis", "progress"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} must be True or False, got {getattr(self, name)!r}")
        for name, least in (("threads", 1), ("seed", 0)):
            if not _is_integer(getattr(self, name)) or getattr(self, name) < least:
                raise OptionError(f"{name} must be an integer ≥ {least}, got {getattr(self, name)!r}")
        if self.executor is not None and not isinstance(self.executor, Executor):
            raise OptionError(
                "executor must be a concurrent.futures.Executor such as ProcessPoolExecutor() or Dask's "
                f"client.get_executor(), or None, got {self.executor!r}"
            )
        if window != "auto" and not (_is_integer(window) and int(window) >= 0):
            raise OptionError(f'window must be a number of qubits ≥ 0, 0 for none, or "auto", got {window!r}')
        self._check_costs()
        self._check_simulator()
        object.__setattr__(self, "noise", calibrate(self.noise))
        self._check_verified()

    def _check_costs(self) -> None:
        if not isinstance(self.costs, Mapping):
            return
        for name, cost in self.costs.items():
            if name not in NAMES:
                raise OptionError(
                    f"costs names {name!r}, which no gate is called; use Qiskit's names, such as cx and rz"
                )
            if not _is_number(_plain(cost)) or cost < 0:
                raise OptionError(f"costs must give a finite number ≥ 0 for every gate, got {cost!r} for {name}")
        object.__setattr__(self, "costs", {name: float(cost) for name, cost in self.costs.items()})

    def _check_simulator(self) -> None:
        if not (_is_number(self.delta) and 0 < self.delta < 1):
            raise OptionError(f"delta must be a probability in (0, 1), got {self.delta!r}")
        if self.simulator != STATEVECTOR and (self.refit or self.window not in ("auto", 0)):
            raise OptionError(
                f"refit and windows work on statevectors, got simulator={self.simulator!r}; leave them out, or use "
                f"simulator={STATEVECTOR!r}"
            )
        if self.is_measured and (self.certify != "bound" or self.executor is not None):
            raise OptionError(
                'an estimator as simulator goes with certify="bound" and without executor: it measures where it is, '
                "and deviations that were measured with shots are limited by nothing"
            )

    @property
    def is_measured(self) -> bool:
        """Whether expectation values come from an estimator."""
        return isinstance(self.simulator, BaseEstimatorV2)

    def _check_verified(self) -> None:
        if self.budget == "noise" and (self.certify != "verified" or self.calibration.noises is None):
            raise OptionError(
                'budget="noise" needs certify="verified" and a noise model or device as noise, got '
                f"certify={self.certify!r}, noise {self.calibration.source}"
            )
        if self.refit == "noise" and self.budget != "noise":
            raise OptionError(f'refit="noise" needs budget="noise", got budget={self.budget!r}')
        if self.certify == "bound":
            if self.refit:
                raise OptionError('refit=True needs certify="verified": moved weights are judged by measuring')
            return
        if self.budget is None:
            raise OptionError('certify="verified" needs a budget: the largest measured deviation to allow')
        if self.tolerance is not None or self.representatives != "identity":
            raise OptionError(
                'certify="verified" removes gates by measured deviation; leave out tolerance and representatives, got '
                f"tolerance={self.tolerance!r}, representatives={self.representatives!r}"
            )

    @property
    def calibration(self) -> NoiseCalibration:
        """The noise, calibrated."""
        return calibrate(self.noise)

    @property
    def threshold(self) -> float | None:
        """ε₀, or None where only the budget limits."""
        return DEFAULT_TOLERANCE if self.tolerance is None and self.budget is None else self.tolerance

    def record(self, window: int, budget: float | None = None) -> dict[str, Any]:
        """What the certificate keeps: everything that shapes the result.

        Args:
            window: The window size that was used.
            budget: The budget that noise set.
        """
        noise = self.calibration
        kept = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in UNRECORDED}
        kept |= {"tolerance": self.threshold, "window": window}
        kept["budget"] = self.budget if budget is None else budget
        kept |= {"coherence": noise.coherence, "beta": noise.beta, "gamma": noise.gamma}
        kept["simulator"] = type(self.simulator).__name__ if self.is_measured else self.simulator
        if self.costs is not None:
            kept["costs"] = dict(self.costs) if isinstance(self.costs, Mapping) else "callable"
        return kept


def _plain(value: Any) -> Any:
    """A number of NumPy, or an array that holds a single one without axes, as Python's own: JSON takes no other."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
