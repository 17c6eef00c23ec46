"""Circuits grown from nothing, fits that start again, looking ahead on few samples, and labels that judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import outputs, state
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qprune import Accuracy, Measured, Task, prune, verify
from qprune.gates.sites import sites_of
from qprune.limits import accuracy, compressor, measuring
from qprune.limits.accuracy import fall_of
from qprune.limits.growth import RESTARTED, WAYS, Growth
from qprune.limits.measuring import compressor_of
from qprune.limits.prepared import Comparison, prepare
from qprune.limits.progress import INTERRUPTED, OUT_OF_TIME, OutOfTime, Watch
from qprune.limits.removal import Reduced
from qprune.limits.settings import Settings
from qprune.limits.trial import Fitter
from qprune.selection.strategies.base import Proposal, Strategy

x, w = Parameter("x"), Parameter("w")
BUDGET = Measured(0.1, refit=True)


def halved(labels=None):
    """⟨Z₀⟩ = cos x cos w: the CX and the other qubit's rotation make outputs small alone, and no label needs them."""
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.ry(w, 1)
    circuit.cx(1, 0)
    inputs = np.linspace(0.2, 2.9, 8)[:, None]
    given = {} if labels is None else {"labels": np.where(np.cos(inputs[:, 0]) > 0, 1, -1).tolist()}
    return Task(circuit, ["IZ"], inputs=inputs, input_params=[x], weights=[1.0], **given)


def chain(samples, qubits=3, entangled=False):
    """Rotations by weights and a CX between neighbours, twice, after an input on every qubit, and pairs if asked."""
    rng, circuit = np.random.default_rng(3), QuantumCircuit(qubits)
    inputs, count = [Parameter(f"x{q}") for q in range(qubits)], 0
    for q in range(qubits):
        circuit.ry(inputs[q], q)
    for q in range(qubits - 1 if entangled else 0):
        circuit.rzz(inputs[q], q, q + 1)
    for _ in range(2):
        for q in range(qubits):
            circuit.ry(Parameter(f"w{count:02d}"), q)
            count += 1
        for q in range(qubits - 1):
            circuit.cx(q, q + 1)
    rows = rng.uniform(0, np.pi, (samples, qubits))
    weights = rng.uniform(-1, 1, count)
    return Task(circuit, ["Z" + "I" * (qubits - 1)], inputs=rows, input_params=inputs, weights=weights)


def test_the_states_of_both_ensembles_are_counted_before_they_are_made(monkeypatch):
    """Of all samples, and of those that are looked ahead on, with all qubits that are read."""
    asked = []
    monkeypatch.setattr(compressor, "check_engine_memory", lambda _, __, *numbers: asked.append(numbers))
    for samples, idle, ahead in ((100, 0, False), (8000, 0, True), (1000, 0, False), (1000, 5, True)):
        task = chain(samples)
        circuit = QuantumCircuit(3 + idle)
        circuit.compose(task.circuit, range(3), inplace=True)
        wide = Task(
            circuit,
            ["Z" * (3 + idle)],
            inputs=task.inputs,
            input_params=[f"x{q}" for q in range(3)],
            weights=task.weights,
        )
        search = compressor_of(prepare(wide, Settings(), Comparison(window=0)))
        assert search.looks_at_all is not ahead
        assert asked.pop() == (3 + idle, [samples, *([len(search.scout.samples)] if ahead else [])], 1)
        assert not asked


def test_a_rotation_goes_although_its_loss_leaves_a_flat_valley():
    """cos a cos b at a = b = π is 1: without either it is −1 and flat, and only a fit that starts elsewhere finds 1."""
    circuit = QuantumCircuit(2)
    for qubit, name in enumerate("ab"):
        circuit.rx(Parameter(name), qubit)
    search = search_of(Task(circuit, ["ZZ"], weights=[np.pi, np.pi]), Measured(0.01, refit=True))
    start = search.fitter.start(search.original)
    alone = search.fitter.fitted_within(start.without([0]), 0.01)
    assert alone.deviation == pytest.approx(2)
    found = search._first_that_fits(start, [0, 1], 0.01)
    assert len(found.sites) == 1
    assert found.deviation <= 0.01


def signs(result):
    """Of the first output on the selected samples, by dense states."""
    task = result.task
    return np.sign([outputs(task, state(task.bound_circuit(i)))[0] for i in task.selected])


def labelled(task, flipped=0):
    """With the original's own signs as labels, but for the first few."""
    labels = np.sign([outputs(task, state(task.bound_circuit(i)))[0] for i in range(len(task.inputs))]).astype(int)
    labels[:flipped] *= -1
    return task.with_inputs(task.inputs, labels=labels)


def search_of(task, limit=BUDGET, **settings):
    return compressor_of(prepare(task, Settings(**settings), limit.comparison))


def test_labels_bear_what_no_deviation_does():
    """What halves every output, and turns no sign, goes by labels alone; `Measured` has to keep it."""
    task = halved(labels=True)
    assert prune(task, BUDGET).circuit.num_nonlocal_gates() == 1
    result = prune(task, Accuracy(0.0, refit=True))
    assert result.circuit.size() == 1
    np.testing.assert_array_equal(signs(result), task.labels)
    assert verify(task, result).checks


def test_accuracy_falls_by_the_share_of_samples_that_change_their_class():
    task = halved(labels=True)
    fall = fall_of(prepare(task, Settings(), Accuracy(0.0).comparison))
    before = np.array([[outputs(task, state(task.bound_circuit(i)))[0] for i in range(8)]])
    assert fall(np.zeros((1, 8))) == 0
    for turned in ([2], [0, 5, 7]):
        change = np.zeros((1, 8))
        change[0, turned] = -2 * before[0, turned]
        assert fall(change) == pytest.approx(len(turned) / 8)
        change[0, turned] = -before[0, turned] * (1 - 1e-15)  # the right sign, but no more than rounding has one
        assert fall(change) == pytest.approx(len(turned) / 8)


def test_what_breaks_the_limit_once_measured_is_not_returned(monkeypatch):
    """A search may take an output within rounding of zero for right that Aer takes for wrong."""
    task = halved(labels=True)

    def wrong(prepared, budget, judge):
        turned = QuantumCircuit(2)
        turned.ry(x, 0)
        turned.x(0)
        smaller = task.with_circuit(turned, {})
        return Reduced(smaller, tuple(sites_of(smaller)), 0.0)

    monkeypatch.setattr(accuracy, "compressed", wrong)
    result = prune(task, Accuracy(0.0, refit=True))
    assert verify(task, result).checks
    np.testing.assert_array_equal(signs(result), task.labels)


@pytest.mark.parametrize("seed", range(4))
def test_a_fit_that_starts_again_leaves_a_stationary_point(seed):
    """⟨Z⟩ = cos w at w = 0, of which −1 is wanted: the slope is zero, and no step leaves it."""
    circuit = QuantumCircuit(1)
    circuit.ry(w, 0)
    task = Task(circuit, ["Z"], inputs=np.zeros((3, 0)), weights=[np.pi])
    fitter = Fitter(Reduced(task, tuple(sites_of(task))), np.arange(3), 3, lambda: None)
    stuck = replace(fitter.start(Reduced(task, tuple(sites_of(task)))), weights=np.zeros(1))
    assert fitter.fitted(stuck, 60).square == pytest.approx(12)
    moved = fitter.restarted(stuck, np.random.default_rng(seed))
    assert moved.square < 1e-6
    assert np.cos(moved.weights[0]) == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_starting_again_never_fits_worse(seed):
    growth = Growth(search_of(chain(20), seed=seed), seed)
    gone = list(growth.cost)[1:]
    current = growth.fitter.fitted(growth.start.without(gone), 60)
    again = growth._restarted(current)
    assert again.square <= current.square
    assert again.gone == current.gone


@pytest.mark.parametrize(("samples", "qubits", "alone"), [(20, 3, True), (300, 9, False), (60, 9, True)])
def test_looking_ahead_takes_part_of_the_samples_where_they_are_dear(samples, qubits, alone):
    """2¹³ amplitudes, or 32 samples, where there are twice as many; drawn, as rows may be in order of class."""
    search = search_of(chain(samples, qubits))
    assert (search.scout is search.fitter) == alone
    if not alone:
        some = search.scout.samples
        assert len(some) == 32
        assert len(set(some.tolist())) == 32
        assert len(set(np.diff(some).tolist())) > 1
        np.testing.assert_allclose(search.scout.target, search.fitter.target[:, some], atol=1e-12)


@pytest.mark.parametrize("qubits", [3, 9])
def test_what_is_grown_keeps_its_budget(qubits):
    """By dense states, whatever part of the samples was looked at on the way."""
    task = chain(80, qubits)
    result = prune(task, Measured(0.3, refit=True), time_limit=60)
    before = [outputs(task, state(task.bound_circuit(i)))[0] for i in range(80)]
    after = [outputs(result.task, state(result.task.bound_circuit(i)))[0] for i in range(80)]
    assert np.max(np.abs(np.subtract(after, before))) <= 0.3 + 1e-12


@pytest.mark.parametrize("found", [True, False])
def test_fits_start_again_where_the_first_way_finds_nothing(monkeypatch, found):
    tried = []

    def grown(self, budget, *way):
        tried.append(way)
        return self.search.original if found else None

    monkeypatch.setattr(Growth, "grown", grown)
    list(Growth(search_of(chain(20)), 0).ways(0.1))
    assert tried == (list(WAYS) if found else [WAYS[0], RESTARTED])


def test_what_was_grown_before_the_time_was_up_is_gone_on_from(monkeypatch):
    begun = []

    def ways(self, budget):
        yield replace(self.search.original, deviation=0.0)
        raise OutOfTime

    monkeypatch.setattr(measuring.Growth, "ways", ways)
    monkeypatch.setattr(
        measuring.Compressor, "compress", lambda self, budget, start=None, block=None: begun.append(start)
    )
    prepared = prepare(chain(20), Settings(time_limit=100.0), BUDGET.comparison)
    assert measuring.compressed(prepared, 0.1).cut == OUT_OF_TIME
    assert begun[0] is not None
    assert len(begun[0].sites) == len(prepared.sites)


@pytest.mark.parametrize(("samples", "qubits"), [(24, 3), (200, 9)])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_accuracy_with_refit_is_kept_by_dense_states(samples, qubits, loss):
    """Also where a part of the samples is looked ahead on, and some labels are not what the original predicts."""
    task = labelled(chain(samples, qubits), flipped=3)
    result = prune(task, Accuracy(loss, refit=True), time_limit=60)
    right = float(np.mean(signs(result) == task.labels))
    assert right >= 1 - 3 / samples - loss - 1e-12
    assert verify(task, result).checks


@pytest.mark.parametrize("how", ["time", "interrupt"])
def test_accuracy_is_kept_however_the_search_ends(monkeypatch, how):
    task, left = labelled(chain(24)), [1, 2]
    if how == "interrupt":
        real = Watch.look

        def interrupted(self, circuit):
            real(self, circuit)
            left.pop() if left else (_ for _ in ()).throw(KeyboardInterrupt)

        monkeypatch.setattr(Watch, "look", interrupted)
    result = prune(task, Accuracy(0.1, refit=True), time_limit=1e-9 if how == "time" else None)
    assert np.mean(signs(result) == task.labels) >= 0.9 - 1e-12
    assert result.certificate.options["cut_short"] == (OUT_OF_TIME if how == "time" else INTERRUPTED)
    assert verify(task, result).checks


def test_a_share_of_accuracy_is_no_budget_of_outputs():
    """Strategies are told none, or their default, never what labels may lose."""
    told = []

    class Spy(Strategy):
        name = "spy"

        def propose(self, evidence):
            told.append(evidence.budget)
            return Proposal(order=range(len(evidence.candidates)))

    result = prune(labelled(chain(24)), Accuracy(0.25, refit=True), strategy=Spy())
    assert told
    assert not [budget for budget in told if budget is not None and abs(budget - 0.25) < 1e-6]
    assert np.mean(signs(result) == result.task.labels) >= 0.75 - 1e-12


def test_gates_that_stay_do_not_count_against_what_is_grown():
    """Entanglers that inputs turn are in the best circuit too: growing ends at as many others as that has."""
    growth = Growth(search_of(chain(20, entangled=True)), 0)
    assert len(growth.cost) == 4
    search = growth.search
    search.watch.look(search.original.without(list(growth.cost)[:-1]))
    assert [site.name for site in search.watch.best.sites if len(site.qubits) > 1].count("rzz") == 2
    tried, real = [], growth._best_of
    growth._best_of = lambda current, sets, *more: (
        tried.append(len(growth.cost) - len(current.gone)) or real(current, sets, *more)
    )
    assert growth.grown(1e-9, 2) is None
    assert max(tried, default=0) <= 1
