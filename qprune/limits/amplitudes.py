"""Limits for every input where inputs prepare the state that a circuit starts from, alone or beside angles.

A state preparation has an angle for every amplitude, far too many phases. But whatever state it makes, what follows
changes an output by ⟨ψ|Δ(t)|ψ⟩, with a matrix Δ that depends on the phases t of the other inputs alone. Its largest
absolute eigenvalue limits every state ψ at once, and over t it is a search like any other. Of outcome probabilities
there is one such matrix each, and what limits their total variation is the eigenvalues of all sums of these.

Source: THEORY T9, step 9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import numpy as np
from qiskit.circuit import ParameterExpression
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import ComplexArray
from qprune.errors import TaskError
from qprune.exact.simplify import light_cones
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Site
from qprune.gates.subgroups import subgroup_of
from qprune.geometry.norms import MOST_OUTCOMES, OfForms
from qprune.geometry.regions import Region
from qprune.geometry.trigonometric import grid
from qprune.limits.encoding_angles import EULER, elementary
from qprune.limits.on_inputs import Check, rounding_of, unlimited
from qprune.limits.phases import MOST_RUNS, Encoded, Phases, encoded, outcomes_of, phases_of
from qprune.limits.state_changes import StateChange
from qprune.simulators.engine import Network
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task

ENTRIES_PER_RUN = 16  # entries of all matrices that may take the place of one run: 2^22 in all where 2^18 runs may be
FEW_RUNS = 729  # up to which the angles of a preparation are phases like others: the limit is one of the domain then
MOST_WORK = 2**26  # entries times the matrices' size, where there are phases to search
MOST_AMPLITUDES = 2**24  # of all columns at one value of the phases: 256 MB
AT_ONCE = 2**20  # amplitudes of the columns at several


class OtherStates(TaskError):
    """Two circuits do not prepare the same states from their inputs."""


@dataclass(frozen=True)
class Head:
    """Gates that turn |0…0⟩ into a state of the inputs before anything else acts on their qubits.

    Attributes:
        sites: The gates.
        is_whole: Whether they are state preparations, not what such may have been taken apart into.
    """

    sites: tuple[Site, ...]
    is_whole: bool

    @property
    def qubits(self) -> tuple[int, ...]:
        """Theirs, ascending."""
        return tuple(sorted({q for site in self.sites for q in site.qubits}))

    def after(self, sites: Sequence[Site]) -> tuple[Site, ...] | None:
        """What follows it in a circuit; None if the circuit does not begin with it."""
        waiting = {q: [_mark(s) for s in self.sites if q in s.qubits] for q in self.qubits}
        rest, left = [], set[int]()
        for site in sites:
            nexts = {waiting[q][0] if waiting.get(q) and q not in left else None for q in site.qubits}
            if None not in nexts and nexts == {_mark(site)}:
                for q in site.qubits:
                    waiting[q].pop(0)
            else:
                left.update(site.qubits)
                rest.append(site)
        return None if any(waiting.values()) else tuple(rest)


def _mark(site: Site) -> tuple[object, ...]:
    """What a gate is, whoever's parameters it has: its angles by name, or its matrix."""
    operation = site.operation
    if any(isinstance(p, ParameterExpression) and p.parameters for p in operation.params):
        return site.name, site.word, site.qubits, *map(str, operation.params)
    return site.qubits, unitary_of([(operation, site.qubits)], site.qubits).tobytes()


def heads_of(task: Task, sites: Sequence[Site]) -> list[Head]:
    """Heads of a circuit, the one that gives least away first; none has a weight, which another circuit may have moved.

    First the state preparations that are kept whole; then all leading gates that have no angles but those of inputs, as
    far as an input enters at or after them: preparations that were taken apart.
    """
    whole, leading = list[Site](), list[Site]()
    touched, closed = set[int](), set[int]()
    for site in sites:
        encodes = site.role == "encoding" and not any(map(task.has_weights, site.operation.params))
        has_angles = encodes and site.coordinate is None and site.name not in EULER
        if has_angles and touched.isdisjoint(site.qubits):
            whole.append(site)
        if closed.isdisjoint(site.qubits) and (encodes or not site.operation.params):
            leading.append(site)
        else:
            closed.update(site.qubits)
        touched.update(site.qubits)
    kept, live = list[Site](), set[int]()
    for site in reversed(leading):
        if site.role == "encoding" or not live.isdisjoint(site.qubits):
            kept.append(site)
            live.update(site.qubits)
    found = [Head(tuple(whole), is_whole=True)]
    if kept[::-1] != whole:
        found.append(Head(tuple(reversed(kept)), is_whole=False))
    return [head for head in found if head.sites]


def makes_real_states(task: Task, head: Head, region: Region) -> bool:
    """Whether all amplitudes are real on a region, by the gates alone: exp(−itA) is real for all t if A is imaginary,
    others must be real matrices that no input of the region moves."""
    still = np.all(region.low == region.low[0], axis=0) & np.all(region.high == region.low[0], axis=0)
    names = [p.name for p in task.input_params]
    for site in elementary(task, head.sites):
        group = subgroup_of(site)
        if site.coordinate is not None and group is not None:
            words = (word for word, _ in group.generator_words)
            if all(sum(letter == "Y" for _, letter in word) % 2 for word in words):
                continue
        entering = {p.name for a in site.operation.params for p in getattr(a, "parameters", ())}
        if not all(still[names.index(name)] for name in entering):
            return False
        bound = task.bound_operation(site.operation, region.low[0])
        if np.any(unitary_of([(bound, site.qubits)], site.qubits).imag):
            return False
    return True


class OverStates:
    """Compares circuits that begin with the same head: outputs for every state that the head may make.

    Args:
        original: The original task.
        sites: Its gates.
        region: The inputs.
        most_runs: As many runs' worth of work.
        seed: Of what is drawn.
        stands_for: Gates that `sites` are a simplification of: a head is one of both, or none.
    """

    def __init__(
        self,
        original: Task,
        sites: tuple[Site, ...],
        region: Region,
        most_runs: int,
        seed: int,
        stands_for: Sequence[Site] = (),
    ) -> None:
        self.original, self.sites, self.region, self.seed = original, sites, region, seed
        self.most_entries = ENTRIES_PER_RUN * most_runs
        # All outcomes but one have a matrix of their own, an observable has one.
        self.forms = max(1, outcomes_of(original) - 1)
        found = heads_of(original, sites) if self.forms < MOST_OUTCOMES else []
        self.heads = [head for head in found if head.after(stands_for or sites) is not None]
        self._bare: dict[int, Encoded] = {}
        self._known: dict[tuple[object, ...], tuple[ComplexArray, float]] = {}

    def changes(
        self, pruned: Task, sites: tuple[Site, ...], runs: int, check: Check = unlimited
    ) -> list[StateChange] | None:
        """The change of every output; None if there is no head that is worth it, or its matrices would be too large.

        Args:
            pruned: The smaller circuit.
            sites: Its gates.
            runs: That it takes otherwise.
            check: Called every second or so; ends it by raising.

        Raises:
            OtherStates: The smaller circuit begins with other gates.
            TaskError: An angle cannot be read as a function of the inputs.
        """
        worth = [k for k, head in enumerate(self.heads) if runs > (FEW_RUNS if head.is_whole else MOST_RUNS)]
        fits = [k for k in worth if self._affords(k, self._phases(k, self.original, self.sites))]
        for k in fits:
            if self.heads[k].after(sites) is not None:
                phases = self._phases(k, pruned, sites)
                if self._affords(k, phases):
                    return self._changes(k, phases, pruned, sites, check)
        if fits:
            raise OtherStates(
                "the two circuits make different states of their inputs before anything else, so that no limit for "
                "every state holds; leave the gates that prepare states as they are, or give them as one gate"
            )
        return None

    def _phases(self, k: int, pruned: Task, sites: tuple[Site, ...]) -> Phases:
        """The phases of what follows a head."""
        own, other = self.heads[k].after(self.sites), self.heads[k].after(sites)
        if own is None or other is None:
            raise RuntimeError("a circuit does not begin with its own head")
        if k not in self._bare:
            self._bare[k] = encoded(self.original, own)
        return phases_of(self._bare[k], encoded(pruned, other))

    def _affords(self, k: int, phases: Phases) -> bool:
        for r in range(len(self.original.output_names)):
            qubits, free = self._register(k, phases, r)
            runs, size, sets = phases.runs(r), 2 ** len(free), 2**self.forms - 1
            entries = runs * size**2 * self.forms
            work = runs * size**3 * sets if runs > 1 else 0
            if entries > self.most_entries or work > MOST_WORK or size << len(qubits) > MOST_AMPLITUDES:
                return False
        return True

    def _register(self, k: int, phases: Phases, r: int) -> tuple[list[int], list[int]]:
        """The qubits that an output sees in either circuit after the head, and those of them that the head acts on."""
        seen = set(self.original.output_supports[r])
        for circuit in phases.circuits:
            seen |= {q for s, inside in zip(circuit.sites, circuit.cones[r], strict=True) if inside for q in s.qubits}
        return sorted(seen), [q for q in self.heads[k].qubits if q in seen]

    def _changes(
        self, k: int, phases: Phases, pruned: Task, sites: tuple[Site, ...], check: Check
    ) -> list[StateChange]:
        is_real = makes_real_states(self.original, self.heads[k], self.region)
        errors = phases.angle_errors(self.region.low, self.region.high)
        found = []
        for r, angles in enumerate(errors.tolist()):
            qubits, free = self._register(k, phases, r)
            norm = OfForms(2 ** len(free), is_real, self.forms)
            used = np.flatnonzero(phases.degrees[r])
            shape = tuple(2 * int(d) + 1 for d in phases.degrees[r][used])
            both = [self._matrices(k, phases, which, r, qubits, free, check) for which in (0, 1)]
            # Every column may be off by as much as an output of one run, all of a matrix by √(2^k) times that.
            error = sum(e for _, e in both) * 2 ** (len(free) / 2) * norm.forms
            values = norm.values(both[1][0] - both[0][0]).reshape(*shape, norm.width)
            found.append(
                StateChange(
                    output=r,
                    map=replace(phases.map, phases=tuple(phases.map.phases[j] for j in used.tolist())),
                    values=values,
                    norm=norm,
                    error=error / norm.spread,
                    runs=prod(shape) * norm.size,
                    region=self.region,
                    seed=self.seed,
                    angles=angles,
                    circuits=((self.original, self.sites), (pruned, sites)),
                    preparation=_preparation(self.original, self.heads[k], free),
                )
            )
        return found

    def _matrices(
        self, k: int, phases: Phases, which: int, r: int, qubits: list[int], free: list[int], check: Check
    ) -> tuple[ComplexArray, float]:
        """An output as matrices on the head's qubits at every point of the grid, shape (points, forms, d, d), and the
        error of one run; those of the original are made once."""
        key = (k, r, phases.map.phases, tuple(phases.members[0]), tuple(phases.degrees[r].tolist()), tuple(qubits))
        if which == 0 and key in self._known:
            return self._known[key]
        frame = _of_one_output(phases.frame, r)
        sites = phases.sites(which)
        own = [s for s, inside in zip(sites, light_cones(frame, sites, set())[0], strict=True) if inside]
        measured = _measured(frame, qubits)
        axes = [grid(int(d)) for d in phases.degrees[r]]
        points = (
            np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1) if axes else np.zeros((1, 0))
        )
        size, columns = 2 ** len(free), _basis(qubits, free)
        step, found = max(1, AT_ONCE // columns.size), []
        for first in range(0, len(points), step):
            check()
            rows = points[first : first + step]
            network = Network(frame, own, rows=np.repeat(rows, size, axis=0), register=qubits)
            states = network.states(frame.weights, np.tile(columns, len(rows)))
            both = states.reshape(len(states), len(rows), size).transpose(1, 2, 0).conj()
            images = (of(states).reshape(len(states), len(rows), size).swapaxes(0, 1) for of in measured)
            found.append(np.stack([both @ image for image in images], axis=1))
        made = np.concatenate(found), float(rounding_of(frame, own, phases.angles_on_grid(which))[0])
        if which == 0:
            self._known[key] = made
        return made


def _measured(frame: Task, qubits: list[int]) -> list[Callable[[ComplexArray], ComplexArray]]:
    """What the one output of a frame measures on some qubits, as it acts on states: its observable without the
    identity's part, or the projectors on all outcomes but the last."""
    if frame.observables is not None:
        rest = without_identity(frame.observables[0])[1]
        return [SparsePauliOp(restricted(rest, qubits)).to_matrix(sparse=True).__matmul__]
    states, places = np.arange(2 ** len(qubits)), [qubits.index(q) for q in frame.measured_qubits]
    outcomes = (states[:, None] >> np.array(places) & 1) @ 2 ** np.arange(len(places))
    return [partial(np.multiply, (outcomes == b)[:, None]) for b in range(2 ** len(places) - 1)]


def _of_one_output(frame: Task, r: int) -> Task:
    """A frame that has one output alone, so that states need no more qubits than that sees."""
    if frame.observables is None:
        return frame
    rows = np.zeros((1, len(frame.input_params))) if frame.input_params else None
    return Task(frame.circuit, [frame.observables[r]], inputs=rows, input_params=list(frame.input_params))


def _basis(qubits: list[int], free: list[int]) -> ComplexArray:
    """All basis states of some qubits, the others in |0⟩, shape (2^n, 2^k)."""
    columns = np.zeros((2 ** len(qubits), 2 ** len(free)), dtype=complex)
    for c in range(columns.shape[1]):
        columns[sum((c >> j & 1) << qubits.index(q) for j, q in enumerate(free)), c] = 1
    return columns


def _preparation(task: Task, head: Head, free: list[int]) -> tuple[Site, list[int]] | None:
    """A preparation that can be asked for the inputs that make a state: its gate, and where its qubits stand in it."""
    (site, *others) = head.sites
    known = hasattr(site.operation, "angles_for") and not others and set(free) <= set(site.qubits)
    return (site, [site.qubits.index(q) for q in free]) if known else None
