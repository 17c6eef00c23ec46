"""Qiskit: prune inside a `PassManager`, and tasks from Qiskit Machine Learning's networks."""

from qprune.qiskit.faces import PruneGates, QpruneWarning, check_certificate, from_qnn

__all__ = ["PruneGates", "QpruneWarning", "check_certificate", "from_qnn"]
