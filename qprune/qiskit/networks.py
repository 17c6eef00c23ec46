"""Tasks from Qiskit Machine Learning's networks, and smaller networks from results."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from qprune.errors import OptionError, TaskError
from qprune.qiskit.received import with_measurements
from qprune.results.result import PruneResult
from qprune.task.task import Task


def from_qnn(qnn: Any, X: ArrayLike | None, weights: ArrayLike | None = None, **task_options: Any) -> Task:
    """The task of a Qiskit Machine Learning network.

    Args:
        qnn: An `EstimatorQNN` (its observables), or a `SamplerQNN` (the probabilities of what it measures; whatever
            its `interpret` makes of the outcomes, the bound on the total variation holds for that too). Or a trained
            model that holds one, such as a `VQC` or a `NeuralNetworkClassifier`.
        X: Inputs, shape (M, number of input parameters).
        weights: Trained values, shape (number of weight parameters,); of a trained model, its own by default.
        task_options: Further arguments of `Task`: holdout, labels, probabilities, seed.

    Raises:
        TaskError: `qnn` is none of these, the model was not trained, or the data do not fit it.

    Example:
        Any object with the attributes of such a network serves, as here one that stands in for an `EstimatorQNN`:

        >>> from types import SimpleNamespace
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> circuit, x, w = QuantumCircuit(1), Parameter("x"), Parameter("w")
        >>> _ = circuit.ry(x, 0), circuit.rx(w, 0)
        >>> parts = {"input_params": [x], "weight_params": [w], "observables": [SparsePauliOp("Z")]}
        >>> from_qnn(SimpleNamespace(circuit=circuit, **parts), [[0.1], [0.7]], [0.2])
        Task(1 qubits, 2 samples, 1 weights, measures Z)
    """
    network = _network_of(qnn)
    if weights is None and network is not qnn:
        try:
            weights = qnn.weights
        except Exception as error:  # Qiskit Machine Learning's own, which is imported by no one here
            raise TaskError(
                f"{type(qnn).__name__} has no trained weights ({error}); fit it, or give weights"
            ) from error
    return Task(
        network.circuit,
        list(network.observables) if hasattr(network, "observables") else None,
        inputs=X if len(network.input_params) else None,
        input_params=list(network.input_params),
        weights=weights if len(network.weight_params) else None,
        weight_params=list(network.weight_params),
        **task_options,
    )


def to_qnn(result: PruneResult, qnn: Any) -> Any:
    """The network with the pruned circuit: same primitive, observables or interpretation, gradient and precision.

    Args:
        result: What `qprune.prune` made of `from_qnn(qnn, …)`.
        qnn: The network, or the model that holds it.

    Returns:
        A network of the same class. `result.weights` are its weights; its inputs are those of `result.task`, fewer than
        before only where no gate is left that some input enters.

    Raises:
        TaskError: `qnn` is no network.
        OptionError: The result is not one of this network.

    Example:
        With one that stands in for an `EstimatorQNN`; those of Qiskit Machine Learning go in as they are:

        >>> from types import SimpleNamespace
        >>> import qprune
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> circuit, x, w = QuantumCircuit(1), Parameter("x"), Parameter("w")
        >>> _ = circuit.ry(x, 0), circuit.rx(w, 0)
        >>> parts = {"input_params": [x], "weight_params": [w], "observables": [SparsePauliOp("Z")]}
        >>> parts |= dict.fromkeys(["estimator", "gradient", "input_gradients", "default_precision"])
        >>> qnn = SimpleNamespace(circuit=circuit, **parts)
        >>> result = qprune.prune(from_qnn(qnn, [[0.1], [0.7]], [0.02]), qprune.Measured(0.05))
        >>> to_qnn(result, qnn).circuit.size()
        1
    """
    network = _network_of(qnn)
    circuit = network.circuit
    if [p.name for p in network.weight_params] != [p.name for p in result.original.weight_params] or (
        circuit.num_qubits != result.circuit.num_qubits
    ):
        raise OptionError("result must be one of this network: give what prune made of from_qnn(qnn, …)")
    left = set(result.circuit.parameters)
    options: dict[str, Any] = {
        "input_params": [p for p in result.task.input_params if p in left],
        "weight_params": list(result.task.weight_params),
        "input_gradients": network.input_gradients,
        "gradient": network.gradient,
    }
    if hasattr(network, "observables"):
        options |= {"estimator": network.estimator, "observables": network.observables}
        options["default_precision"] = network.default_precision
        return type(network)(circuit=result.circuit, **options)
    options |= {"sampler": network.sampler, "interpret": network.interpret, "output_shape": network.output_shape}
    return type(network)(circuit=with_measurements(result.circuit, circuit), sparse=network.sparse, **options)


def _network_of(given: Any) -> Any:
    """The network itself, also of a model that holds one."""
    qnn = getattr(given, "neural_network", given)
    missing = [name for name in ("circuit", "input_params", "weight_params") if not hasattr(qnn, name)]
    if missing or not (hasattr(qnn, "observables") or hasattr(qnn, "interpret")):
        raise TaskError(
            f"qnn must be an EstimatorQNN or a SamplerQNN, or a model that holds one, got {type(given).__name__}"
        )
    return qnn
