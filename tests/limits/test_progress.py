"""Searches under watch: the best is kept when the time is up or the user interrupts, and the budget holds."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import WEIGHTS, deviation, state
from qiskit import QuantumCircuit

from qprune import Measured, OptionError, Task, prune, verify
from qprune.limits import measuring, trial
from qprune.limits.prepared import prepare
from qprune.limits.progress import INTERRUPTED, OUT_OF_TIME, OutOfTime, Watch
from qprune.limits.settings import Settings


class Sized:
    """A circuit of so many gates."""

    def __init__(self, size):
        self.sites = ()
        self.size = size


def watch(**options):
    return Watch(lambda circuit: circuit.size, **options)


def test_the_best_is_kept_however_the_search_ends():
    for error, cut in ((None, None), (OutOfTime(), OUT_OF_TIME), (KeyboardInterrupt(), INTERRUPTED)):
        with watch() as search:
            for size in (5, 3, 4):
                search.look(Sized(size))
            if error is not None:
                raise error
        assert search.best.size == 3
        assert search.cut == cut


def test_nothing_found_is_no_result():
    """An interrupt before the first circuit, and any other error, are the caller's."""
    with pytest.raises(KeyboardInterrupt), watch():
        raise KeyboardInterrupt
    with pytest.raises(ZeroDivisionError), watch():
        raise ZeroDivisionError


def test_time_runs_out():
    begun = time.monotonic()
    with watch(time_limit=0.05) as search:
        search.look(Sized(2))
        while True:
            search.check()
    assert 0.05 <= time.monotonic() - begun < 5
    assert (search.best.size, search.cut) == (2, OUT_OF_TIME)


def test_nothing_is_shown_of_what_is_over_at_once(capsys):
    with watch(progress=True) as search:
        search.look(Sized(2))
        search.check()
    assert capsys.readouterr().err.strip() == ""


def test_a_search_within_another_shows_one_line_and_ends_with_it(capsys, monkeypatch):
    monkeypatch.setattr("qprune.limits.progress.SILENT", 0.0)
    monkeypatch.setattr("qprune.limits.progress.REFRESH", 0.0)
    with watch(progress=True, time_limit=0.05) as outer:
        outer.begin("pruning 2/3")
        with watch(progress=True, within=outer) as inner:
            while True:
                inner.look(Sized(2))
        assert inner.cut == OUT_OF_TIME
    shown = capsys.readouterr().err
    assert "pruning 2/3" in shown
    assert "\n" not in shown.rstrip()
    assert (inner.best.size, outer.best) == (2, None)


@pytest.mark.parametrize(("seconds", "said"), [(30, None), (150, "about 3 minutes")])
def test_long_work_is_announced_once(seconds, said, capsys):
    with watch(progress=True) as search, watch(within=search) as part:
        search.expect(seconds)
        part.expect(seconds)
    shown = capsys.readouterr().err
    assert shown.count("may take") == (said is not None)
    assert said is None or said in shown


def test_a_search_with_refit_says_beforehand_how_long_it_may_take(capsys, monkeypatch):
    monkeypatch.setattr("qprune.limits.progress.LONG", 0.0)
    prune(network(), Measured(0.2, refit=True), progress=True)
    assert capsys.readouterr().err.count("may take about 1 minute here") == 1


def test_a_line_is_shown_only_when_asked_for(capsys, monkeypatch):
    monkeypatch.setattr("qprune.limits.progress.SILENT", 0.0)
    monkeypatch.setattr("qprune.limits.progress.REFRESH", 0.0)
    for progress in (False, None, True):
        with watch(progress=progress) as search:
            search.look(Sized(2))
            search.check()
        shown = capsys.readouterr().err
        assert ("best so far" in shown) is (progress is True)


def network():
    circuit = QuantumCircuit(3)
    for layer in range(2):
        for q in range(3):
            circuit.ry(WEIGHTS[(q + layer) % 4] + 0.1 * q, q)
        circuit.cx(0, 1)
        circuit.cx(1, 2)
    return Task(circuit, ["ZII", "IIZ"], weights=[0.2, 0.05, 0.6, -0.1])


@pytest.mark.parametrize("refit", [False, True])
def test_an_interrupted_search_keeps_the_budget(refit, monkeypatch):
    """Ctrl-C at the 1st, 2nd, … look of the search: a certified circuit each time, never worse than before."""
    sizes, real, left = [], Watch.look, []

    def interrupted(self, circuit):
        real(self, circuit)
        left.pop()
        if not left:
            raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "look", interrupted)
    for count in range(1, 4):
        left[:] = range(count)
        task = network()
        result = prune(task, Measured(0.3, refit=refit))
        before, after = state(task.bound_circuit(0)), state(result.task.bound_circuit(0))
        assert np.max(deviation(task, before, after)) <= 0.3 + 1e-12
        sizes.append(result.circuit.size())
    assert sizes == sorted(sizes, reverse=True)


def test_why_a_search_was_cut_short_is_kept():
    prepared = measuring_of(network(), time_limit=1e-9)
    found = measuring.compressed(prepared, 0.3)
    assert found.cut == OUT_OF_TIME
    assert found.sites == prepared.sites
    assert measuring.compressed(measuring_of(network()), 0.3).cut is None


def test_a_result_says_that_it_was_cut_short():
    """It keeps its budget like any other, and verifies."""
    result = prune(network(), Measured(0.3, refit=True), time_limit=1e-9)
    assert result.certificate.options["cut_short"] == OUT_OF_TIME
    verify(result.original, result)  # raises where a claim does not hold
    assert f"cut short ({OUT_OF_TIME})" in str(result)
    whole = prune(network(), Measured(0.3, refit=True))
    assert "cut_short" not in whole.certificate.options
    assert "cut short" not in str(whole)


def test_parts_share_the_time_that_is_left(monkeypatch):
    """A part that ends early leaves its time to the others, one that is cut keeps what it has."""
    now = [0.0]
    monkeypatch.setattr("qprune.limits.progress.time", SimpleNamespace(monotonic=lambda: now[0]))
    with watch(time_limit=12.0) as search:
        for left, most in ((3, 1.0), (2, 50.0), (1, 50.0)):
            with search.part(left):
                began = now[0]
                search.look(Sized(left))
                while now[0] < began + most:
                    now[0] += 0.5

                    search.check()
        assert search.left() == 0
        with search.part(1):
            pytest.fail("nothing is left")
    assert now[0] == 12
    assert (search.best.size, search.cut) == (1, OUT_OF_TIME)


def test_a_part_that_was_cut_hides_no_error():
    search = watch(time_limit=100.0)
    with search.part(2):
        raise OutOfTime
    with pytest.raises(ZeroDivisionError), search:
        raise ZeroDivisionError


def test_refit_gets_its_share_of_the_time(monkeypatch):
    """Also where removal without it never ends, by a clock that moves when looked at: it goes on from the best."""
    begun, clock, smaller = [], itertools.count(), []
    monkeypatch.setattr("qprune.limits.progress.time", SimpleNamespace(monotonic=lambda: float(next(clock))))

    def endless(prepared, budget, measure, start, watch, *more, **options):
        smaller.append(replace(start.without([1]), deviation=0.1))
        watch.look(smaller[0])
        while True:
            watch.check()

    def compressed(self, budget, start=None, *, block=None):
        begun.append(start)

    monkeypatch.setattr(measuring, "removed", endless)
    monkeypatch.setattr(measuring.Compressor, "compress", compressed)
    monkeypatch.setattr(measuring.Growth, "ways", lambda *options: [])
    found = measuring.compressed(measuring_of(network(), time_limit=1e3), 0.3)
    assert begun[-1].sites == smaller[0].sites == found.sites
    assert found.cut == OUT_OF_TIME


def measuring_of(task, **settings):
    return prepare(task, Settings(**settings), Measured(0.3, refit=True).comparison)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), "soon"])
def test_a_time_limit_is_a_number_of_seconds(limit):
    with pytest.raises(OptionError, match="time_limit"):
        prune(network(), Measured(0.3), time_limit=limit)


def test_nobody_waits_for_an_estimate_that_nobody_sees(monkeypatch):
    """It takes Jacobians of the whole ensemble, which no time limit ends."""
    monkeypatch.setattr("qprune.limits.compressor.Compressor.expected", lambda _: pytest.fail("asked for"))
    prune(network(), Measured(0.2, refit=True), progress=False)
    prune(network(), Measured(0.2, refit=True), progress=True, time_limit=10)


def test_looking_ahead_asks_for_the_time_at_every_gate(monkeypatch):
    """Each takes a Jacobian, which on a wide circuit lasts seconds: a growth compares all gates that may come back."""
    asked, looked = [], []
    predicted, check = trial.predicted_square, Watch.check
    monkeypatch.setattr(Watch, "check", lambda self: asked.append(len(looked)) or check(self))
    monkeypatch.setattr(trial, "predicted_square", lambda *given: looked.append(1) or predicted(*given))
    prune(network(), Measured(0.2, refit=True))
    assert looked
    assert set(range(len(looked))) <= set(asked)
