"""Qiskit: prune inside a `PassManager`; tasks from Qiskit Machine Learning's networks, and networks from results."""

from qprune.errors import QpruneWarning
from qprune.qiskit.faces import PruneGates, check_certificate
from qprune.qiskit.isa import prune_compiled
from qprune.qiskit.native import Compiled, compiled
from qprune.qiskit.networks import from_qnn, to_qnn
from qprune.qiskit.received import as_given

__all__ = [
    "Compiled",
    "PruneGates",
    "QpruneWarning",
    "as_given",
    "check_certificate",
    "compiled",
    "from_qnn",
    "prune_compiled",
    "to_qnn",
]
