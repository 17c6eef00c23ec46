"""PennyLane: prune a QNode, call the smaller one in the same way, go on training it."""

from qprune.pennylane.qnode import PrunedQNode, load, prune
from qprune.pennylane.training import FineTuned, Recertification, TrainingStep, finetune, recertify

__all__ = ["FineTuned", "PrunedQNode", "Recertification", "TrainingStep", "finetune", "load", "prune", "recertify"]
