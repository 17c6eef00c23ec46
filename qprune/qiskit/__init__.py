"""Qiskit: prune inside a `PassManager`; tasks from Qiskit Machine Learning's networks, and networks from results."""

from qprune.errors import QpruneWarning
from qprune.qiskit.faces import PruneGates, check_certificate
from qprune.qiskit.networks import from_qnn, to_qnn

__all__ = ["PruneGates", "QpruneWarning", "check_certificate", "from_qnn", "to_qnn"]
