"""A pruned QNode as a QNode: resources, shots, tapes, devices, transforms, layers; Torch modules that hold layers."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
from qnodes import SAME, data, make, needs, node, results, small

from qprune import CertificateError, Measured, TaskError, Threshold

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml

    import qprune.pennylane as qpp
    from qprune.pennylane.naming import names_of

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def pair():
    original, X, w = make("angle+strong", "Z")
    return qpp.prune(original, Threshold(0.1), inputs=X[:6], weights=w), original, X, w


def test_it_is_a_qnode_with_what_the_original_has(pair):
    pruned, original, X, w = pair
    assert isinstance(pruned, qml.QNode)
    assert not hasattr(pruned.qnode, "result")
    for name in ("device", "interface", "diff_method", "func", "shots", "execute_kwargs", "gradient_kwargs"):
        assert getattr(pruned, name) == getattr(original, name), name
    counted, before = (qml.specs(q)(X[0], w)["resources"].num_gates for q in (pruned, original))
    tape = qml.workflow.construct_tape(pruned)(X[0], w)
    assert counted == len(tape.operations) > 0
    expanded = qml.specs(original, level="device")(X[0], w)["resources"].num_gates
    assert counted < expanded, (counted, expanded, before)
    assert qml.draw(pruned)(X[0], w) != qml.draw(original, level="device")(X[0], w)


def test_shots_devices_and_copies_keep_weights_and_certificate(pair):
    pruned, _, X, w = pair
    exact = pruned(X[0], w)
    shot = qml.set_shots(pruned, 100_000)
    updated = pruned.update(diff_method="parameter-shift")
    for other in (shot, updated, copy.copy(pruned), qml.set_shots(shot, None)):
        assert isinstance(other, qpp.PrunedQNode)
        assert other.certificate is pruned.certificate
        np.testing.assert_array_equal(other.weights, pruned.weights)
        assert abs(other(X[0], w) - exact) < (0.03 if other is shot else SAME)  # six standard errors of 100,000 shots
    assert shot(X[0], w) != exact
    assert (shot.shots.total_shots, pruned.shots.total_shots) == (100_000, None)
    assert (updated.diff_method, pruned.diff_method) == ("parameter-shift", "best")
    lightning = pruned.update(device=qml.device("lightning.qubit", wires=3))
    assert abs(lightning(X[0], w) - exact) < SAME


def test_another_transform_gives_a_plain_qnode(pair):
    """qprune does not know what it does, so that no certificate may come along."""
    pruned, _, X, w = pair
    for transform in (qml.compile, qml.transforms.merge_rotations, qml.transforms.cancel_inverses):
        other = transform(pruned)
        assert type(other) is qml.QNode
        assert not hasattr(other, "certificate")
        assert abs(other(X[0], w) - pruned(X[0], w)) < SAME
    again = qpp.prune(pruned, Threshold(0.2), inputs=X[:6], weights=w)
    assert again.result.circuit.size() <= pruned.result.circuit.size()


def test_moved_weights_take_no_bound_along(pair):
    pruned, _, _, w = pair
    assert pruned.bounds
    with pytest.raises(CertificateError):
        _ = pruned.with_weights(w + 1).bounds


def test_a_saved_page_calls_parameters_as_the_qnode_does(pair, tmp_path):
    """Entries of its arrays, and the QNode's own name in the title."""
    pruned, _, _, w = pair
    names = names_of(pruned.roles, pruned.network)
    flat = {f"weights[{', '.join(map(str, index))}]": value for index, value in np.ndenumerate(w)}
    found = {name: called for name, called in names.items() if called.startswith("weights")}
    assert len(found) == w.size
    for name, called in found.items():
        assert pruned.result.original.named_weights[name] == pytest.approx(flat[called], abs=1e-12)
    assert {called for called in names.values() if "inputs" in called} == {f"inputs[{k}]" for k in range(3)}
    pruned.save(tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "weights[0, 0, 2] = " in text
    assert f"<h1>{pruned.__name__}, pruned</h1>" in text
    assert "w6 = " not in text


# -- Torch ------------------------------------------------------------------------------------------------------------


def layered(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(3), rotation="Y")
    qml.StronglyEntanglingLayers(weights, wires=range(3))
    return [qml.expval(qml.Z(wire)) for wire in range(3)]


def torch_layer(torch, seed=1):
    weights = torch.tensor(small(2, 3, 3, seed=seed), dtype=torch.float64)
    return qml.qnn.TorchLayer(node(layered), {"weights": weights.shape}, init_method={"weights": weights})


@needs("torch")
def test_a_layer_becomes_a_smaller_layer():
    import torch

    layer, X = torch_layer(torch), torch.tensor(data(8, 3))
    new = qpp.prune(layer, Measured(0.02), inputs=X)
    assert isinstance(new, qml.qnn.TorchLayer)
    assert new.pruned.result.circuit.size() < new.pruned.result.flat.size()
    assert float((new(X) - layer(X)).abs().max()) <= 0.02 + SAME
    assert isinstance(new.weights, torch.nn.Parameter)  # not those of the QNode within
    new(X).sum().backward()
    assert new.weights.grad.abs().sum() > 0
    own = qml.qnn.TorchLayer(new.pruned, {"weights": (2, 3, 3)}, init_method={"weights": new.weights.detach()})
    assert torch.allclose(own(X), new(X), atol=SAME)


@needs("torch")
def test_layers_of_a_module_are_replaced_and_the_rest_is_copied():
    import torch

    torch.manual_seed(0)

    class Hybrid(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(4, 3, dtype=torch.float64)
            self.second = torch_layer(torch, seed=5)  # listed first, reached last
            self.first = torch.nn.Sequential(torch_layer(torch), torch.nn.Tanh())
            self.drop = torch.nn.Dropout(0.5)

        def forward(self, x):
            return self.second(self.drop(self.first(self.head(x))))

    model, X = Hybrid().train(), np.random.default_rng(3).uniform(-1, 1, (7, 4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    new = qpp.prune(model, Measured(0.05), inputs=X)
    assert new.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert list(new.state_dict()) == list(before)
    first, second = new.first[0].pruned, new.second.pruned
    x = torch.tensor(X)
    reached = torch.tanh(new.first[0](new.head(x))).detach().numpy()
    np.testing.assert_allclose(second.network.inputs["inputs"], reached, atol=SAME)
    for pruned, seed in ((first, 1), (second, 5)):
        rows = pruned.network.inputs["inputs"]
        old = results(node(layered), rows.numpy(), small(2, 3, 3, seed=seed))
        now = results(pruned, rows.numpy(), pruned.weights["weights"].numpy())
        assert np.abs(old - now).max() <= 0.05 + SAME


@needs("torch")
def test_what_is_no_layer_is_refused():
    import torch

    with pytest.raises(TaskError, match="holds no"):
        qpp.prune(torch.nn.Linear(2, 2), inputs=np.zeros((3, 2)))
    with pytest.raises(TaskError, match="inputs must be the samples"):
        qpp.prune(torch_layer(torch))
    with pytest.raises(TaskError, match="weights is a QNode's own"):
        qpp.prune(torch_layer(torch), inputs=data(3, 3), weights=data(2, 3, 3))
