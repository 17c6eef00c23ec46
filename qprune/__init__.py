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
from qprune.limits.frontier import Frontier, frontier
from qprune.limits.pruning import prune
from qprune.limits.tradeoff import trade_off
from qprune.noise.calibration import NoiseCalibration, calibrate
from qprune.noise.models import noise_model
from qprune.report.plots import draw, plot
from qprune.report.store import load, report, save
from qprune.results.certificate import Certificate
from qprune.results.result import PruneResult
from qprune.task.task import Task
from qprune.verify.check import verify

__version__ = version("qprune")

__all__ = [
    "BundleError",
    "Certificate",
    "CertificateError",
    "CertificateViolation",
    "Frontier",
    "NoiseCalibration",
    "OptionError",
    "PruneResult",
    "QpruneError",
    "Task",
    "TaskError",
    "calibrate",
    "draw",
    "frontier",
    "load",
    "noise_model",
    "plot",
    "prune",
    "report",
    "save",
    "trade_off",
    "verify",
]
