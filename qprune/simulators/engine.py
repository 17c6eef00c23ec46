"""The compiled engine: a circuit's outputs, their derivatives and its states on many samples.

Angles and gates become flat arrays once (`program`); compiled functions that know no circuit (`kernels`) then run them
on eight samples at a time. Samples are shared out to threads, and every number is made by one thread in a fixed order,
so that results are the same to the last bit for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune.gates.sites import Site
from qprune.simulators.program import KEPT, MOST_KEPT, TAPE_BYTES, Program, kernels, movable_weights, symbols_of, team
from qprune.simulators.readout import LARGEST_DISTRIBUTION, Readout
from qprune.simulators.values import check_fits
from qprune.task.task import Task

KEPT_BYTES = 2**28  # of states before the first gate that moves, up to which they are kept between calls
ENDED_BYTES = 2**26  # of final states, up to which a Jacobian at the same weights begins with them
CHUNK_BYTES = 2**27  # of angles, matrices and outputs of the samples that `outputs_at` runs at a time
ENTRY_BYTES = 72  # of an entry of an observable that is not diagonal, as it is read, sorted and kept
LISTED = 4  # bytes of the lists of a gate for every amplitude, as most list half of them
TURNED = 64  # of the matrix of a gate that inputs enter, for every sample
PER_THREAD = 2**15  # amplitudes times operations from which on another thread is worth its start


class Network:
    """A circuit on an ensemble: outputs (R, M) at any weights, their derivatives, states.

    Gates are removed and turned down without being built again.

    Args:
        task: Binds parameters; its weights are the starting point.
        sites: The gates.
        samples: Indices of the samples; default: those that selection sees.
        threads: Most threads.
        rows: Inputs of the samples, shape (M, number of inputs), in place of the task's own.
        register: Qubits to hold besides those of the gates and the outputs.

    Raises:
        OptionError: Probabilities of more qubits than can be fitted one by one.

    Examples:
        >>> network = Network(task, sites_of(task))  # doctest: +SKIP
        >>> values, derivative = network.jacobian(task.weights)  # doctest: +SKIP
    """

    def __init__(
        self,
        task: Task,
        sites: Sequence[Site],
        samples: NDArray[np.intp] | None = None,
        *,
        threads: int = 1,
        rows: FloatArray | None = None,
        register: Sequence[int] = (),
    ) -> None:
        chosen = task.inputs[task.selected if samples is None else samples] if rows is None else rows
        seen = {q for s in sites for q in s.qubits} | {q for s in task.output_supports for q in s} | set(register)
        qubits = sorted(seen) or [0]
        self.task, self.threads, self.num_sites = task, threads, len(sites)
        self.place = {q: j for j, q in enumerate(qubits)}
        self.movable = movable_weights(task, sites)
        symbols, self.site_of = symbols_of(task, sites, self.place, chosen, self.movable)
        self.program = Program.of(symbols)
        self._with_coordinate = [s.coordinate is not None for s in sites]
        # Of all that are edited from this one: made when asked for; states before the first gate that moves, of the
        # last circuits; weights and final states of the last values.
        self._readout: list[Readout] = []
        self._begun: list[tuple[Program, FloatArray]] = []
        self._ended: list[tuple[Program, FloatArray, FloatArray]] = []

    # -- editing -----------------------------------------------------------------------------------------------

    def without(self, gone: Sequence[int]) -> Network:
        """The same without some gates, by their index."""
        leaves = np.zeros(self.num_sites, dtype=bool)
        leaves[list(gone)] = True
        return self._edited(self.program.without(leaves[self.site_of]))

    def turned_down(self, turns: Mapping[int, tuple[float, float]]) -> Network:
        """The same with the coordinate t of gate k at scale · t + shift: on the way from the gate to the identity.

        Args:
            turns: scale and shift by the index of the gate.
        """
        program = self.program
        for k, (scale, shift) in turns.items():
            program = program.turned(np.flatnonzero(self.site_of == k), scale, shift)
        return self._edited(program)

    def _edited(self, program: Program) -> Network:
        new = object.__new__(Network)
        new.__dict__.update({name: v for name, v in vars(self).items() if name not in _CACHED})
        new.program = program
        return new

    # -- what it is --------------------------------------------------------------------------------------------

    @property
    def num_samples(self) -> int:
        return self.program.symbols.num_samples

    @property
    def free(self) -> NDArray[np.intp]:
        """Indices of the weights that move this circuit: the columns of its Jacobian."""
        return self.program.free

    @cached_property
    def slopes(self) -> FloatArray:
        """Derivative of every gate's coordinate in the weights, shape (sites, P); 0 where no weight may move it."""
        program, found = self.program, np.zeros((self.num_sites, len(self.task.weights)))
        np.add.at(found, self.site_of, program.symbols.slopes * program.moves[:, None])
        return found

    @cached_property
    def reach(self) -> FloatArray:
        """Radians by which a unit of each weight turns the fastest of its gates, shape (P,); 1 where it turns none."""
        fastest = np.abs(self.program.symbols.slopes).max(axis=0, initial=0)
        return np.where(fastest > 0, fastest, 1)

    def coordinates(self, weights: FloatArray) -> FloatArray:
        """Coordinate of every gate that a weight may move, radians, shape (sites,); 0 for the others."""
        program, found = self.program, np.zeros(self.num_sites)
        np.add.at(found, self.site_of, program.angles(weights) * program.moves)
        return found

    def has_coordinate(self, k: int) -> bool:
        """Whether gate k lies in a one-parameter subgroup, so that it can be turned down to the identity."""
        return bool(self._with_coordinate[k])

    @property
    def readout(self) -> Readout:
        if not self._readout:
            self._readout.append(Readout(self.task, list(self.place)))
        return self._readout[0]

    # -- running it --------------------------------------------------------------------------------------------

    def values(self, weights: FloatArray) -> FloatArray:
        """Outputs ⟨O_r⟩ without the identity's part, or outcome probabilities, shape (R, M)."""
        weights, out = self._given(weights), np.empty((self.readout.size, self.num_samples))
        row = 2 ** len(self.place) * kernels().ROW
        ended = np.empty((self._blocks if self._blocks * row * 8 <= ENDED_BYTES else 0, row))
        self._share(kernels().values, weights, *self._from_start(weights), *self._observed, out, ended)
        self._ended[:] = [(self.program, weights, ended)]
        return out

    def jacobian(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Outputs (R, M) and their derivatives in the weights `free`, shape (R, M, F)."""
        weights, out = self._given(weights), np.empty((self.readout.size, self.num_samples))
        derivative = np.empty((*out.shape, len(self.free)))
        reached, begun = self._from_start(weights)
        for program, there, ended in self._ended:
            if program is self.program and len(ended) and np.array_equal(there, weights):
                reached, begun = len(program.tape.operations), ended
        self._share(
            kernels().jacobian,
            weights, self._column, self._first, reached, begun, *self._observed, out, derivative,
        )  # fmt: skip
        return out, derivative

    def states(self, weights: FloatArray, start: ComplexArray | None = None) -> ComplexArray:
        """Final states, basis states of the register by samples, shape (2^n, M).

        Args:
            weights: At which.
            start: States to start from, likewise; default |0…0⟩.
        """
        k, size = kernels(), 2 ** len(self.place)
        blocks = np.zeros((self._blocks, size * k.ROW))
        view = blocks.reshape(self._blocks, size, 2, k.LANES)
        if start is None:
            view[:, 0, 0] = 1
        else:
            padded = np.pad(start, ((0, 0), (0, self._blocks * k.LANES - self.num_samples)), mode="edge")
            parts = padded.reshape(size, self._blocks, k.LANES).swapaxes(0, 1)
            view[:, :, 0], view[:, :, 1] = parts.real, parts.imag
        tape = self.program.tape
        self._share(k.advance, self._given(weights), 0, len(tape.operations), blocks)
        ordered = view[:, tape.permutation]
        together = (ordered[:, :, 0] + 1j * ordered[:, :, 1]).swapaxes(0, 1)
        return np.ascontiguousarray(together.reshape(size, -1)[:, : self.num_samples])

    def _given(self, weights: FloatArray) -> FloatArray:
        """Weights of one kind in memory, as for any other (read-only, in steps) all would be compiled once more."""
        return np.array(weights, dtype=float).reshape(self.task.weights.shape)

    # -- how -----------------------------------------------------------------------------------------------------

    @cached_property
    def _blocks(self) -> int:
        return -(-self.num_samples // int(kernels().LANES))

    @cached_property
    def _observed(self) -> tuple[Any, ...]:
        return self.readout.arranged(self.program.tape.permutation)

    @cached_property
    def _column(self) -> NDArray[np.int64]:
        """Of every weight in the Jacobian; -1 where it has none."""
        column = np.full(len(self.task.weights), -1, dtype=np.int64)
        column[self.free] = np.arange(len(self.free))
        return column

    @cached_property
    def _first(self) -> int:
        """The first operation that a weight moves."""
        tape, k = self.program.tape, kernels()
        moved = np.flatnonzero(self.program.moves[tape.order])
        if not len(moved):
            return len(tape.operations)
        return int(np.searchsorted(tape.operations[:, k.FIRST], moved[0], side="right")) - 1

    def _from_start(self, weights: FloatArray) -> tuple[int, FloatArray]:
        """The operation to begin with, and the states before it where they are worth keeping."""
        for program, begun in self._begun:
            if program is self.program:
                return self._first, begun
        k, size = kernels(), 2 ** len(self.place)
        first = self._first
        if not first or self._blocks * size * k.ROW * 8 > KEPT_BYTES:
            return 0, np.empty((0, size * k.ROW))
        begun = np.zeros((self._blocks, size * k.ROW))
        begun[:, : k.LANES] = 1
        self._share(k.advance, weights, 0, first, begun)
        self._begun[:] = [(self.program, begun), *self._begun[: KEPT - 1]]  # whole: an interruption leaves none behind
        return first, begun

    def _share(self, kernel: Callable[..., None], *arguments: Any) -> None:
        """Run a kernel on all blocks of samples, shared out to threads, this one among them."""
        tape, turns, blocks = self.program.tape, self.program.turns, self._blocks
        threads = 1
        if self.threads > 1:
            work = self.num_samples * 2 ** len(self.place) * (1 + len(tape.operations))
            threads = max(1, min(self.threads, blocks, work // PER_THREAD))
        team().run(kernel, (tape, turns, *arguments), blocks, threads)


_CACHED = {name for name, member in vars(Network).items() if isinstance(member, cached_property)}


def check_engine_memory(
    task: Task, sites: Sequence[Site], num_qubits: int, ensembles: Sequence[int], threads: int = 1, more: int = 0
) -> None:
    """Refuse Jacobians that do not fit into memory, before anything is compiled.

    Every thread holds eight samples at a time: their states, one image for each output, and room for a matrix; so the
    number of samples hardly matters, and a single one takes as much as eight.

    Args:
        task: Has the observables and weights.
        sites: The gates.
        num_qubits: Of the register.
        ensembles: Numbers of samples; their circuits are run one after another.
        threads: Most threads.
        more: Weights besides the task's own.

    Raises:
        TaskError: Says how much is missing.
    """
    if task.observables is None and len(task.measured_qubits) > LARGEST_DISTRIBUTION:
        return  # which is refused where they are read
    size, block = 2**num_qubits, 2**num_qubits * int(kernels().ROW) * 8
    observables = task.observables
    outputs = 2 ** len(task.measured_qubits) if observables is None else len(observables)
    masks = [np.unique(observable.paulis.x, axis=0) for observable in observables or ()]
    is_diagonal = not any(mask.any() for mask in masks)
    needed = size * (16 * outputs if is_diagonal else ENTRY_BYTES * sum(map(len, masks)))
    blocks = [-(-samples // int(kernels().LANES)) for samples in ensembles]
    for samples, count in zip(ensembles, blocks, strict=True):
        kept = count * block
        needed += kept * (KEPT * (kept <= KEPT_BYTES) + (kept <= ENDED_BYTES))
        needed += 24 * outputs * samples * (len(task.weights) + more)  # the Jacobian, and what is made of it
        tape = size * LISTED * len(sites) + samples * TURNED * sum(site.role == "encoding" for site in sites)
        needed += max(KEPT * tape, min(MOST_KEPT * tape, TAPE_BYTES))
    check_fits(
        needed + min(threads, max(blocks)) * (2 + outputs) * block,
        f"the engine that refit and some strategies use, on {num_qubits} qubits with {outputs} outputs, eight samples "
        f"for each of {threads} thread{'s' * (threads > 1)},",
        "use fewer threads, a larger machine, observables whose light cone has fewer qubits, or no refit",
    )


def outputs_at(task: Task, sites: Sequence[Site], inputs: FloatArray, *, threads: int = 1) -> FloatArray:
    """Outputs of a circuit at the task's weights, on any inputs.

    Args:
        task: Binds the parameters; its own inputs do not enter.
        sites: The gates.
        inputs: One sample a row, shape (M, number of input parameters), in the unit that the circuit expects.
        threads: Most threads; the result is the same to the last bit for any number.

    Returns:
        ⟨O_r⟩ without the identity's part, or outcome probabilities, shape (R, M).
    """
    rows = np.asarray(inputs, dtype=float)
    each = 8 * (64 + 8 * sum(site.role == "encoding" for site in sites))
    step = max(8, CHUNK_BYTES // each // 8 * 8)
    pieces = [rows[first : first + step] for first in range(0, len(rows), step)]
    return np.concatenate(
        [Network(task, sites, rows=piece, threads=threads).values(task.weights) for piece in pieces], axis=1
    )
