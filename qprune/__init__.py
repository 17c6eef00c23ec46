"""qprune: certified one-shot structured pruning of quantum neural networks (arXiv:2512.24019)."""

from importlib.metadata import version

from qprune.errors import (
    BundleError,
    CertificateError,
    CertificateViolation,
    OptionError,
    QpruneError,
    TaskError,
)
from qprune.limits.accuracy import Accuracy
from qprune.limits.base import Limit
from qprune.limits.frontier import Frontier, frontier
from qprune.limits.measured import Measured
from qprune.limits.proven import Proven
from qprune.limits.pruning import prune
from qprune.limits.threshold import Threshold
from qprune.limits.tradeoff import trade_off
from qprune.limits.under_noise import UnderNoise
from qprune.noise.calibration import NoiseCalibration, calibrate
from qprune.noise.models import noise_model
from qprune.report.plots import draw, plot
from qprune.report.store import load, report, save
from qprune.results.certificate import Certificate
from qprune.results.result import PruneResult
from qprune.selection import strategies
from qprune.simulators.choices import MatrixProductState, OnDevice, Statevector
from qprune.task.task import Task
from qprune.verify.check import verify

__version__ = version("qprune")

__all__ = [
    "Accuracy",
    "BundleError",
    "Certificate",
    "CertificateError",
    "CertificateViolation",
    "Frontier",
    "Limit",
    "MatrixProductState",
    "Measured",
    "NoiseCalibration",
    "OnDevice",
    "OptionError",
    "Proven",
    "PruneResult",
    "QpruneError",
    "Statevector",
    "Task",
    "TaskError",
    "Threshold",
    "UnderNoise",
    "calibrate",
    "draw",
    "frontier",
    "load",
    "noise_model",
    "plot",
    "prune",
    "report",
    "save",
    "strategies",
    "trade_off",
    "verify",
]
