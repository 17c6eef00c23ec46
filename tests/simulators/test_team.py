"""Threads that help with the compiled engine's calls, told apart from one thread by nothing but the clock."""

from __future__ import annotations

import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qprune import Task
from qprune.gates.sites import sites_of
from qprune.simulators import engine, team
from qprune.simulators.engine import Network
from qprune.simulators.team import run


@pytest.fixture
def networks(monkeypatch):
    """The same circuit with one thread, and with three however little there is to do."""
    monkeypatch.setattr(engine, "PER_THREAD", 1)
    x, w = Parameter("x"), ParameterVector("w", 4)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x * (q + 1), q)
        circuit.rx(w[q], q)
    circuit.cx(0, 1)
    circuit.rzz(w[3], 1, 2)
    inputs = np.random.default_rng(3).normal(size=(200, 1))
    task = Task(circuit, ["ZZI", "IXZ"], inputs=inputs, input_params=[x], weights=[0.4, -0.3, 1.1, 0.2])
    return [Network(task, sites_of(task), threads=threads) for threads in (1, 3)]


def assert_alike(networks, weights):
    one, many = networks
    np.testing.assert_array_equal(one.values(weights), many.values(weights))
    for first, second in zip(one.jacobian(weights), many.jacobian(weights), strict=True):
        np.testing.assert_array_equal(first, second)


def test_helpers_that_slept_and_helpers_that_watch_do_the_same(networks):
    """Calls in quick succession and after pauses, each at other weights."""
    for k in range(60):
        if k % 20 == 10:
            time.sleep(0.05)  # far longer than a helper watches
        assert_alike(networks, np.array([0.1, 0.2, 0.3, 0.4]) * k)


def test_several_callers_share_the_helpers(networks):
    """Who finds a helper busy does without."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(assert_alike, networks_of(networks), np.full(4, 0.1 * k)) for k in range(40)]:
            done.result()


def networks_of(networks):
    """Their own for every caller: what they keep between calls is one caller's."""
    return [network.without([]) for network in networks]


def test_callers_who_come_first_at_once_are_all_served(networks, monkeypatch):
    """Helpers are made by whoever asks first; each is asked, and waited for, as the same one."""
    for k in range(10):
        monkeypatch.setattr(team, "_helpers", [])
        together = threading.Barrier(3)

        def call(own, together=together, k=k):
            together.wait()
            assert_alike(own, np.full(4, 0.1 * k))

        with ThreadPoolExecutor(3) as pool:
            for done in [pool.submit(call, networks_of(networks)) for _ in range(3)]:
                done.result(timeout=60)
        assert len(team._helpers) == 2


def test_helpers_keep_no_arrays():
    """Those of a call are let go with it, not with the next one."""
    array = np.zeros(3)
    seen = weakref.ref(array)
    run(lambda array, share: None, (array,), 1, 3)
    del array
    deadline = time.monotonic() + 60
    while seen() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_more_threads_than_asked_for(monkeypatch):
    monkeypatch.setattr(team, "_helpers", [])
    before = threading.active_count()
    for _ in range(3):
        run(lambda share: None, (), 0, 4)
    assert threading.active_count() == before + 3


def test_a_helper_takes_what_it_was_given_before_it_ran(monkeypatch):
    """A thread may begin long after whoever started it went on."""

    class Late(threading.Thread):
        def run(self):
            time.sleep(0.2)
            super().run()

    def kernel(told, share):
        told.append(share.helpers)
        deadline = time.monotonic() + 60
        while share.helpers and len(told) < 2:
            assert time.monotonic() < deadline, "the helper never came"
            time.sleep(0.01)

    monkeypatch.setattr(team, "_helpers", [])
    monkeypatch.setattr(team, "Thread", Late)
    told = []
    run(kernel, (told,), 0, 2)
    assert told == [1, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are POSIX")
def test_a_fork_has_helpers_of_its_own(networks):
    """Those of the parent stay in the parent."""
    assert_alike(networks, np.ones(4))
    child = os.fork()
    if child == 0:
        try:
            assert_alike(networks, np.zeros(4))
        except BaseException:
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < deadline, "the child waits for ever"
        time.sleep(0.01)
    assert ended[1] == 0


def test_what_a_helper_raises_reaches_the_caller_and_the_helper_lives():
    def kernel(told, share):
        told.append(share.helpers)
        if not share.helpers:
            raise MemoryError("of a helper")

    told = []
    with pytest.raises(MemoryError, match="of a helper"):
        run(kernel, (told,), 1, 2)
    assert sorted(told) == [0, 1]
    again = []
    run(lambda told, share: told.append(share.helpers), (again,), 1, 2)
    assert sorted(again) == [0, 1]
