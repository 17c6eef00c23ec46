"""Tasks: what is accepted, what is refused and with which words, and the round trip through files."""

from fractions import Fraction

import numpy as np
import pytest
from pennylane import numpy as pnp
from plain_task import W, X, build
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import HamiltonianGate, PauliEvolutionGate
from qiskit.quantum_info import Clifford, Operator, Pauli, SparseObservable, SparsePauliOp, Statevector
from scipy.sparse.linalg import eigsh

import qprune
from qprune import (
    Accuracy,
    MatrixProductState,
    Measured,
    OnDevice,
    OptionError,
    Proven,
    Task,
    TaskError,
    Threshold,
    UnderNoise,
)


def torch_tensor(number):
    return pytest.importorskip("torch").tensor(number, requires_grad=True)


def with_gate(add, qubits=3, clbits=2):
    circuit = QuantumCircuit(qubits, clbits)
    circuit.h(0)
    add(circuit)
    circuit.h(0)
    return circuit


def test_a_good_task():
    task = build()
    assert (task.num_qubits, task.num_samples) == (3, 2)
    assert [p.name for p in task.weight_params] == ["w[0]", "w[1]", "w[2]"]
    assert task.output_names == ("ZII",)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # of Qiskit, on the way in
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value):
    with pytest.raises(TaskError, match=r"inputs\[1, 0\] is .*finite"):
        build(inputs=[[0.1, 0.2], [value, 0.4]])
    with pytest.raises(TaskError, match=r"weights\[2\] is .*finite"):
        build(weights=[0.1, 0.2, value])
    with pytest.raises(TaskError, match="finite"):
        build(probabilities=[value, 0.5])
    with pytest.raises(TaskError, match="not finite"):
        build(observables=SparsePauliOp("ZII", value))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": [[0.1], [0.2]]}, r"inputs must have shape \(M, 2\), got \(2, 1\)"),
        ({"inputs": [0.1, 0.2]}, r"inputs must have shape \(M, 2\), got \(2,\)"),
        ({"inputs": np.zeros((0, 2))}, "no samples"),
        ({"inputs": None}, "inputs is missing"),
        ({"inputs": [["a", "b"]]}, "inputs must be an array"),
        ({"inputs": np.array([[1j, 0]])}, "complex"),
        ({"weights": [0.1, 0.2]}, r"weights must have shape \(3,\).*got \(2,\)"),
        ({"weights": None}, "weights is missing: 3 parameters"),
        ({"weights": {"w[0]": 0.1, "w[1]": 0.2}}, "neither in input_params nor in weight_params"),
        ({"weights": {"w[0]": 0.1}, "weight_params": list(W)}, r"missing w\[1\], w\[2\]"),
        ({"weights": {0: 0.1}, "weight_params": list(W)}, "missing"),
        ({"input_params": [X[0], "y"]}, "input_params names y, which the circuit does not have"),
        ({"input_params": [X[0], Parameter("x[1]")]}, "which the circuit does not have"),
        ({"input_params": [X[0], X[0]]}, "twice"),
        ({"input_params": 5}, "input_params must be parameters or their names, got 5"),
        ({"input_params": [X[0]], "inputs": [[1.0]]}, "weights"),
        ({"weight_params": [*W, X[0]]}, r"parameter x\[0\] is named as input and as weight"),
        ({"weight_params": [W[0]], "weights": [0.1]}, r"w\[1\], w\[2\] is neither"),
        ({"probabilities": [0.5, 0.4]}, "sum to one, got .*0.9"),
        ({"probabilities": [1.5, -0.5]}, "non-negative"),
        ({"probabilities": [1.0]}, r"shape \(2,\)"),
        ({"observables": "ZZ"}, "acts on 2 qubits, the circuit has 3"),
        ({"observables": "ZAB"}, "not a SparsePauliOp"),
        ({"observables": []}, "observables is empty"),
        ({"observables": SparsePauliOp(["ZII", "XII"], [1, 1j])}, "not Hermitian"),
        ({"observables": np.array([[0, 1], [0, 0]])}, "acts on 1 qubits"),
        ({"observables": np.triu(np.ones((8, 8)), 1)}, "not Hermitian"),
        ({"observables": SparsePauliOp("ZII", np.array([Parameter("c")], dtype=object))}, "unbound parameters"),
        ({"circuit": "rx(0.1)"}, "must be a qiskit QuantumCircuit, got str"),
        ({"holdout": 1.0}, r"fraction in \[0, 1\)"),
        ({"holdout": "a"}, "fraction"),
        ({"holdout": 0.1}, "leaves one side empty"),
        ({"holdout": [0, 1]}, "leave some to selection; got 2 indices, 2 different ones, from 0 to 1"),
        ({"holdout": [1, 1]}, "each sample once.*1 different"),
        ({"holdout": [2]}, "index from 0 to 1"),
        ({"holdout": [-1]}, "index from 0 to 1"),
        ({"holdout": [0.5]}, "array of sample indices"),
        ({"holdout": [[0]]}, "array of sample indices"),
        ({"holdout": [[0], [0, 1]]}, "array of sample indices"),
        ({"holdout": np.array([True, False])}, "array of sample indices"),
        ({"holdout": {1}}, "array of sample indices"),
        ({"holdout": [0], "probabilities": [1.0, 0.0]}, "probability zero"),
        ({"seed": -1}, "seed must be an integer"),
        ({"labels": [1, 2]}, "-1 or 1"),
        ({"labels": [1]}, r"shape \(2,\)"),
        ({"labels": [1, -1], "observables": None}, "labels need observables"),
        ({"probabilities": [1.0, 0.0], "holdout": 0.5, "seed": 1}, "probability zero"),
    ],
)
def test_refused_with_the_reason(changes, words):
    with pytest.raises(TaskError, match=words) as caught:
        build(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda c: c.measure(0, 0), "after that qubit was measured"),
        (lambda c: c.reset(0), "reset"),
        (lambda c: c.initialize([1, 0], 0), "initialize"),
        (lambda c: c.append(Operator(np.eye(2)).to_instruction().control(1, annotated=True), [1, 0]), "Annotated"),
    ],
)
def test_what_is_not_unitary(add, words):
    with pytest.raises(TaskError, match=words):
        Task(with_gate(add), "ZII")


def test_control_flow():
    circuit = QuantumCircuit(2, 1)
    with circuit.for_loop(range(2)):
        circuit.x(0)
    with pytest.raises(TaskError, match=r"control flow \(for_loop\)"):
        Task(circuit, "ZI")


def test_an_overwritten_bit_hides_no_measurement():
    circuit = QuantumCircuit(3, 2)
    circuit.measure([0, 1], [0, 0])
    circuit.h(0)
    circuit.measure(2, 1)
    with pytest.raises(TaskError, match="after that qubit was measured"):
        Task(circuit)


def test_final_measurements_are_taken_off_and_say_what_is_measured():
    circuit = QuantumCircuit(3, 3)
    circuit.x(2)
    circuit.barrier()
    circuit.measure([2, 0], [0, 1])
    task = Task(circuit)
    assert task.measured_qubits == (2, 0)  # outcome bit 0 is read from qubit 2
    assert task.circuit.count_ops() == {"x": 1}
    assert Task(circuit, "ZII").output_names == ("ZII",)
    assert Task(QuantumCircuit(2)).measured_qubits == (0, 1)


@pytest.mark.parametrize("name", ["barrier", "delay", "measure", "id"])
def test_a_users_own_gate_may_bear_any_name(name):
    inner = QuantumCircuit(1, name=name)
    inner.x(0)
    circuit = QuantumCircuit(1)
    circuit.append(inner.to_gate(), [0])
    result = qprune.prune(Task(circuit, "Z"), Threshold(0.01))
    assert Statevector(result.circuit).expectation_value(Pauli("Z")).real == pytest.approx(-1)


def test_observables_in_all_their_forms():
    for given in ("ZI", Pauli("ZI"), SparsePauliOp("ZI"), SparseObservable("ZI"), Pauli("ZI").to_matrix()):
        task = Task(QuantumCircuit(2), given)
        assert task.observables[0].to_list() == [("ZI", 1.0)]
        assert task.spectra[0].predicts_sign


def test_spectra_enclose_the_eigenvalues():
    rng = np.random.default_rng(0)
    for size in (2, 9):
        labels = ["".join(rng.choice(list("IXYZ"), size)) for _ in range(5)]
        operator = SparsePauliOp(labels, rng.normal(size=5)).simplify()
        sparse = operator.to_matrix(sparse=True)
        values = sorted(float(eigsh(sparse, k=1, which=end, return_eigenvectors=False)[0]) for end in ("SA", "LA"))
        spectrum = Task(QuantumCircuit(size), operator).spectra[0]
        low, high = spectrum.low + spectrum.centre, spectrum.high + spectrum.centre
        assert low <= values[0] + 1e-12
        assert high >= values[-1] - 1e-12
        if spectrum.exact:
            assert (low, high) == (pytest.approx(values[0]), pytest.approx(values[-1]))


def test_angles_with_no_finite_value():
    for expression in (lambda x: 1 / x, lambda x: x.log()):
        x = Parameter("x")
        circuit = QuantumCircuit(1)
        circuit.ry(expression(x), 0)
        task = Task(circuit, "Z", inputs=[[0.0], [1.0]], input_params=[x])
        with pytest.raises(TaskError, match=r"no finite real value at x=0"):
            qprune.prune(task)


def test_an_angle_that_is_not_differentiable_is_evaluated_sample_by_sample():
    x = Parameter("x")
    circuit = QuantumCircuit(1)
    circuit.ry(x.sign(), 0)
    task = Task(circuit, "Z", inputs=[-2.0, 3.0], input_params=[x])
    assert task.values(circuit.data[0].operation.params[0]).tolist() == [-1, 1]
    assert qprune.prune(task).circuit.size() == 1


def test_values_bind_weights_and_inputs():
    task = build()
    angles = [item.operation.params[0] for item in task.circuit.data if item.operation.params]
    assert task.values(angles[1]).tolist() == pytest.approx([0.4, 0.8])
    assert task.values(angles[3]) == pytest.approx(0.3)
    assert task.values(angles[4]).tolist() == pytest.approx([0.03, 0.09])


@pytest.mark.parametrize(
    "operation",
    [Clifford.from_label("H"), Pauli("X"), PauliEvolutionGate(SparsePauliOp(["X", "Z"]), 0.3)],
    ids=["Clifford", "Pauli", "sum evolution"],
)
def test_operators_in_place_of_gates(operation):
    circuit = QuantumCircuit(1)
    circuit.append(operation, [0])
    result = qprune.prune(Task(circuit, "Z"), Threshold(0.0))
    assert qprune.verify(result.original, result)


def test_hamiltonian_gate_with_a_free_time():
    time = Parameter("t")
    circuit = QuantumCircuit(1)
    circuit.append(HamiltonianGate(Pauli("X").to_matrix(), time), [0])
    with pytest.raises(TaskError, match="hamiltonian"):
        qprune.prune(Task(circuit, "Z", weights=[0.1]))


def test_too_many_qubits_for_memory():
    circuit = QuantumCircuit(40)
    circuit.h(range(40))
    with pytest.raises(TaskError, match=r"40 qubits, 2 at a time, needs 32 TiB of memory.*use"):
        qprune.prune(Task(circuit))


# -- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Threshold(1.5), "tolerance"),
        (lambda: Threshold(np.nan), "tolerance"),
        (lambda: Threshold("a"), "tolerance"),
        (lambda: Threshold("0.1"), "tolerance"),
        (lambda: Threshold(np.array("0.1")), "tolerance"),
        (lambda: Threshold(aggregate="mean"), "aggregate must be one of 'rms', 'max', got 'mean'"),
        (lambda: Threshold(window=-1), "window must be"),
        (lambda: Threshold(window="all"), "window must be"),
        (lambda: Proven(-1), "budget must be a finite number ≥ 0"),
        (lambda: Proven(np.inf), "budget"),
        (lambda: Proven(np.array(np.nan)), "budget"),
        (lambda: Proven(np.array([0.1])), "budget"),
        (lambda: Proven(np.array(0.1j)), "budget"),
        (lambda: Proven(np.array(True)), "budget"),
        (lambda: Proven(0.1, tolerance=2), "tolerance"),
        (lambda: Measured(None), "budget"),
        (lambda: Measured("0.1"), "budget"),
        (lambda: Measured(0.1, refit="yes"), "refit must be True or False"),
        (lambda: Accuracy(1.5), "loss must be a share"),
        (lambda: Accuracy(True), "loss must be a share"),
        (lambda: UnderNoise("silence"), "silence"),
        (lambda: UnderNoise("combined", refit="weights"), 'refit must be True, False or "noise"'),
        (lambda: qprune.Statevector(threads=0), "threads must be an integer ≥ 1"),
        (lambda: OnDevice("aer"), "estimator must be an EstimatorV2"),
    ],
)
def test_limits_and_simulators_check_themselves(make, words):
    with pytest.raises(qprune.QpruneError, match=words):
        make()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": 0.05}, r"Threshold\(0.05\), Proven\(0.05\), Measured"),
        ({"limit": Proven}, "limit must say how far"),
        ({"noise": 1.1}, r"λ, a number in \[0, 1\]"),
        ({"noise": -0.1}, "λ"),
        ({"noise": "device"}, "λ"),
        ({"representatives": "medoid"}, "representatives must be one of"),
        ({"representatives": "class", "limit": Measured(0.1)}, "leave out representatives='class'"),
        ({"strategy": "luck"}, "strategy must be one of"),
        ({"limit": Accuracy(0.1)}, "needs labels"),
        ({"limit": UnderNoise()}, "noise model or a device"),
        ({"simulator": "magic"}, "simulator must be one of"),
        ({"simulator": MatrixProductState(), "limit": Measured(0.1, refit=True)}, "refit works on statevectors"),
        ({"simulator": MatrixProductState(), "limit": Threshold(window=2)}, "windows work on statevectors"),
        ({"seed": -1}, "seed must be an integer ≥ 0"),
        ({"costs": 5}, "costs must be a mapping"),
        ({"limit": Proven(0.1), "costs": {"rz": -1}}, "costs must give a finite number"),
        ({"limit": Proven(0.1), "costs": lambda site: None}, "costs must give"),
        ({"progress": "yes"}, "progress must be True or False"),
    ],
)
def test_options_out_of_range(options, words):
    with pytest.raises(OptionError, match=words):
        qprune.prune(build(), **options)


@pytest.mark.parametrize(
    "kind", [np.array, np.float64, np.float32, pnp.array, Fraction, pytest.param(torch_tensor, id="torch")]
)
def test_numbers_of_any_kind(kind):
    """An array without axes is a number; the certificate keeps it as Python's own."""
    number, plain = kind(0.125), qprune.prune(build(), Proven(0.125))
    for options in (
        {"limit": Proven(number)},
        {"limit": Proven(0.125, tolerance=number)},
        {"limit": Threshold(number)},
    ):
        certificate = qprune.prune(build(), **options).certificate
        assert {certificate.budget, certificate.options["limit"].get("tolerance")} <= {0.125, None}
        assert qprune.Certificate.from_json(certificate.to_json()) == certificate
    assert qprune.prune(build(), Proven(number)).certificate == plain.certificate


@pytest.mark.parametrize(("name", "value"), [("beta", -1), ("gamma", -1), ("beta", np.inf), ("gamma", "a")])
def test_calibration_out_of_range(name, value):
    with pytest.raises(OptionError, match=f"{name} must be a finite number ≥ 0"):
        qprune.calibrate(0.9, **{name: value})


def test_a_circuit_is_no_task():
    with pytest.raises(TaskError, match="wrap a circuit"):
        qprune.prune(QuantumCircuit(1))


@pytest.mark.parametrize(
    "observable", [("Z", 1e160), ("Z", 1e-300), SparsePauliOp(["I", "Z"], [1, 1e-200]), ("I", 1e200)], ids=str
)
def test_units_whose_squares_no_float_holds_are_refused(observable):
    """Beside a constant, too."""
    with pytest.raises(TaskError, match=r"squares a float can hold.*give it in another unit"):
        Task(QuantumCircuit(1), observable)


def test_an_observable_that_is_zero_is_one():
    assert qprune.prune(Task(QuantumCircuit(1), ("Z", 0.0)), Measured(0.0)).circuit.size() == 0


@pytest.mark.parametrize("unit", [1e-130, 1e130])
def test_units_are_the_users_up_to_there(unit):
    """Bound, deviation and what is left in extreme units are those in units of one."""
    circuit, found = QuantumCircuit(2), []
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    circuit.rx(Parameter("b"), 1)
    for scale in (1.0, unit):
        task = Task(circuit, SparsePauliOp(["ZZ", "XI"], [scale, -scale]), weights=[0.7, 0.02])
        for limit in (Proven(0.1 * scale), Measured(0.1 * scale, refit=True)):
            result = qprune.prune(task, limit)
            certificate = result.certificate
            found.append((result.circuit.size(), certificate.largest_measured / scale))
    for one, other in zip(found[:2], found[2:], strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-12)
