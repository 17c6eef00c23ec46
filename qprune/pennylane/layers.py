"""PennyLane's `TorchLayer`, and Torch modules that hold some: each replaced by a smaller one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pennylane as qml

from qprune.errors import TaskError
from qprune.pennylane.qnode import PrunedQNode

PrunesQNode = Callable[[Any, Any, Mapping[str, Any]], PrunedQNode]  # QNode, inputs by name, weights by name


def is_module(given: object) -> bool:
    """Whether this is a Torch module; Torch itself is not imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.nn.Module)


def pruned_module(module: Any, inputs: Any, prune: PrunesQNode) -> Any:
    """A copy of a Torch module in which every `TorchLayer` is pruned on what reaches it.

    Layers are pruned in the order in which data reach them, each on the inputs that it gets from the pruned layers
    before it. A budget limits each layer's own outputs; of what other layers make of them nothing is claimed.

    Args:
        module: A `qml.qnn.TorchLayer`, or a module that holds some.
        inputs: What the module takes for all samples at once: a tensor, or an array that becomes one.
        prune: Prunes one layer's QNode.

    Returns:
        The copy. Each new layer has an attribute `pruned`, its `PrunedQNode` with result and certificate.

    Raises:
        TaskError: There is no such layer, or none of it is reached.
    """
    torch = sys.modules["torch"]
    new = deepcopy(module)
    if not any(isinstance(layer, qml.qnn.TorchLayer) for layer in new.modules()):
        raise TaskError("the Torch module holds no qml.qnn.TorchLayer; give one that does, or the QNode itself")
    if inputs is None:
        raise TaskError("inputs must be the samples that the module takes, shape (M, …); got None")
    given = inputs if isinstance(inputs, torch.Tensor) else torch.as_tensor(np.asarray(inputs), dtype=_dtype(new))
    for layer in _in_order(new, given):
        smaller = _pruned_layer(layer, _reaching(new, layer, given), prune)
        if new is layer:
            return smaller
        _replace(new, layer, smaller)
    return new


def _pruned_layer(layer: Any, inputs: Any, prune: PrunesQNode) -> Any:
    """The layer with fewer gates, and its weights."""
    weights = {name: value.detach() for name, value in layer.qnode_weights.items()}
    pruned = prune(layer.qnode, {layer.input_arg: inputs}, weights)
    values = {name: value.detach().clone() for name, value in pruned.weights.items()}
    # The plain QNode: a layer looks its own attributes up in its QNode first, where a pruned one has `weights`.
    new = qml.qnn.TorchLayer(pruned.qnode, {name: tuple(v.shape) for name, v in values.items()}, init_method=values)
    new.pruned = pruned
    new.train(layer.training)
    for name, value in layer.qnode_weights.items():
        new.qnode_weights[name].requires_grad_(value.requires_grad)
    return new


def _in_order(module: Any, inputs: Any) -> list[Any]:
    """The module's quantum layers in the order in which data reach them first.

    Raises:
        TaskError: Data reach none.
    """
    met: list[Any] = []

    def note(layer: Any, _: Any) -> None:
        if all(layer is not other for other in met):
            met.append(layer)

    _run(module, inputs, {layer: note for layer in module.modules() if isinstance(layer, qml.qnn.TorchLayer)})
    if not met:
        raise TaskError("the samples reach no TorchLayer of the module; its forward must call the layer")
    return met


def _reaching(module: Any, layer: Any, inputs: Any) -> Any:
    """All inputs that the layer gets for these samples, shape (M, features)."""
    seen: list[Any] = []
    _run(module, inputs, {layer: lambda _, arguments: seen.append(arguments[0].detach())})
    torch = sys.modules["torch"]
    return torch.cat([rows.reshape(-1, rows.shape[-1]) for rows in seen])


def _run(module: Any, inputs: Any, hooks: Mapping[Any, Callable[[Any, Any], None]]) -> None:
    """The module as it predicts (no dropout), with something to do before some of its layers."""
    torch, training = sys.modules["torch"], module.training
    handles = [layer.register_forward_pre_hook(hook) for layer, hook in hooks.items()]
    module.eval()
    try:
        with torch.no_grad():
            module(inputs)
    finally:
        module.train(training)
        for handle in handles:
            handle.remove()


def _replace(module: Any, old: Any, new: Any) -> None:
    """Put a layer in the place of another, wherever the module holds it."""
    for holder in list(module.modules()):
        for name, child in list(holder.named_children()):
            if child is old:
                setattr(holder, name, new)


def _dtype(module: Any) -> Any:
    """The precision of the module's weights."""
    return next(iter(module.parameters())).dtype
