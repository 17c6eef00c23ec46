"""Noise-calibrated stopping: go on removing while the deviation added is less than the noise saved (THEORY section 6).

A rule, no bound: a prediction chooses the circuit, and what is claimed of it is what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from qprune.errors import OptionError
from qprune.limits.claims import deviations
from qprune.limits.compressor import FIT_STEPS, Compressor
from qprune.limits.options import Options
from qprune.limits.prepared import Stage
from qprune.limits.refit import fit
from qprune.limits.removal import Reduced, remove_verified
from qprune.selection.strategies import STRATEGIES
from qprune.simulators.adjoint import AdjointNetwork
from qprune.simulators.passes import final_outputs

# Budgets tried, in units of the mean deviation that noise is predicted to cause in the original.
SHARES = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
PATIENCE = 2  # budgets in a row that may bring nothing before the search ends


@dataclass
class Stopped:
    """The best circuit found so far.

    Attributes:
        stage: The original.
        reduced: The circuit, None before the first.
        budget: What it was made with, or its measured deviation where weights fitted for noise exceed that.
        predicted: Its predicted mean deviation under noise.
        tried: These two numbers of every circuit looked at.
    """

    stage: Stage
    reduced: Reduced | None = None
    budget: float = 0.0
    predicted: float = float("inf")
    tried: list[tuple[float, float]] = field(default_factory=list)

    def look_at(self, reduced: Reduced, budget: float) -> bool:
        """Measure a circuit, predict it under noise, and keep it if it is better than the best."""
        stage = self.stage
        pruned, sites, _ = stage.ended(reduced)
        outputs = final_outputs(pruned, sites, stage.task.selected, threads=stage.options.threads)
        predicted = stage.predicted(pruned, sites, outputs)
        if predicted is None:
            raise OptionError('budget="noise" needs a circuit that compiles to fewer qubits; give a number')
        needed = max(budget, float(deviations(stage.prefix.outputs, outputs).max()))
        self.tried.append((needed, predicted))
        if not predicted < self.predicted:
            return False
        self.reduced, self.budget, self.predicted = reduced, needed, predicted
        return True


def reduce_for_noise(stage: Stage, options: Options) -> tuple[Reduced, Stopped]:
    """The circuit of least predicted deviation under noise, on the way from nothing removed to much.

    Of the circuit of each rising budget the mean deviation of its noisy outputs from the original's noiseless ones is
    predicted (`forecast`), coherent deviation and noise together; the least wins. With refit="noise" the weights of
    each are fitted once more, such that the predicted noisy outputs are the original's, and it is looked at again.

    Raises:
        OptionError: The compiled circuit has too many qubits for the prediction.
    """
    compressor = stage.compressor() if options.refit else None
    current = stage.start() if compressor is None else compressor.original
    found = Stopped(stage)
    found.look_at(current, 0.0)
    idle, scale = 0, found.predicted
    for budget in (share * scale for share in SHARES):
        if compressor is None:
            strategy = STRATEGIES[options.strategy](options.seed)
            current = remove_verified(current, budget, stage.candidates, stage.deviation, strategy, options.progress)
        else:  # from the whole circuit: rotations that a smaller budget removed could not make up for entangling gates
            current = compressor.compress(budget, progress=options.progress)
        better = found.look_at(current, budget)
        if compressor is not None and options.refit == "noise":
            better |= found.look_at(_fitted_for_noise(stage, compressor, current), budget)
        idle = 0 if better else idle + 1
        if idle == PATIENCE:
            break
    return found.reduced or current, found


def _fitted_for_noise(stage: Stage, compressor: Compressor, reduced: Reduced) -> Reduced:
    """Weights moved so that what noise leaves of the outputs is what the original gives without noise."""
    if stage.forecast is None:
        return reduced
    pruned, sites, _ = stage.ended(reduced)
    target = stage.forecast.needed(pruned, sites, compressor.target)
    network = AdjointNetwork(reduced.task, reduced.sites, compressor.samples)
    task = reduced.task.with_circuit(reduced.task.circuit)
    task.weights, _ = fit(network, reduced.task.weights, target, steps=FIT_STEPS)
    return replace(reduced, task=task)
