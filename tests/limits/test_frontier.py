"""The Pareto front: every point certified, none beaten by another."""

import numpy as np
import pytest
from helpers import CIRCUITS
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

import qprune
from qprune import Measured, OptionError


def network():
    """Three qubits, two layers, every third angle small."""
    rng, circuit = np.random.default_rng(4), QuantumCircuit(3)
    weights = ParameterVector("w", 12)
    for k, w in enumerate(weights):
        circuit.ry(w, k % 3) if k % 6 < 3 else circuit.rz(w, k % 3)
        if k % 6 == 5:
            circuit.cx(0, 1)
            circuit.cx(1, 2)
    values = rng.normal(size=12) * np.resize([1.0, 1.0, 0.02], 12)
    return qprune.Task(circuit, SparsePauliOp(["ZZI", "IXX"], [1.0, 0.5]), weights=values)


@pytest.fixture(scope="module", params=[False, True], ids=["as they are", "refit"])
def front(request):
    return qprune.frontier(network(), budgets=(1e-2, 0.3), refit=request.param)


def point(result):
    return (result.circuit.num_nonlocal_gates(), result.circuit.size(), result.certificate.largest_measured)


def test_no_point_beats_another(front):
    points = [point(result) for result in front]
    assert len(points) >= 2
    for k, one in enumerate(points):
        for other in points[k + 1 :]:
            assert not all(a <= b for a, b in zip(one, other, strict=True))
            assert not all(b <= a for a, b in zip(one, other, strict=True))


def test_every_point_verifies_and_keeps_its_budget(front):
    for result in front:
        qprune.verify(result.original, result)
        assert result.certificate.largest_measured <= result.certificate.budget + 1e-9


def test_within_gives_the_smallest_that_fits(front):
    chosen = front.within(0.02)
    assert chosen.certificate.largest_measured <= 0.02
    fitting = [point(r)[:2] for r in front if r.certificate.largest_measured <= 0.02]
    assert point(chosen)[:2] == min(fitting)
    with pytest.raises(OptionError, match="deviation"):
        front.within(-1.0)


def test_it_is_drawn_and_printed(front):
    from matplotlib import pyplot

    ax = qprune.plot(front)
    assert len(ax.lines) == 2
    assert list(ax.lines[0].get_xdata()) == [r.circuit.size() for r in front]
    pyplot.close(ax.figure)
    assert len(str(front).splitlines()) == len(front) + 1


def test_refit_goes_farther():
    task = qprune.Task.load(CIRCUITS / "h2-vqe-4q")
    plain, refitted = (qprune.prune(task, Measured(0.05, refit=refit)).circuit for refit in (False, True))
    assert refitted.size() <= plain.size()
    assert refitted.num_nonlocal_gates() <= plain.num_nonlocal_gates()


def test_front_is_deterministic():
    texts = [
        [r.certificate.to_json() for r in qprune.frontier(network(), budgets=(0.01,), refit=True)] for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert np.all([len(t) for t in texts[0]])


def test_what_is_known_must_be_results():
    result = qprune.prune(network(), Measured(0.01))
    for known, got in ((result, "a single PruneResult"), ([result, 1], "int"), (3, "a single int")):
        with pytest.raises(OptionError, match=f"known must be results of an earlier call.* got {got}"):
            qprune.frontier(network(), budgets=(0.01,), known=known)
