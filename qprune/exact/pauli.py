"""Resynthesis in Pauli form: rotations about Pauli words merged, dropped, and put back with fewer two-qubit gates.

Exact for every value of every parameter, and no parameter is given up but those that no output depends on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product

from qiskit.quantum_info import Clifford, PauliList

from qprune.exact.cx_networks import shorten_networks
from qprune.exact.light_cone import without_idle
from qprune.exact.pauli_beam import networks
from qprune.exact.pauli_ends import clifford_moves, measuring_moves, state_moves
from qprune.exact.pauli_form import (
    PauliForm,
    anticommuting,
    is_inside,
    label_of,
    pauli_form,
    reduced,
    rotation,
    signed,
    words_and_signs,
    words_of_rotations,
)
from qprune.exact.pauli_network import (
    Gates,
    Move,
    Network,
    Turn,
    fixing,
    fixing_zeros,
    inverted,
    without_pairs,
)
from qprune.exact.pauli_state import modulo_state
from qprune.exact.simplify import ExactChange, output_sums, simplify
from qprune.gates.costs import Costs, cost_of
from qprune.gates.sites import Site, Word, make_site
from qprune.task.task import Task

NATIVE = ("cx", "cz", "cy")
COUPLINGS = ("circuit", "any")  # where two-qubit gates may act
LESS = 1 - 1e-9  # of a cost: what rounding of a sum leaves

Steps = Sequence[Move | Turn]


@dataclass(frozen=True)
class Region:
    """A run of gates that have a Pauli form.

    Attributes:
        task: Of the circuit.
        sites: The gates.
        first: Whether they act on |0…0⟩.
        last: Whether the outputs are measured behind them.
        gates: Two-qubit gates that may stand in for them.
        costs: What gates cost.
        wide: Whether networks are looked for by the wider search, or greedily.
        state: Whether words stand for what they do to the state that comes to them, where it begins as |0…0⟩.
    """

    task: Task
    sites: tuple[Site, ...]
    first: bool
    last: bool
    gates: Gates
    costs: Costs
    wide: bool = False
    state: bool = False

    @property
    def cost(self) -> float:
        return total_cost(self.sites, self.costs)


def in_pauli_form(
    task: Task, sites: Sequence[Site], costs: Costs, couplings: str = "circuit"
) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """The circuit resynthesised from its Pauli form, where that costs less; else as it is. All outputs stay.

    Gates outside (on three qubits, arbitrary unitaries, …) cut the circuit into regions, each of which is written as it
    is, or by the cheapest of several networks; then `simplify` and `shorten_networks` run again. Two-qubit gates act
    where the circuit has such already, and in the same direction, so that a routed circuit stays routed.

    Args:
        task: Gives new gates their role, and says what is measured.
        sites: The circuit, simplified.
        costs: Of gates; what decides.
        couplings: "circuit"; or "any", which lets two-qubit gates act on all qubits, and takes the cheaper of both.
    """
    start, idle = without_idle(task, sites)
    tries = [(start, idle, True)]
    if idle or state_matters(task, start, costs):
        tries.append((tuple(sites), (), False))
    # More choice, a wider search, fewer or lighter words may end worse, as what follows is greedy.
    among = COUPLINGS if couplings == "any" else (couplings,)
    best, least = (start, idle), total_cost(start, costs)
    for begun, gone, state in tries:
        for each, wide in product(among, (False, True)):
            found, changes = _in_pauli_form(task, begun, costs, each, wide, state)
            if (cost := total_cost(found, costs)) < least:
                best, least = (found, (*gone, *changes)), cost
    return best


def state_matters(task: Task, sites: Sequence[Site], costs: Costs) -> bool:
    """Whether words change where they stand for what they do to the state that comes to them."""
    for part in regions(task, sites, costs, "circuit"):
        if isinstance(part, Region) and part.first:
            form = reduced(task, pauli_form(task, part.sites, []), True, False)
            return modulo_state(task, form).rotations != form.rotations
    return False


def _in_pauli_form(
    task: Task, sites: Sequence[Site], costs: Costs, couplings: str, wide: bool, state: bool
) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    done: list[Site] = []
    changes: list[ExactChange] = []
    for part in regions(task, sites, costs, couplings, wide, state):
        new, gone = _best(part) if isinstance(part, Region) else (part, [])
        done += new
        changes += gone
    if not changes:
        return tuple(sites), ()
    current, simplified = simplify(task, done)
    current, networks = shorten_networks(task, current)
    current, idle = without_idle(task, current)
    if total_cost(current, costs) >= LESS * total_cost(sites, costs):
        return tuple(sites), ()
    told = _told((*changes, *simplified, *networks, *idle), current)
    return current, told


def total_cost(sites: Sequence[Site], costs: Costs) -> float:
    """What all gates together cost."""
    return sum(cost_of(site, costs) for site in sites)


def _told(changes: Sequence[ExactChange], sites: Sequence[Site]) -> tuple[ExactChange, ...]:
    """The changes, but none that calls a gate gone of which a rotation is left: of several, some may be."""
    left = {o for site in sites if site.family == "pauli" and site.role != "fixed" for o in site.origins}
    return tuple(c for c in changes if c.kind in ("merged", "Pauli form") or left.isdisjoint(c.origins))


def regions(
    task: Task, sites: Sequence[Site], costs: Costs, couplings: str, wide: bool = False, state: bool = False
) -> list[Region | tuple[Site, ...]]:
    """The circuit as regions that have a Pauli form, and gates between them that have none."""
    native = _native(sites) if couplings == "circuit" else _everywhere(task.num_qubits, sites)
    gates = Gates(native, task.num_qubits)
    parts = _parts(sites)
    return [
        Region(task, part, k == 0, k == len(parts) - 1, gates, costs, wide, state) if inside and part else part
        for k, (inside, part) in enumerate(parts)
    ]


def _parts(sites: Sequence[Site]) -> list[tuple[bool, tuple[Site, ...]]]:
    """Runs of gates that have a Pauli form and runs of others, each as long as can be; the first of the former kind."""
    parts: list[tuple[bool, tuple[Site, ...]]] = []
    left, inside = list(sites), True
    while left:
        run: list[Site] = []
        rest: list[Site] = []
        blocked: set[int] = set()
        for site in left:
            if is_inside(site) == inside and blocked.isdisjoint(site.qubits):
                run.append(site)
            else:
                rest.append(site)
                blocked.update(site.qubits)
        parts.append((inside, tuple(run)))
        left, inside = rest, not inside
    return parts


def _native(sites: Sequence[Site]) -> dict[tuple[int, int], frozenset[str]]:
    """The two-qubit Clifford gates of a circuit by their qubits; where it has others there, the circuit's usual one."""
    usual = _usual(sites)
    native: dict[tuple[int, int], set[str]] = {}
    for site in sites:
        if len(site.qubits) != 2 or site.family is None:
            continue
        a, b = site.qubits
        if site.name in NATIVE:
            native.setdefault((a, b), set()).add(site.name)
            if site.name == "cz":
                native.setdefault((b, a), set()).add(site.name)
    for site in sites:
        pairs = [(q, p) for q in site.qubits for p in site.qubits if q != p] if site.family is not None else []
        if any(pair in native for pair in pairs) and len(pairs) == 2:
            continue
        for pair in pairs:
            if pair not in native and pair[::-1] not in native:
                native[pair] = {usual}
                native.setdefault(pair[::-1], set()).add(usual)
    return {pair: frozenset(names) for pair, names in native.items()}


def _everywhere(n: int, sites: Sequence[Site]) -> dict[tuple[int, int], frozenset[str]]:
    return {(a, b): frozenset({_usual(sites)}) for a in range(n) for b in range(n) if a != b}


def _usual(sites: Sequence[Site]) -> str:
    return "cz" if {site.name for site in sites} & {"cx", "cz"} == {"cz"} else "cx"


# -- the better of ---------------------------------------------------------------------------------------------------


def _best(region: Region) -> tuple[tuple[Site, ...], list[ExactChange]]:
    """The cheapest way to write a region, and what changed; the way it is if none is cheaper."""
    form = form_of(region)
    best, least, changes = region.sites, LESS * region.cost, list[ExactChange]()
    in_place = _without_unseen(region, form)
    if in_place is not None and total_cost(in_place[0], region.costs) < least:
        (best, changes), least = in_place, total_cost(in_place[0], region.costs)
    for sites in written(region, form):
        if (cost := total_cost(sites, region.costs)) < least:
            best, least = sites, cost
            changes = [*(ExactChange("Pauli form", site.origins) for site in form.split), *form.changes]
    return best, changes


def _without_unseen(region: Region, form: PauliForm) -> tuple[tuple[Site, ...], list[ExactChange]] | None:
    """The region as it is, but for the gates that the form does without; None where that takes more than dropping."""
    left = {o for site in form.rotations for o in site.origins}
    gone = [change for change in form.changes if change.kind != "merged"]
    dropped = {o for change in gone for o in change.origins}
    frame = {o for site in form.split for o in site.origins}
    # Of several rotations that one gate is, all must go.
    if not dropped or not dropped.isdisjoint(left | frame):
        return None
    return tuple(site for site in region.sites if dropped.isdisjoint(site.origins)), gone


def form_of(region: Region) -> PauliForm:
    """The region's Pauli form with what merges merged, and without what does nothing."""
    outputs = output_sums(region.task) if region.last else []
    form = reduced(region.task, pauli_form(region.task, region.sites, outputs), region.first, region.last)
    if not (region.state and region.first):
        return form
    return reduced(region.task, modulo_state(region.task, form), region.first, region.last)


def written(region: Region, form: PauliForm) -> Iterator[tuple[Site, ...]]:
    """Ways to write a region: from the first rotation on or from the last, by every network found."""
    most = most_gates(region)
    for way in (_forwards, _backwards):
        for steps in way(region, form, most):
            yield sites_of_steps(region, form, steps)


def most_gates(region: Region) -> int:
    """Beyond so many two-qubit gates no network is cheaper than the region is."""
    joining = sum(cost_of(site, region.costs) for site in region.sites if len(site.qubits) > 1)
    cheapest = min(_unit_costs(region), default=0.0)
    return int(joining / cheapest) if cheapest > 0 else len(region.sites) * region.task.num_qubits


def _unit_costs(region: Region) -> Iterator[float]:
    for move in (moves[-1] for row in region.gates.moves for moves in row):
        yield cost_of(make_site(region.task, move.gate, move.qubits, ()), region.costs)


def _forwards(region: Region, form: PauliForm, most: int) -> Iterator[Steps]:
    """From the first rotation to the last, then to the one word that is measured."""
    word = _single_word(region)
    if word is None or not form.rotations:
        return
    n = region.task.num_qubits
    image, sign = _image(region, form, word)
    measured = PauliList([("" if sign == 1 else "-") + label_of(image, n)])
    words = words_of_rotations(form.rotations, n) + measured
    before = anticommuting(words)
    before[:-1, -1] = True
    free = fixing_zeros(region.gates) & region.first
    for found in networks(words, before, measured, region.gates, free, most, region.wide):
        if (steps := _brought_back(region, found, word)) is not None:
            yield steps


def _brought_back(region: Region, found: Network, word: Word) -> Steps | None:
    """A network with the word that is measured, its last rotation, where it was asked; None where no gates do that."""
    n, carried = region.task.num_qubits, found.carried
    steps: Steps = found.steps[:-1]
    (((root, letter),), sign) = words_and_signs(carried)[0]
    if root not in dict(word) and region.first:  # no permutation of qubits changes |0…0⟩
        to = {root: word[0][0], word[0][0]: root}
        steps = _permuted(steps, to)
        carried = PauliList([("" if sign == 1 else "-") + label_of(((to[root], letter),), n)])
        if not all(region.gates.has(step) for step in steps if isinstance(step, Move)):
            return None
    moves = measuring_moves(carried, word, region.gates)
    return None if moves is None else [*steps, *moves]


def _permuted(steps: Steps, to: Mapping[int, int]) -> list[Move | Turn]:
    return [
        s._replace(qubits=tuple(to.get(q, q) for q in s.qubits))
        if isinstance(s, Move)
        else s._replace(qubit=to.get(s.qubit, s.qubit))
        for s in steps
    ]


def _backwards(region: Region, form: PauliForm, most: int) -> Iterator[Steps]:
    """From the last rotation to the first, then to the state or the gates that are left at the start."""
    n = region.task.num_qubits
    frame = Clifford(form.frame)
    letters = _images_of_letters(frame, region.first)
    measured = [label_of(word, n) for output in (output_sums(region.task) if region.last else []) for word in output]
    free = fixing(PauliList(sorted(set(measured))), region.gates) if measured else fixing_zeros(region.gates) & False
    found: Iterable[Network] = [Network((), letters)]
    if form.rotations:
        words = words_of_rotations(form.rotations[::-1], n).evolve(frame, frame="s")
        found = networks(words, anticommuting(words), letters, region.gates, free, most, region.wide)
    make, last = state_moves if region.first else clifford_moves, len(form.rotations) - 1
    for each in found:
        if (moves := make(each.carried, region.gates)) is not None:
            steps = [s if isinstance(s, Move) else s._replace(place=last - s.place) for s in each.steps]
            yield [*moves, *inverted(steps)]


def _images_of_letters(frame: Clifford, state: bool) -> PauliList:
    """What Z of every qubit becomes, or X of every qubit and then Z."""
    n = frame.num_qubits
    letters = [label_of(((q, p),), n) for p in ("Z" if state else "XZ") for q in range(n)]
    return PauliList(letters).evolve(frame, frame="s")


def _single_word(region: Region) -> Word | None:
    """The word that all outputs are made of; None where there are several."""
    words = {word for output in (output_sums(region.task) if region.last else []) for word in output if word}
    return next(iter(words)) if len(words) == 1 else None


def _image(region: Region, form: PauliForm, word: Word) -> tuple[Word, int]:
    """What becomes of a measured word in front of the frame."""
    n = region.task.num_qubits
    return words_and_signs(PauliList([label_of(word, n)]).evolve(Clifford(form.frame), frame="h"))[0]


def sites_of_steps(region: Region, form: PauliForm, steps: Steps) -> tuple[Site, ...]:
    """Steps as gates; a new Clifford gate stands for an old one on as many qubits, where there is one."""
    spare = [site.origins for site in form.split] or [site.origins for site in region.sites]
    old = {k: cycle([s.origins for s in form.split if len(s.qubits) == k] or spare) for k in (1, 2)}
    new = []
    for step in without_pairs(steps):
        if isinstance(step, Move):
            new.append(make_site(region.task, step.gate, step.qubits, next(old[len(step.qubits)])))
        else:
            site = form.rotations[step.place]
            word: Word = ((step.qubit, step.letter),)
            new.append(rotation(region.task, word, signed(site.coordinate, step.sign), site.origins))
    return tuple(new)
