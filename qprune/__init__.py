"""qprune: certified one-shot structured pruning of quantum neural networks (arXiv:2512.24019)."""

from qprune._version import __version__
from qprune.certificate import Certificate
from qprune.errors import (
    BundleError,
    CertificateError,
    CertificateViolation,
    MissingExtraError,
    OptionError,
    QpruneError,
    TaskError,
)
from qprune.frontier import Frontier, frontier
from qprune.noise import NoiseCalibration, calibrate
from qprune.noise_models import names as noise_model_names
from qprune.noise_models import noise_model
from qprune.pruning import prune
from qprune.reference import load_network, network_names
from qprune.result import PruneResult
from qprune.task import Task
from qprune.tradeoff import trade_off
from qprune.verify import verify

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
    "frontier",
    "load_network",
    "network_names",
    "noise_model",
    "noise_model_names",
    "prune",
    "trade_off",
    "verify",
]
