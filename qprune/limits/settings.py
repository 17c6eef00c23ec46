"""What `prune` takes besides the limit: one record, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from typing import Any

from qiskit.primitives import BaseEstimatorV2

from qprune._checks import checked_choice, checked_flag, checked_integer, is_number, plain
from qprune._progress import is_shown
from qprune.errors import OptionError
from qprune.exact.pauli import COUPLINGS
from qprune.gates.costs import Costs
from qprune.gates.sites import NAMES
from qprune.noise.calibration import Noise, NoiseCalibration, calibrate
from qprune.selection.prunable import KINDS
from qprune.selection.strategies import QIPrune, Strategy, strategy_of
from qprune.simulators.choices import Statevector, simulator_of
from qprune.simulators.simulator import Simulator

GATES, PAULI, AUTO = FORMS = ("gates", "pauli", "auto")  # what a circuit is pruned as
UNRECORDED = ("noise", "executor", "time_limit", "progress")  # λ, β and γ stand for the noise; the others shape nothing


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all limits have in common; the docstring of `prune` says what each means.

    Raises:
        OptionError: A value is out of its range, or two do not go together.
    """

    strategy: str | Strategy = QIPrune.name
    noise: Noise = None
    representatives: str = "identity"
    costs: Costs = None
    prune_encoding: bool = False
    resynthesis: bool = False
    couplings: str | None = None
    form: str = GATES
    simulator: str | Simulator | BaseEstimatorV2 = Statevector.name
    executor: Executor | None = None
    seed: int = 0
    time_limit: float | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        converted = {
            "strategy": strategy_of(self.strategy),
            "noise": calibrate(plain(self.noise)),
            "costs": _checked_costs(self.costs),
            "simulator": simulator_of(self.simulator),
            "seed": checked_integer(self.seed, "seed", 0),
        }
        converted |= {name: checked_flag(getattr(self, name), name) for name in ("prune_encoding", "resynthesis")}
        if self.progress is not None:
            converted["progress"] = checked_flag(self.progress, "progress")
        if self.time_limit is not None:
            if not is_number(plain(self.time_limit)) or not plain(self.time_limit) > 0:
                raise OptionError(
                    f"time_limit must be a number of seconds > 0, got {self.time_limit!r}; leave it out for no limit"
                )
            converted["time_limit"] = float(self.time_limit)
        checked_choice(self.representatives, "representatives", KINDS)
        checked_choice(self.couplings, "couplings", (None, *COUPLINGS))
        checked_choice(self.form, "form", FORMS)
        if self.form != GATES and self.couplings is None:
            converted["couplings"] = COUPLINGS[0]
        for name, value in converted.items():
            object.__setattr__(self, name, value)
        if self.executor is not None and not isinstance(self.executor, Executor):
            raise OptionError(
                "executor must be a concurrent.futures.Executor such as ProcessPoolExecutor() or Dask's "
                f"client.get_executor(), or None, got {self.executor!r}"
            )
        if self.simulated.measures and self.executor is not None:
            raise OptionError("an estimator measures where it is; leave the executor out")

    @property
    def shown(self) -> bool:
        """Whether progress is shown."""
        return is_shown(self.progress)

    @property
    def simulated(self) -> Simulator:
        """The simulator, as an object."""
        return simulator_of(self.simulator)

    @property
    def ordering(self) -> Strategy:
        """The strategy, as an object."""
        return strategy_of(self.strategy)

    @property
    def calibration(self) -> NoiseCalibration:
        """The noise, calibrated."""
        return calibrate(self.noise)

    def record(self) -> dict[str, Any]:
        """What a certificate keeps: everything that shapes the result."""
        noise = self.calibration
        kept = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in UNRECORDED}
        kept |= {"strategy": self.ordering.record(), "simulator": self.simulated.record()}
        kept |= {"coherence": noise.coherence, "beta": noise.beta, "gamma": noise.gamma, "shots": noise.shots}
        if callable(self.costs):
            kept["costs"] = "callable"
        return kept


def _checked_costs(costs: Costs) -> Costs:
    if not isinstance(costs, Mapping):
        return costs
    for name, cost in costs.items():
        if name not in NAMES:
            raise OptionError(f"costs names {name!r}, which no gate is called; use Qiskit's names, such as cx and rz")
        if not is_number(plain(cost)) or cost < 0:
            raise OptionError(f"costs must give a finite number ≥ 0 for every gate, got {cost!r} for {name}")
    return {name: float(cost) for name, cost in costs.items()}
