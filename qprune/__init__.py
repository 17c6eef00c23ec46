"""qprune: certified one-shot structured pruning of quantum neural networks (arXiv:2512.24019)."""

from qprune._version import __version__
from qprune.errors import (
    BundleError,
    CertificateError,
    CertificateViolation,
    MissingExtraError,
    OptionError,
    QpruneError,
    QpruneWarning,
    TaskError,
)
from qprune.exact.absorption import Absorbed, absorb
from qprune.limits.accuracy import Accuracy
from qprune.limits.base import Limit
from qprune.limits.certify_everywhere import everywhere
from qprune.limits.everywhere import Everywhere
from qprune.limits.frontier import Frontier, frontier
from qprune.limits.measured import Measured
from qprune.limits.proven import Proven
from qprune.limits.pruning import prune
from qprune.limits.suggest import Suggestion, suggest
from qprune.limits.threshold import Threshold
from qprune.limits.tradeoff import trade_off
from qprune.limits.under_noise import UnderNoise
from qprune.noise.calibration import NoiseCalibration, calibrate
from qprune.noise.models import names as noise_model_names
from qprune.noise.models import noise_model
from qprune.report.plot import plot
from qprune.report.plots import draw
from qprune.report.store import load, report, save
from qprune.results.certificate import Certificate
from qprune.results.every_input import EveryInput
from qprune.results.result import PruneResult
from qprune.selection import strategies
from qprune.simulators.choices import MatrixProductState, OnDevice, Statevector
from qprune.task.domain import Domain
from qprune.task.reference import load_network, network_names
from qprune.task.task import Task
from qprune.verify.check import verify

__all__ = [
    "Absorbed",
    "Accuracy",
    "BundleError",
    "Certificate",
    "CertificateError",
    "CertificateViolation",
    "Domain",
    "EveryInput",
    "Everywhere",
    "Frontier",
    "Limit",
    "MatrixProductState",
    "Measured",
    "MissingExtraError",
    "NoiseCalibration",
    "OnDevice",
    "OptionError",
    "Proven",
    "PruneResult",
    "QpruneError",
    "QpruneWarning",
    "Statevector",
    "Suggestion",
    "Task",
    "TaskError",
    "Threshold",
    "UnderNoise",
    "__version__",
    "absorb",
    "calibrate",
    "draw",
    "everywhere",
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
    "strategies",
    "suggest",
    "trade_off",
    "verify",
]
