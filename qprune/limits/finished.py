"""A smaller circuit in its last form, and what a noisy device is predicted to make of it."""

from __future__ import annotations

from dataclasses import dataclass

from qprune.exact.cx_networks import shorten_networks
from qprune.exact.pauli import in_pauli_form
from qprune.exact.resynthesis import resynthesise
from qprune.exact.simplify import ExactChange
from qprune.gates.sites import Site, circuit_of
from qprune.limits.prepared import Prepared
from qprune.limits.removal import Reduced
from qprune.noise.at_shots import AtShots, ErrorAtShots
from qprune.noise.forecast import Forecast
from qprune.simulators.values import Outputs
from qprune.task.task import Task


@dataclass(frozen=True)
class Finished:
    """A smaller circuit in its last form.

    Attributes:
        task: The circuit with its weights, on the original's ensemble.
        sites: Its gates.
        changes: The exact changes that led there.
    """

    task: Task
    sites: tuple[Site, ...]
    changes: tuple[ExactChange, ...]


def finished(prepared: Prepared, reduced: Reduced) -> Finished:
    """Shorten CX networks; if asked for, take Pauli form where that costs less, resynthesise runs on two qubits."""
    sites, changes = shorten_networks(prepared.task, reduced.sites)
    circuit = circuit_of(prepared.task, sites) if changes else reduced.task.circuit
    task = prepared.task.with_circuit(circuit, reduced.task.named_weights)
    if (couplings := prepared.settings.couplings) is not None:
        sites, rewritten = in_pauli_form(task, sites, prepared.prices, couplings)
        task = task.with_circuit(circuit_of(task, sites)) if rewritten else task
        changes += rewritten
    if prepared.settings.resynthesis:
        sites, resynthesised = resynthesise(task, sites)
        task = task.with_circuit(circuit_of(task, sites)) if resynthesised else task
        changes += resynthesised
    return Finished(task, sites, changes)


def forecast_of(prepared: Prepared) -> Forecast | None:
    """Predicts outputs under the noise model; None for a single λ."""
    return None if prepared.calibration.noises is None else Forecast(prepared.calibration, prepared.task)


def predicted(
    prepared: Prepared, forecast: Forecast | None, task: Task, sites: tuple[Site, ...], outputs: Outputs
) -> float | None:
    """Mean deviation of a circuit under noise from the original without, predicted; None where it cannot be had.

    Args:
        prepared: The original.
        forecast: Predicts, or None.
        task: The circuit with its weights.
        sites: Its gates.
        outputs: Its noiseless outputs on the selected samples.
    """
    return None if forecast is None else forecast.deviation(task, sites, prepared.prefix.outputs, outputs)


def at_shots(
    prepared: Prepared, forecast: Forecast | None, task: Task, sites: tuple[Site, ...], outputs: Outputs, shots: float
) -> AtShots | None:
    """The error of a circuit's outputs at a number of shots, corrected, predicted; None where it cannot be had.

    Args:
        prepared: The original.
        forecast: Predicts, or None.
        task: The circuit with its weights.
        sites: Its gates.
        outputs: Its noiseless outputs on the selected samples.
        shots: For each output and input.
    """
    if forecast is None:
        return None
    return ErrorAtShots(forecast).of(task, sites, prepared.prefix.outputs, outputs, shots)
