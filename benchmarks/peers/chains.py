"""The fair comparison: passes chained as an expert would, every threshold tuned, at budgets on the measured deviation.

A chain yields points: a circuit's CX count and its deviation as measured here. At each budget a chain is credited with
its best point that keeps it, whatever setting that came from; the same holds for qprune.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import log10

import numpy as np
from qiskit import QuantumCircuit

import qprune
from benchmarks.peers import field, tools
from benchmarks.peers.measure import Compiled, cx_count, deviation, outputs
from qprune import Everywhere, Limit, Measured, Proven, QpruneError
from qprune.gates.sites import sites_of
from qprune.limits.claim_everywhere import EveryInputComparison

BUDGETS = (1e-6, 1e-3, 1e-2, 3e-2, 1e-1)
ORDER = (1e-2, 1e-1, 1e-3, 3e-2, 1e-6)  # in which slow tools take them: with the time up, the middle is there
BISECTIONS = 5  # per budget, on the logarithm of a threshold
EPSILONS = (1e-8, 1e-3, 1e-2, 1e-4, 1e-1)  # of BQSKit, which takes minutes for each
GUOQ_EXACT = {1e-6: 20}  # ε of GUOQ, and processor seconds, all of which it takes
GUOQ_CLOSE = {1e-2: 60}  # in 20 s it resynthesises nothing yet
# Of the hour that wisq takes unless told otherwise: long before, what each of its tries leaves behind fills 24 GB.
GUOQ_LONG = {1e-2: 600}
FORMS = {"form": "auto", "couplings": "any"}  # of qprune without refit, which takes minutes for each
KEEP = 1 - 1e-9  # of a budget: what rounding leaves
RESYNTHESIS = " → O3"
GAP, PATIENCE = 0.01, 20.0  # of a limit for every input: relative distance of its two ends, and seconds


@dataclass(frozen=True)
class Point:
    """One circuit that a chain made.

    Attributes:
        line: The line of the table it counts for.
        setting: Threshold or budget.
        two_qubit_gates: CX needed.
        weights: Weights still free.
        deviation: Largest change of an output, measured.
        everywhere: Limit of it for every input of the box of the samples (T9); None where there are no inputs, or it
            was not asked for.
        settings: Measuring settings before and after, where a tool changes the observables; else None.
    """

    line: str
    setting: float | None
    two_qubit_gates: int
    weights: int
    deviation: float
    everywhere: float | None = None
    settings: tuple[int, int] | None = None


Points = Iterator[Point]


@dataclass(frozen=True)
class Chain:
    """A way to a smaller circuit.

    Attributes:
        name: As in the table.
        package: What must be installed.
        points: From a task and a function that judges what was made.
        when_named: Takes so long that it runs only where it is asked for by its name.
    """

    name: str
    package: str
    points: Callable[[qprune.Task, Callable[..., Point]], Points]
    when_named: bool = False


def run(chain: Chain, task: qprune.Task) -> Points:
    """The points of a chain, one by one as they are found."""
    original = outputs(task, Compiled.unmoved(task.circuit))
    comparison = EveryInputComparison(task, sites_of(task)) if task.inputs.shape[1] else None

    def judge(compiled: Compiled, setting: float | None = None, line: str = chain.name) -> Point:
        for_all = None if comparison is None else _everywhere(comparison, compiled)
        settings = None
        if compiled.observables is not None:
            settings = field.settings(task.observables or ()), field.settings(compiled.observables)
        return Point(
            line,
            setting,
            cx_count(compiled.circuit),
            compiled.free_weights(task),
            deviation(task, compiled, original),
            for_all,
            settings,
        )

    yield from chain.points(task, judge)


def _everywhere(comparison: EveryInputComparison, compiled: Compiled) -> float | None:
    """The limit for every input of a circuit that a tool made, its qubits back at their places."""
    if compiled.observables is not None:
        return compiled.any_state  # T9 compares circuits that are read alike
    task = comparison.original
    back = [compiled.where.index(q) for q in range(compiled.circuit.num_qubits)]
    circuit = QuantumCircuit(task.num_qubits)
    circuit.compose(compiled.circuit, back, inplace=True)
    smaller = task.with_circuit(circuit, {**task.named_weights, **compiled.weights})
    try:
        claim = comparison.claim(smaller, sites_of(smaller), gap=GAP, time_limit=PATIENCE)
    except QpruneError:  # too many runs
        return None
    return claim.upper


# -- peers ------------------------------------------------------------------------------------------------------------


def _tuned(make: Callable[[float], list[Compiled]], judge: Callable[..., Point], decades: tuple[int, int]) -> Points:
    """Scan a threshold by decades, then bisect around every budget that it crosses."""
    seen: dict[float, tuple[float, int]] = {}

    def points(exponent: float) -> Points:
        found = [judge(compiled, 10**exponent) for compiled in make(10**exponent)]
        seen[exponent] = min(p.deviation for p in found), min(p.two_qubit_gates for p in found)
        yield from found

    for exponent in range(*decades):
        yield from points(float(exponent))
    for budget in BUDGETS:
        for _ in range(BISECTIONS):
            fitting = [e for e in seen if seen[e][0] <= budget]
            if not fitting:
                break
            low = max(fitting)
            high = min((e for e in seen if e > low), default=None)
            if high is None or seen[high][1] >= seen[low][1]:
                break
            yield from points((low + high) / 2)


def _o3(task: qprune.Task, judge: Callable[..., Point]) -> Points:
    start = tools.bound(task)
    yield judge(tools.o3(task, start), 0.0)
    yield from _tuned(lambda t: [tools.o3(task, start, 1 - t)], judge, (-10, 0))


def _shrunk(task: qprune.Task, infidelity: float) -> Compiled:
    """RemoveIdentityEquivalent, then LightCone: before that no qubit has moved."""
    return tools.light_cone(task, tools.identity_equivalents(task, tools.bound(task), 1 - infidelity))


def _rie_o3(task: qprune.Task, judge: Callable[..., Point]) -> Points:
    def make(t: float) -> list[Compiled]:
        small = _shrunk(task, t)
        return [tools.light_cone(task, tools.o3(task, small, degree)) for degree in (1.0, 1 - t)]

    yield from _tuned(make, judge, (-14, 0))


def _rie_pytket(task: qprune.Task, judge: Callable[..., Point]) -> Points:
    def make(t: float) -> list[Compiled]:
        return [tools.light_cone(task, tools.pytket(task, tools.o3(task, _shrunk(task, t))))]

    yield from _tuned(make, judge, (-14, 0))


def _finished(task: qprune.Task, compiled: Compiled) -> Compiled:
    return tools.light_cone(task, tools.o3(task, tools.light_cone(task, compiled)))


def _bqskit(task: qprune.Task, judge: Callable[..., Point]) -> Points:
    for epsilon in EPSILONS:
        yield judge(_finished(task, tools.bqskit_compile(task, tools.bound(task), epsilon)), epsilon)


def _rie_bqskit(task: qprune.Task, judge: Callable[..., Point]) -> Points:
    """RemoveIdentityEquivalent tuned for each budget by itself, then BQSKit as exact as it is by default."""
    done: set[tuple[int, int]] = set()
    points = list(_tuned(lambda t: [_shrunk(task, t)], judge, (-14, 0)))
    for budget in ORDER:
        fitting = [p for p in points if p.deviation <= KEEP * budget]
        best = min(fitting, key=lambda p: (p.two_qubit_gates, -(p.setting or 0)), default=None)
        if best is None or (key := (best.two_qubit_gates, round(10 * log10(best.setting or 1)))) in done:
            continue
        done.add(key)
        small = _shrunk(task, best.setting or 0.0)
        yield judge(_finished(task, tools.bqskit_compile(task, small, EPSILONS[0])), best.setting)


def _guoq(
    task: qprune.Task, judge: Callable[..., Point], start: Callable[..., Compiled], seconds: Mapping[float, float]
) -> Points:
    for epsilon, time in seconds.items():
        yield judge(_finished(task, field.guoq(task, start(task, tools.bound(task)), epsilon, time)), epsilon)


def _backpropagated(task: qprune.Task, judge: Callable[..., Point], growth: int) -> Points:
    """What is left of the circuit goes through Qiskit's level 3, told what is measured now."""
    for budget in ORDER:
        shorter = field.backpropagated(task, tools.light_cone(task, tools.bound(task)), budget, growth)
        yield judge(shorter, budget)
        done = tools.o3(task.with_observables(list(shorter.observables or ())), shorter)
        yield judge(replace(shorter, circuit=done.circuit, where=done.where), budget)


def _pennylane(task: qprune.Task, judge: Callable[..., Point]) -> Points:
    yield judge(tools.pennylane(task, tools.bound(task)))


# -- qprune -----------------------------------------------------------------------------------------------------------


def _qprune(task: qprune.Task, judge: Callable[..., Point], limit: Callable[[float], Limit], **form: str) -> Points:
    for budget in ORDER:
        result = qprune.prune(task, limit(budget), **form)
        yield from _both(task, judge, result, budget)


def _exact(task: qprune.Task, judge: Callable[..., Point]) -> Points:
    """What costs nothing, for every value of every weight, which stay free."""
    yield judge(_rewritten(task), 0.0)


def _absorbed(task: qprune.Task, judge: Callable[..., Point]) -> Points:
    """The same of the circuit without its last Clifford gates, which are measured."""
    absorbed = qprune.absorb(task, couplings="any").task
    yield judge(replace(_rewritten(absorbed), observables=absorbed.observables), 0.0)


def _rewritten(task: qprune.Task) -> Compiled:
    result = qprune.prune(task, Proven(0.0), couplings="any")
    return Compiled.unmoved(result.circuit, result.task.named_weights)


def _both(task: qprune.Task, judge: Callable[..., Point], result: qprune.PruneResult, budget: float) -> Points:
    """What qprune returns, and what Qiskit makes of it, its weights then bound."""
    values = result.task.named_weights
    mine = judge(Compiled.unmoved(result.circuit, values), budget)
    yield mine
    finished = _finished(task, tools.bound(result.task))
    yield judge(finished, budget, f"{mine.line}{RESYNTHESIS}")


CHAINS: tuple[Chain, ...] = (
    Chain("PennyLane compile", "pennylane", _pennylane),
    Chain("Qiskit O3", "qiskit", _o3),
    Chain("RIE → LightCone → O3", "qiskit", _rie_o3),
    Chain("RIE → LightCone → O3 → pytket", "pytket", _rie_pytket),
    Chain("BQSKit compile → LightCone → O3", "bqskit", _bqskit),
    Chain("RIE → LightCone → BQSKit compile → O3", "bqskit", _rie_bqskit),
    Chain("GUOQ → LightCone → O3", "wisq", partial(_guoq, start=lambda _, made: made, seconds=GUOQ_EXACT)),
    Chain("LightCone → GUOQ → LightCone → O3", "wisq", partial(_guoq, start=tools.light_cone, seconds=GUOQ_EXACT)),
    Chain(
        "LightCone → GUOQ, larger ε → LightCone → O3",
        "wisq",
        partial(_guoq, start=tools.light_cone, seconds=GUOQ_CLOSE),
    ),
    Chain(
        "LightCone → GUOQ, larger ε, ten minutes → LightCone → O3",
        "wisq",
        partial(_guoq, start=tools.light_cone, seconds=GUOQ_LONG),
        when_named=True,
    ),
    *(
        Chain(
            f"operator backpropagation, {growth} × settings → O3",
            "qiskit_addon_obp",
            partial(_backpropagated, growth=growth),
        )
        for growth in field.GROUPS
    ),
    Chain("qprune, exact", "qprune", _exact),
    Chain("qprune, exact, absorbed", "qprune", _absorbed),
    Chain("qprune, proven", "qprune", partial(_qprune, limit=Proven, **FORMS)),
    Chain("qprune, verified", "qprune", partial(_qprune, limit=Measured, **FORMS)),
    Chain("qprune, every input", "qprune", partial(_qprune, limit=Everywhere, **FORMS)),
    Chain("qprune, every input, refit", "qprune", partial(_qprune, limit=partial(Everywhere, refit=True))),
    Chain("qprune, verified, refit", "qprune", partial(_qprune, limit=partial(Measured, refit=True))),
)


def best(points: list[Point], budget: float) -> Point | None:
    """The point with the fewest two-qubit gates that keeps the budget."""
    fitting = [p for p in points if p.deviation <= budget * (1 + 1e-9) and np.isfinite(p.deviation)]
    return min(fitting, key=lambda p: (p.two_qubit_gates, -p.weights, p.deviation), default=None)
