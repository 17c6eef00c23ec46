"""Passes on an executor's workers: the serial result to the last bit, whatever becomes of the workers."""

from __future__ import annotations

import os
import signal
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

import qprune
from qprune import Measured, OptionError, Proven, Task, Threshold, prune, verify
from qprune.errors import TaskError
from qprune.pennylane import prune as prune_qnode
from qprune.simulators import runner
from qprune.simulators import simulator as simulators
from qprune.simulators.sharding import ATTEMPTS, in_pieces

SAMPLES = 14
X, W = ParameterVector("x", 5), ParameterVector("w", 24)


def network(measure=False):
    """Asymmetric, with affine and other functions of several inputs in one angle, some samples held out."""
    circuit, rng = QuantumCircuit(5, 2), np.random.default_rng(5)
    for q in range(5):
        circuit.ry(X[q], q)
    circuit.rz(0.3 * X[0] - 1.7 * X[1] + 0.9 * X[2] + 0.1 * X[3] + X[4] + 0.2, 2)
    circuit.rx(X[0] * X[3], 1)
    for layer in range(2):
        for q in range(5):
            circuit.rz(W[10 * layer + 2 * q], q)
            circuit.ry(W[10 * layer + 2 * q + 1], q)
        for q in range(4):
            circuit.cx(q, q + 1)
    for q in range(4):
        circuit.rzz(W[20 + q], q, (q + 2) % 5)
    if measure:
        circuit.measure([3, 0], [0, 1])
    return Task(
        circuit,
        None if measure else ["IIIZX", SparsePauliOp(["ZIIIZ", "IXYII"], [0.4, -1.3])],
        inputs=rng.uniform(-1, 1, (SAMPLES, 5)),
        input_params=list(X),
        weights=rng.normal(0, 0.2, 24),
        weight_params=list(W),
        holdout=0.3,
    )


def slow_network():
    """Some milliseconds per sample, so that a worker dies in the middle of one."""
    circuit, rng = QuantumCircuit(12), np.random.default_rng(2)
    for layer in range(4):
        for q in range(12):
            circuit.ry(X[q % 5] + layer, q)
            circuit.rz(rng.normal(0, 0.1), q)
        for q in range(11):
            circuit.cx(q, q + 1)
    return Task(circuit, "Z" + "I" * 10 + "X", inputs=rng.uniform(-1, 1, (SAMPLES, 5)), input_params=list(X))


OPTIONS = [
    {"limit": Proven(0.3)},
    {"limit": Threshold(0.1, aggregate="max"), "representatives": "class"},
    {"limit": Measured(0.1)},
]


def everything(result):
    """All numbers of a result, exactly."""
    return result.certificate.to_json(), repr(result.plan), repr(result.accuracy)


class Bar:
    """Stands in for a bar: counts samples, and calls somebody at a given count."""

    def __init__(self, monkeypatch, at=None, then=lambda: None):
        self.counts, self.totals, self.at, self.then = [], [], at, then
        monkeypatch.setattr(runner, "bar", self.start)

    def start(self, *_, total, **__):
        self.totals.append(total)
        self.counts.append(0)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, count):
        before = sum(self.counts)
        self.counts[-1] += count
        if self.at is not None and before < self.at <= sum(self.counts):
            self.then()


@pytest.fixture(autouse=True)
def one_sample_per_shard(monkeypatch):
    monkeypatch.setattr(simulators, "SHARD_WORK", 1)


class Unreliable(Executor):
    """Does the work at once, in this process; `fate` says what becomes of each submission."""

    def __init__(self, fate=lambda number: None):
        self.fate, self.submitted = fate, 0

    def submit(self, function, *arguments):
        future, error = Future(), self.fate(self.submitted)
        self.submitted += 1
        if isinstance(error, str):
            raise BrokenExecutor(error)
        if error is None:
            future.set_result(function(*arguments))
        else:
            future.set_exception(error)
        return future


@pytest.mark.thinned(3)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("measure", [False, True], ids=["observables", "probabilities"])
def test_sharded_is_serial_to_the_last_bit(options, measure, monkeypatch):
    task, executor, bar = network(measure=measure), Unreliable(), Bar(monkeypatch)
    result = prune(task, executor=executor, progress=True, **options)
    assert everything(result) == everything(prune(task, **options))
    assert executor.submitted == sum(bar.counts) > 2 * len(task.selected)
    assert bar.counts == bar.totals


@pytest.fixture(scope="module")
def fresh():
    """A process that has nothing of this one."""
    with pytest.MonkeyPatch.context() as patch, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield pool


def test_processes_give_the_serial_result(fresh):
    task = network()
    serial = everything(prune(task, Proven(0.3)))
    assert everything(prune(task, Proven(0.3), executor=fresh)) == serial
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        assert everything(prune(task, Proven(0.3), executor=pool)) == serial


def test_angles_reach_the_workers_as_they_are(fresh):
    """Qiskit 2.3 pickles x − 2w as −x + 2w; a fresh process that got that would measure another network."""
    x, w, v = Parameter("x"), Parameter("w"), Parameter("v")
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.rz(x - 2 * w, 0)
    circuit.rx(0.8, 0)
    circuit.ry(v / (w + 2), 0)
    task = Task(circuit, "Z", inputs=np.linspace(-2, 2, 9), input_params=[x], weights={w: 0.7, v: 2.4})
    result = prune(task, Threshold(0.01), executor=fresh)
    assert result.certificate == prune(task, Threshold(0.01)).certificate
    assert verify(task, result)


def test_samples_of_a_killed_process_are_done_once(monkeypatch):
    """A ProcessPoolExecutor is broken by the first death: the parent does what is left."""
    task = network()
    serial = prune(task, Proven(0.3))
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        bar = Bar(monkeypatch, 4, lambda: os.kill(next(iter(pool._processes)), signal.SIGKILL))
        with pytest.warns(RuntimeWarning, match="worker of the executor died"):
            result = prune(task, Proven(0.3), executor=pool, progress=True)
    assert everything(result) == everything(serial)
    assert bar.counts == bar.totals


@pytest.mark.parametrize("error", [BrokenExecutor, CancelledError])
def test_a_lost_sample_is_submitted_again(error, monkeypatch):
    """Every third submission is lost with its worker."""
    task, bar = network(), Bar(monkeypatch)
    executor = Unreliable(lambda number: error() if number % 3 == 0 else None)
    result = prune(task, Proven(0.3), executor=executor, progress=True)
    assert everything(result) == everything(prune(task, Proven(0.3)))
    assert bar.counts == bar.totals
    assert executor.submitted > sum(bar.totals)


def test_pieces_are_done_once_each_whatever_breaks():
    """Lost, lost again, refused: in the end each piece has one result, and was counted once."""
    counted = []
    executor = Unreliable(lambda number: "down" if number > 40 else BrokenExecutor() if number % 2 else None)
    with pytest.warns(RuntimeWarning, match="worker of the executor died"):
        found = in_pieces(executor, pow, [(k, 2) for k in range(50)], counted.append)
    assert found == [k * k for k in range(50)]
    assert sorted(counted) == list(range(50))


def test_a_piece_that_no_worker_survives_is_submitted_so_many_times_and_no_more():
    executor = Unreliable(lambda number: CancelledError())
    with pytest.warns(RuntimeWarning):
        assert in_pieces(executor, pow, [(2, 3)], lambda k: None) == [8]
    assert executor.submitted == ATTEMPTS


def test_an_error_of_the_work_itself_is_raised_at_once():
    executor = Unreliable()
    with pytest.raises(ZeroDivisionError):
        in_pieces(executor, pow, [(0, -1), (1, 1)], lambda k: None)
    assert executor.submitted <= 2


def test_too_little_memory_on_a_worker_is_a_clear_error(monkeypatch):
    monkeypatch.setattr("qprune.simulators.values.SMALL", 0)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("", (), {"available": 1})())
    with pytest.raises(TaskError, match="5 qubits"):
        prune(network(), Proven(0.3), executor=Unreliable())


def test_what_is_no_executor_and_one_that_is_shut_down_are_refused():
    with pytest.raises(OptionError, match=r"executor must be a concurrent\.futures\.Executor"):
        prune(network(), executor=4)
    with ProcessPoolExecutor(1) as pool:
        pass
    with pytest.raises(OptionError, match="executor must take work, ProcessPoolExecutor says"):
        prune(network(), executor=pool)


def test_small_passes_stay_in_one_shard_and_here(monkeypatch):
    monkeypatch.undo()
    executor = Unreliable()
    prune(network(), Proven(0.3), executor=executor)
    assert executor.submitted == 0


def test_every_way_in_takes_an_executor():
    import pennylane as qml

    @qml.qnode(qml.device("default.qubit", wires=2))
    def qnode(inputs, weights):
        qml.AngleEmbedding(inputs, wires=range(2))
        qml.StronglyEntanglingLayers(weights, wires=range(2))
        return qml.expval(qml.PauliZ(0))

    rng, executor = np.random.default_rng(0), Unreliable()
    pruned = prune_qnode(
        qnode, Proven(0.1), inputs=rng.uniform(size=(3, 2)), weights=rng.normal(0, 0.1, (1, 2, 3)), executor=executor
    )
    assert executor.submitted >= 3
    assert pruned.certificate.largest_measured <= 0.1
    task = pruned.result.original
    front = qprune.frontier(task, budgets=[0.05], refit=False, executor=executor)
    serial = qprune.frontier(task, budgets=[0.05], refit=False)
    assert [everything(r) for r in front] == [everything(r) for r in serial]


def test_a_dask_cluster_loses_a_worker_half_way_and_no_sample(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs pip install 'qprune[dask]'")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # Workers are forked off one process that has imported all they need.
    import dask

    monkeypatch.setitem(dask.config.config["distributed"]["worker"], "multiprocessing-method", "forkserver")
    distributed.utils.get_mp_context().set_forkserver_preload(["distributed", "qprune"])
    task = slow_network()
    serial = prune(task, Proven(0.3))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = client.run(os.getpid)
        half = len(task.selected) // 2
        bar = Bar(monkeypatch, half, lambda: os.kill(min(pids.values()), signal.SIGKILL))
        result = prune(task, Proven(0.3), executor=client.get_executor(), progress=True)
        assert set(client.run(os.getpid).values()) != set(pids.values())
    assert everything(result) == everything(serial)
    assert bar.counts == bar.totals
