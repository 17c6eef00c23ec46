"""qprune: certified one-shot structured pruning of quantum neural networks (arXiv:2512.24019)."""

from importlib.metadata import version

from qprune.certificate import Certificate
from qprune.errors import (
    BundleError,
    CertificateError,
    CertificateViolation,
    OptionError,
    QpruneError,
    TaskError,
)
from qprune.frontier import Frontier, frontier
from qprune.noise import NoiseCalibration, calibrate
from qprune.noise_models import noise_model
from qprune.pruning import prune
from qprune.result import PruneResult
from qprune.task import Task
from qprune.tradeoff import trade_off
from qprune.verify import verify

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
    "frontier",
    "noise_model",
    "prune",
    "trade_off",
    "verify",
]
