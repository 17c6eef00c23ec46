"""PennyLane: prune a QNode, call the smaller one in the same way, go on training it."""

from qprune._optional import require

require("pennylane", "pennylane", "qprune.pennylane")

from qprune.pennylane.pruning import prune  # noqa: E402 after PennyLane is known to be there
from qprune.pennylane.qnode import PrunedQNode, load  # noqa: E402
from qprune.pennylane.training import FineTuned, Recertification, TrainingStep, finetune, recertify  # noqa: E402

__all__ = ["FineTuned", "PrunedQNode", "Recertification", "TrainingStep", "finetune", "load", "prune", "recertify"]
