"""Handwritten digits: prune a trained classifier under a proof, train it on, prune it again.

    python examples/classification.py [--short] [--train] [--out DIR]

Six qubits tell a 3 from a 6. The trained weights come from circuits/digits-6q; `--train` makes new ones. Half of the
training images are held out: neither pruning nor the training after it sees them, so they may speak for all others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pennylane as qml
from common import train
from pennylane import numpy as pnp
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import qprune
import qprune.pennylane as qpp

BUNDLE = Path(__file__).parent.parent / "circuits" / "digits-6q"
QUBITS, LAYERS, SEED = 6, 5, 7
BUDGET = 0.25  # how far ⟨Z_0⟩, between -1 and 1, may move in a pruning
HOLDOUT = 0.5


@qml.qnode(qml.device("default.qubit", wires=QUBITS), diff_method="backprop")
def network(inputs: Any, weights: Any) -> Any:
    """The sign of ⟨Z_0⟩ is the prediction: + is a 3, - is a 6. One image or a batch of them."""
    qml.AngleEmbedding(inputs, wires=range(QUBITS), rotation="Y")
    qml.StronglyEntanglingLayers(weights, wires=range(QUBITS))
    return qml.expval(qml.Z(0))


class Data(NamedTuple):
    """Images as six angles each, shape (M, 6), and labels +1 or -1, shape (M,)."""

    train_inputs: Any
    train_labels: Any
    test_inputs: Any
    test_labels: Any


def load() -> tuple[Data, Any]:
    """Data and trained weights from the bundle."""
    train_split, test_split = (qprune.Task.load(BUNDLE, split=split) for split in ("train", "test"))
    data = Data(train_split.inputs, train_split.labels, test_split.inputs, test_split.labels)
    return data, train_split.weights.reshape(LAYERS, QUBITS, 3)


def trained_anew(steps: int) -> tuple[Data, Any]:
    """Data from scikit-learn, six principal components as angles, and weights trained from small random ones."""
    images, digit = load_digits(return_X_y=True)
    keep = (digit == 3) | (digit == 6)
    labels = np.where(digit[keep] == 3, 1, -1)
    x, x_test, y, y_test = train_test_split(images[keep], labels, train_size=200, stratify=labels, random_state=SEED)
    angles = make_pipeline(PCA(QUBITS, svd_solver="full"), MinMaxScaler((0, np.pi))).fit(x)
    data = Data(angles.transform(x), y, angles.transform(x_test), y_test)
    weights = pnp.array(np.random.default_rng(SEED).normal(scale=0.1, size=(LAYERS, QUBITS, 3)), requires_grad=True)
    trained = train(lambda w: squared_error(network(data.train_inputs, w), y), weights, steps=steps, stepsize=0.05)
    return data, np.asarray(trained)


def squared_error(outputs: Any, labels: Any) -> Any:
    return pnp.mean((outputs - labels) ** 2)


def main(short: bool = False, *, anew: bool = False, out: Path | None = None) -> dict[str, Any]:
    """Run it all; returns the numbers of the table, one entry per step.

    Args:
        short: Fewer images and steps, and no re-fitting.
        anew: Train instead of loading weights.
        out: Where to write the table, the certified results and their reports.
    """
    data, weights = trained_anew(20 if short else 100) if anew or not BUNDLE.is_dir() else load()
    if short:
        data = data._replace(train_inputs=data.train_inputs[:60], train_labels=data.train_labels[:60])
    X, y = data.train_inputs, data.train_labels
    common = {"inputs": X, "labels": y, "holdout": HOLDOUT, "seed": SEED, "budget": BUDGET, "progress": True}
    print(f"{len(X)} images to train, {len(data.test_inputs)} to test, {QUBITS} qubits, {LAYERS} layers\n")

    # 1. Every gate that goes is paid for out of the budget: the bound is proven before anything is simulated again.
    pruned = qpp.prune(network, weights=weights, **common)
    print(f"pruned, proven: {pruned.result!r}\n  verified: {conclusion(pruned.verify())}")

    # 2. Training goes on with fewer gates, on the images that pruning saw.
    seen = pruned.result.original.selected
    steps = 5 if short else 30

    def loss(net: Any, w: Any) -> Any:
        return squared_error(net(X[seen], w), y[seen])

    tuned = qpp.finetune(pruned, loss, qml.AdamOptimizer(0.02), steps, every=0)
    print(f"trained on for {steps} steps: loss {tuned.history[0].loss:.4f} → {tuned.history[-1].loss:.4f}")

    # 3. Pruned again: now the change of every image is measured, and the surviving weights move to make up for what
    # went. That removes far more; of unseen images the hold-out speaks (T5).
    again = qpp.prune(tuned.pruned, weights=tuned.weights, certify="verified", refit=not short, **common)
    print(f"pruned again, measured: {again.result!r}\n  verified: {conclusion(again.verify())}")

    # 4. And trained on.
    final = qpp.finetune(again, loss, qml.AdamOptimizer(0.02), steps, every=0)
    print(f"trained on for {steps} steps: loss {final.history[0].loss:.4f} → {final.history[-1].loss:.4f}\n")

    bound, claim = pruned.certificate.largest_bound, again.certificate.holdout
    assert claim is not None  # there is a hold-out
    numbers = {
        "trained": step(data, network, weights, pruned.result.flat, np.size(weights)),
        "pruned, proven": step(data, pruned, weights, pruned.result.circuit, pruned.trainable_mask.sum())
        | {"proven": bound},
    }
    return numbers


def conclusion(report: Any) -> str:
    return str(report).splitlines()[-1]
