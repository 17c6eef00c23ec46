"""qprune: certified one-shot structured pruning of quantum neural networks (arXiv:2512.24019)."""

from qprune._version import __version__
from qprune.errors import (
    BundleError,
    CertificateError,
    CertificateViolation,
    MissingExtraError,
    OptionError,
    QpruneError,
    TaskError,
)
from qprune.limits.frontier import Frontier, frontier
from qprune.limits.pruning import prune
from qprune.limits.tradeoff import trade_off
from qprune.noise.calibration import NoiseCalibration, calibrate
from qprune.noise.models import names as noise_model_names
from qprune.noise.models import noise_model
from qprune.report.plots import draw, plot
from qprune.report.store import load, report, save
from qprune.results.certificate import Certificate
from qprune.results.result import PruneResult
from qprune.task.reference import load_network, network_names
from qprune.task.task import Task
from qprune.verify.check import verify

__all__ = [
    "BundleError",
    "Certificate",
    "CertificateError",
    "CertificateViolation",
    "Frontier",
    "MissingExtraError",
    "NoiseCalibration",
    "OptionError",
    "PruneResult",
    "QpruneError",
    "Task",
    "TaskError",
    "__version__",
    "calibrate",
    "draw",
    "frontier",
    "load",
    "load_network",
    "network_names",
    "noise_model",
    "noise_model_names",
    "plot",
    "prune",
    "report",
    "save",
    "trade_off",
    "verify",
]
