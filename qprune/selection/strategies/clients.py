"""Clients that hold shards of the inputs, each in a process of its own: shares go out, sums of slopes come back."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TypeAlias

import numpy as np

from qprune._arrays import FloatArray
from qprune.gates.sites import Site
from qprune.selection.evidence import Evidence
from qprune.selection.participation import Participation
from qprune.simulators.engine import Network
from qprune.task.task import Task

Gradient: TypeAlias = "Callable[[FloatArray], tuple[float, FloatArray]]"  # shares to Σ p‖Δf‖² and its derivative


class Client:
    """One shard: the circuits, and inputs that never leave it.

    Args:
        task: The circuit at hand on this client's samples alone, p_i as in the whole ensemble up to a factor.
        sites: Its gates.
        places: Those that take part by shares.
        original: The original's task, on the same samples, and its gates.
        mass: Σ p_i of this client's samples in the whole ensemble.
    """

    def __init__(
        self,
        task: Task,
        sites: tuple[Site, ...],
        places: list[int],
        original: tuple[Task, tuple[Site, ...]],
        mass: float,
    ) -> None:
        self.participation = Participation(task, sites, places)
        self.target = Network(*original).values(original[0].weights)
        self.weights = mass * task.selection_weights()

    def gradient(self, shares: FloatArray) -> tuple[float, FloatArray]:
        """Σ_i p_i ‖f_i(s) − f_i‖² over this shard, and its derivative in the shares: all that a client ever tells."""
        values, derivative = self.participation.jacobian(shares)
        change = values - self.target
        return float(((change**2) @ self.weights).sum()), 2 * np.einsum("krm,rm,m->k", derivative, change, self.weights)


class Clients:
    """The clients of a learning; as a context they end with it.

    Args:
        evidence: Whose samples are shared out, one to each client in turn.
        count: How many clients; one works in this process, more in a process each.
    """

    def __init__(self, evidence: Evidence, count: int) -> None:
        self.evidence, self.count = evidence, count
        self._lines: list[Connection] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._local: Client | None = None

    def __enter__(self) -> Clients:
        shards = [client_of(self.evidence, j, self.count) for j in range(self.count)]
        if self.count == 1:
            self._local = Client(*shards[0])
            return self
        context = multiprocessing.get_context("spawn")
        for shard in shards:
            here, there = context.Pipe()
            process = context.Process(target=serve, args=(there, shard), daemon=True)
            process.start()
            there.close()
            self._lines.append(here)
            self._processes.append(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines:
            line.close()  # which ends the client
        for process in self._processes:
            process.join()

    def gradient(self, shares: FloatArray) -> tuple[float, FloatArray]:
        """The sum of what the clients tell, in their order."""
        if self._local is not None:
            return self._local.gradient(shares)
        for line in self._lines:
            line.send(shares)
        told = [line.recv() for line in self._lines]
        return sum(square for square, _ in told), np.sum([slope for _, slope in told], axis=0)


Shard: TypeAlias = "tuple[Task, tuple[Site, ...], list[int], tuple[Task, tuple[Site, ...]], float]"


def client_of(evidence: Evidence, number: int, count: int) -> Shard:
    """What client `number` of so many is started with: every count-th sample, and no other."""
    task, around = evidence.task, evidence.around
    if task is None:
        raise ValueError("clients need a task")
    mine = task.selected[number::count]
    p = task.probabilities[mine]
    mass = float(p.sum() / task.probabilities[task.selected].sum())

    def here(whole: Task) -> Task:
        return whole.with_inputs(whole.inputs[mine], probabilities=p / p.sum() if p.sum() else None)

    sites = tuple(evidence.sites)
    original = (here(task), sites) if around is None else (here(around.task), tuple(around.sites))
    return here(task), sites, evidence.places, original, mass


def serve(line: Connection, shard: Shard) -> None:
    """A client's process: answers shares with its gradient until the line is closed."""
    client = Client(*shard)
    while True:
        try:
            shares = line.recv()
        except EOFError:
            return
        line.send(client.gradient(shares))
