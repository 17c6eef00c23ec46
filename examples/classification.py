"""Handwritten digits: prune a trained classifier under a proof, train it on, prune it again.

    python -m examples.classification [--short] [--train] [--out DIR]

Six qubits tell a 3 from a 6. The trained weights come from circuits/digits-6q; `--train` makes new ones. The test
images take part neither in training nor in selection: as the hold-out they let T5 speak of images nobody has seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pennylane as qml
from pennylane import numpy as pnp
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import qprune
import qprune.pennylane as qpp
from examples.common import markdown, train
from qprune import Measured, Proven

BUNDLE = Path(__file__).parent.parent / "circuits" / "digits-6q"
QUBITS, LAYERS, SEED = 6, 5, 7
BUDGET = 0.25  # how far ⟨Z_0⟩, between -1 and 1, may move in a pruning
OUT = Path("out") / "demo"
HEADER = ("step", "accuracy", "gates", "two-qubit gates", "depth", "weights", "measured", "proven", "unseen")


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


def main(short: bool = False, *, anew: bool = False, out: Path = OUT) -> list[tuple[str, ...]]:
    """Run it all; returns the rows of the table that it prints and writes.

    Args:
        short: Fewer images and steps, and no weight moves in the second pruning.
        anew: Train instead of loading weights.
        out: Where to write the table, the certified result and its report.
    """
    data, weights = trained_anew(20 if short else 100) if anew else load()
    if short:
        data = Data(*(array[:60] for array in data))
    seen, steps = len(data.train_inputs), 5 if short else 30
    common = {
        "inputs": np.concatenate([data.train_inputs, data.test_inputs]),
        "labels": np.concatenate([data.train_labels, data.test_labels]),
        "holdout": np.arange(seen, seen + len(data.test_inputs)),
        "seed": SEED,
        "progress": True,
    }
    print(f"{seen} images to train, {len(data.test_inputs)} to test, {QUBITS} qubits, {LAYERS} layers\n")

    # 1. Every gate that goes is paid for out of the budget: the bound is proven before anything is simulated again.
    pruned = qpp.prune(network, Proven(BUDGET), weights=weights, **common)
    print(pruned.report(), f"\nverified independently: {conclusion(pruned.verify())}\n")

    # 2. Training goes on with fewer gates.
    def loss(net: Any, w: Any) -> Any:
        return squared_error(net(data.train_inputs, w), data.train_labels)

    tuned = qpp.finetune(pruned, loss, qml.AdamOptimizer(0.02), steps, every=0)
    print(f"trained on for {steps} steps: loss {tuned.history[0].loss:.4f} → {tuned.history[-1].loss:.4f}\n")

    # 3. Pruned again: now the change of every training image is measured, and the weights that stay make up for what
    #    went, which admits far more.
    again = qpp.prune(tuned.pruned, Measured(BUDGET, refit=not short), weights=tuned.weights, **common)
    print(again.report(), f"\nverified independently: {conclusion(again.verify())}\n")

    # 4. And trained on.
    final = qpp.finetune(again, loss, qml.AdamOptimizer(0.02), steps, every=0)
    print(f"trained on for {steps} steps: loss {final.history[0].loss:.4f} → {final.history[-1].loss:.4f}\n")

    rows = [
        _row("trained", _accuracy(data, network, weights), pruned.result.flat, pruned.result),
        _row("exact simplification", _accuracy(data, network, weights), pruned.result.simplified, pruned.result),
        _row("pruned", _accuracy(data, pruned, weights), pruned.result.circuit, pruned.result, "measured proven"),
        _row("trained on", _accuracy(data, tuned.pruned, tuned.weights), pruned.result.circuit, pruned.result),
        _row("pruned again", _accuracy(data, again, again.weights), again.result.circuit, again.result, "measured"),
        _row("trained on again", _accuracy(data, final.pruned, final.weights), again.result.circuit, again.result),
    ]
    table = markdown(HEADER, rows)
    print(table)
    print(
        "accuracy: on the test images; measured, proven: largest change of ⟨Z⟩ by that pruning on a training image;\n"
        "unseen: its expected change on a new image is at most that, with 95 % confidence (T5)"
    )
    pruned.save(out, overwrite=True, tradeoff=qprune.trade_off(pruned.result, points=8))
    out.with_suffix(".md").write_text(table + "\n", encoding="utf-8")
    print(f"\nwritten to {out}: report.html, before.png, after.png, certificate.json, …; {out.with_suffix('.md')}")
    return rows


def conclusion(report: Any) -> str:
    """What a verification report comes to."""
    return next(line for line in str(report).splitlines() if line.endswith("every claim holds"))


def _accuracy(data: Data, model: Any, weights: Any) -> float:
    return float(np.mean(np.sign(model(data.test_inputs, weights)) == data.test_labels))


def _row(step: str, score: float, circuit: Any, result: Any, claims: str = "") -> tuple[str, ...]:
    left = sum(circuit.has_parameter(p) for p in result.original.weight_params)
    counts = (circuit.size(), circuit.num_nonlocal_gates(), circuit.depth(), left)
    numbers = {
        "measured": result.certificate.largest_measured,
        "proven": result.certificate.largest_bound,
    }
    shown = (f"{value:.3f}" if name in claims else "" for name, value in numbers.items())
    unseen = f"{result.certificate.holdout.expected_upper:.3f}" if claims else ""
    return (step, f"{score:.4f}", *map(str, counts), *shown, unseen)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer images and steps, no refit")
    parser.add_argument("--train", action="store_true", help="train instead of loading weights")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the result (default out/demo)")
    options = parser.parse_args()
    main(options.short, anew=options.train, out=options.out)
