"""What must hold of an outcome, against the oracle. Every check raises `Violation` with the name of its claim."""

from __future__ import annotations

from math import log, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from . import oracle
from .adapter import Outcome, Request
from .observables import weight
from .situation import Situation

PER_GATE = 4e-12
"""What an exact change may cost, per gate and unit Σ|c_P| of the observable's words other than 1: simplification takes
a matrix entry of 1e-12 for nothing (docs/theory.md, section 7), and a word's mean moves by at most twice an angle."""

EQUAL_EIGENVALUES = 1e-12
"""Relative to the largest: what diagonalising leaves between eigenvalues of one size."""

POINTS = 12
"""Inputs of the domain that are tried beside the samples."""

EXACT = 1e-11
"""Of a Pauli word's mean: what statevectors stay below, and shots and truncation do not."""

LARGEST_ERROR = 0.1
"""Of a Pauli word's mean, by truncation or shots, in any case of the soak; a claim of more loosens nothing."""

SQUARED_DISTANCE = 1e-12
"""Rounding of d² = 2 − 2|o|; near its largest value 2, where |o| comes from 1 − |o|², half of the digits."""

PRUNABLE = (
    *("rx", "ry", "rz", "p", "u1", "rxx", "ryy", "rzz", "rzx", "PauliEvolution", "pauli"),
    *("x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "h", "swap", "u", "u2", "u3", "r"),
    *("cx", "cy", "cz", "ch", "ccx", "ccz", "cp", "cu1", "cs", "csdg", "csx", "crx", "cry", "crz"),
    *("cu", "cu3", "iswap", "dcx", "ecr", "xx_plus_yy", "xx_minus_yy"),
)
"""Gates of docs/theory.md, section 2."""


class Violation(AssertionError):
    """A claim does not hold."""

    def __init__(self, claim: str, message: str) -> None:
        super().__init__(f"{claim}: {message}")
        self.claim = claim


def require(holds: object, claim: str, message: str) -> None:
    if not holds:
        raise Violation(claim, message)


class Truth:
    """The original's and the pruned network's outputs by the oracle.

    Attributes:
        units: Σ|c_P| of each output, 1 for probabilities; shape (R,).
        deviations: |Δ⟨O⟩| or total variation, shape (R, M), all samples.
    """

    def __init__(self, situation: Situation, outcome: Outcome) -> None:
        self.situation, self.outcome = situation, outcome
        self.points = [situation.values(i) for i in range(len(situation.inputs))]
        self.before = [situation.state(point) for point in self.points]
        self.after = [oracle.run(outcome.circuit, point | outcome.weights) for point in self.points]
        self.units = units_of(situation)
        pairs = zip(self.before, self.after, strict=True)
        self.deviations = np.array([deviations(situation, *pair) for pair in pairs]).T
        self.rounding = PER_GATE * (4 + len(situation.steps)) * self.units[:, None]


def units_of(situation: Situation) -> NDArray[np.float64]:
    if situation.observables is None:
        return np.ones(1)
    return np.array([weight(terms) for terms in situation.observables])


def deviations(situation: Situation, before: oracle.Vector, after: oracle.Vector) -> list[float]:
    """By output; the identity's share of an observable, which no state changes, left out before subtracting."""
    if situation.observables is None:
        change = oracle.probabilities(after, situation.outputs_from) - oracle.probabilities(
            before, situation.outputs_from
        )
        return [float(np.abs(change).sum() / 2)]
    means = [[oracle.expectation(t, s, constant=False) for s in (before, after)] for t in situation.observables]
    return [abs(after_mean - before_mean) for before_mean, after_mean in means]


def check_outcome(situation: Situation, request: Request, outcome: Outcome, rng: np.random.Generator) -> Truth:
    """Everything that pruning claims of this situation."""
    truth = Truth(situation, outcome)
    check_bounds(truth, request)
    check_predictions(truth)
    check_holdout(truth)
    check_exact_changes(truth, rng)
    check_replacements(truth, request)
    if outcome.everywhere is not None and request.limit != "everywhere":
        check_every_input(truth, request, rng)  # added to what was judged on samples
    if request.limit == "threshold" and not isinstance(request.noise, str) and not request.measures:
        check_completeness(truth, request)
    return truth


# -- deviations ----------------------------------------------------------------------------------------------------


def check_bounds(truth: Truth, request: Request) -> None:
    """T2, the measured deviations and the budget."""
    outcome, slack = truth.outcome, truth.rounding
    real = truth.deviations[:, list(outcome.samples)]
    known = slack + 2 * min(outcome.error, LARGEST_ERROR) * truth.units[:, None]
    _at_most("bound (T2)", real, outcome.bound, slack)
    # What shots or truncation may hide is added to what was found, so that the claim is an upper limit.
    inexact = outcome.error > EXACT
    _at_most("measured deviation", real, outcome.measured, slack if inexact else known)
    _at_most("measured deviation, too large", outcome.measured, real, (1 + inexact) * known)
    if request.limit == "accuracy":
        check_accuracy(truth, request)
    elif request.budget is not None and request.limit != "everywhere":
        within = outcome.bound if request.limit == "proven" else outcome.measured
        _at_most("budget", within, np.full_like(within, request.budget), slack)
    if not request.refit and not outcome.replaced:
        _at_most("exact where nothing is replaced", real, 0 * real, slack)
    if request.others.get("simulator") is None:
        require(outcome.error < EXACT, "error of the expectation values", f"claimed {outcome.error}")


def check_accuracy(truth: Truth, request: Request) -> None:
    """On the selected samples it falls by no more than was allowed; ties within rounding may go either way."""
    situation, samples = truth.situation, list(truth.outcome.samples)
    labels = np.array(situation.extras["labels"])
    signs = bool(np.any(labels < 0))  # of any sample, selected or not
    means = [
        np.array([[oracle.expectation(terms, states[i]) for i in samples] for terms in situation.observables or ()])
        for states in (truth.before, truth.after)
    ]
    near = truth.rounding.max() + PER_GATE * max(abs(c) for terms in situation.observables or () for _, c in terms)
    before, after = (
        _right(found, labels[samples], signs, sign * near) for found, sign in zip(means, (-1, 1), strict=True)
    )
    require(after >= before - request.budget - 1e-9, "accuracy", f"{before} to {after}, allowed {request.budget}")


def _right(means: NDArray[np.float64], labels: NDArray[np.int64], signs: bool, room: float) -> float:
    """Share of right predictions, each with that much room to be right (negative: to spare)."""
    if len(means) == 1 or signs:
        return float(np.mean(means[0] * np.where(labels > 0, 1, -1) > -room))
    own = means[labels, np.arange(len(labels))]
    others = np.where(np.arange(len(means))[:, None] == labels, -np.inf, means).max(axis=0)
    return float(np.mean(own - others > -2 * room))


def _at_most(claim: str, found: NDArray[np.float64], limit: NDArray[np.float64], slack: NDArray[np.float64]) -> None:
    over = np.nan_to_num(found - limit - slack, nan=np.inf)
    if over.size and over.max() > 0:
        at = tuple(int(k) for k in np.unravel_index(over.argmax(), over.shape))
        slack = np.broadcast_to(slack, over.shape)
        raise Violation(
            claim, f"output {at[0]}, column {at[1]}: {found[at]:.17g} > {limit[at]:.17g} (slack {slack[at]:.2g})"
        )


def check_predictions(truth: Truth) -> None:
    """T4."""
    for r, row in enumerate(truth.outcome.certified):
        if row is None:
            continue
        terms = (truth.situation.observables or ())[r]
        sizes = np.abs(np.linalg.eigvalsh(oracle.dense(terms)))
        alike = np.ptp(sizes) <= EQUAL_EIGENVALUES * sizes.max()
        require(
            alike, "observable of two opposite eigenvalues", f"their sizes are {sizes.min():.17g} to {sizes.max():.17g}"
        )
        for column, sample in enumerate(truth.outcome.samples):
            if row[column]:
                means = [oracle.expectation(terms, s[sample]) for s in (truth.before, truth.after)]
                require(np.sign(means[0]) == np.sign(means[1]), "certified prediction (T4)", f"{means} of {sample}")


def check_holdout(truth: Truth) -> None:
    """T5, with its formulas written anew; flips are counted where a sign is clear."""
    claim, held = truth.outcome.holdout, list(truth.outcome.heldout)
    if not held:
        require(claim is None, "hold-out", "claimed without one")
        return
    require(not set(held) & set(truth.outcome.samples), "hold-out", "selection saw samples that were held out")
    values, size = truth.deviations[:, held].max(axis=0), len(held)
    slack = float(truth.rounding.max() + 2 * min(truth.outcome.error, LARGEST_ERROR) * truth.units.max())
    require(abs(values.mean() - claim.mean) <= slack, "hold-out mean", f"{values.mean()} against {claim.mean}")
    require(abs(values.max() - claim.largest) <= slack, "hold-out largest", f"{values.max()} against {claim.largest}")
    ceiling = _ceiling(truth.situation)
    term = log(2 / claim.delta)
    upper = values.mean() + ceiling * sqrt(term / (2 * size))
    if size > 1:
        term += log(2)
        spread = sqrt(2 * values.var(ddof=1) * term / size)
        upper = min(upper, values.mean() + spread + 7 * ceiling * term / (3 * (size - 1)))
    least = min(upper, ceiling) * (1 - 1e-9) - slack
    require(claim.expected_upper >= least, "hold-out expected (T5)", f"{claim.expected_upper} < {least}")
    if claim.flips is not None:
        test = binomtest(claim.flips, size, alternative="less")
        rate = test.proportion_ci(1 - claim.delta, method="exact").high
        require(claim.flip_rate_upper >= rate - 1e-9, "hold-out flip rate (T5)", f"{claim.flip_rate_upper} < {rate}")


def _ceiling(situation: Situation) -> float:
    """The largest range of eigenvalues, which the identity's share does not change but would round."""
    if situation.observables is None:
        return 1.0
    parts = [[term for term in terms if set(term[0]) != {"I"}] for terms in situation.observables]
    return max(float(np.ptp(np.linalg.eigvalsh(oracle.dense(part)))) if part else 0.0 for part in parts)


# -- every input ---------------------------------------------------------------------------------------------------


def check_every_input(
    truth: Truth,
    request: Request,
    rng: np.random.Generator,
    box: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> None:
    """T9, on inputs between the samples: drawn from the domain, and corners of it."""
    situation, outcome = truth.situation, truth.outcome
    limits = np.array(outcome.everywhere)[:, :1]
    low, high = box or (situation.inputs.min(axis=0), situation.inputs.max(axis=0))
    for k in range(POINTS):
        shares = rng.random(len(low)) if k % 3 else rng.integers(2, size=len(low))
        inputs = np.clip(low + shares * (high - low), low, high)
        point = situation.weights | dict(zip(situation.input_names, inputs.tolist(), strict=True))
        after = oracle.run(outcome.circuit, point | outcome.weights)
        change = np.array(deviations(situation, situation.state(point), after))[:, None]
        _at_most("every input (T9)", change, limits, truth.rounding)
    if request.limit == "everywhere":
        rounding = np.array(outcome.everywhere)[:, 1:]
        _at_most("budget for every input", limits, np.full_like(limits, request.budget), truth.rounding + 2 * rounding)


# -- exact changes -------------------------------------------------------------------------------------------------


def random_point(situation: Situation, rng: np.random.Generator) -> dict[str, float]:
    names = (*situation.weights, *situation.input_names)
    return {name: float(rng.uniform(-3, 3)) for name in names}


def check_exact_changes(truth: Truth, rng: np.random.Generator) -> None:
    """The simplified circuit has the original's outputs, on the samples and for parameters nobody asked about."""
    situation, circuit = truth.situation, truth.outcome.simplified
    for point in (*truth.points, random_point(situation, rng)):
        before, after = situation.state(point), oracle.run(circuit, point)
        change = np.array(deviations(situation, before, after))[:, None]
        _at_most("exact simplification", change, 0 * change, truth.rounding)


def same_function(situation: Situation, first: Outcome, second: Outcome, rng: np.random.Generator, claim: str) -> None:
    """Two outcomes are one network: same outputs at the weights they hold and at random ones."""
    for k in range(3):
        point = random_point(situation, rng)
        if k == 0:
            point |= situation.values(0)
        values = [point | (outcome.weights if k == 0 else {}) for outcome in (first, second)]
        for what in ("circuit", "simplified"):
            pair = zip((first, second), values, strict=True)
            states = [oracle.run(getattr(outcome, what), point) for outcome, point in pair]
            change = np.array(deviations(situation, *states))[:, None]
            _at_most(f"{claim}: the {what}", change, 0 * change, PER_GATE * units_of(situation)[:, None])


# -- replacements --------------------------------------------------------------------------------------------------


def check_replacements(truth: Truth, request: Request) -> None:
    """Angles of gates and states (T2), distances and tolerances (T1), on the original's prefix states."""
    situation, outcome = truth.situation, truth.outcome
    by = {entry.site: entry for entry in outcome.replaced}
    squares = {site: [] for site in by}
    for column, sample in enumerate(outcome.samples):
        point, slack = truth.points[sample], PER_GATE * (4 + len(situation.steps))
        state = other = oracle.zero(situation.num_qubits)
        for site, (operation, qubits) in enumerate(oracle.steps_of(outcome.simplified)):
            matrix = oracle.matrix_of(operation, point)
            after = oracle.apply(matrix, qubits, state)
            if (entry := by.get(site)) is None:
                other = oracle.apply(matrix, qubits, other)
            else:
                put = (lambda s: s) if entry.matrix is None else _putter(entry)
                angle = _angle(after, put(state))
                require(angle <= entry.largest_angle + slack, "angle of a gate", f"{angle} > {entry.largest_angle}")
                member = _member(entry, qubits, len(matrix))
                squares[site].append(_squared_distance(state, matrix, qubits, member, request))
                other = put(other)
            state = after
        _check_angle(truth, column, state, other, slack)
    if not isinstance(request.noise, str):
        _check_distances(truth, request, by, squares)


def _putter(entry):
    return lambda state: oracle.apply(entry.matrix, entry.qubits, state)


def _angle(first: oracle.Vector, second: oracle.Vector) -> float:
    overlap = np.vdot(first, second)
    return float(np.arctan2(np.linalg.norm(second - overlap * first), abs(overlap)))


def _check_angle(truth: Truth, column: int, state: oracle.Vector, other: oracle.Vector, slack: float) -> None:
    """sin Θ limits the trace distance of what an output sees."""
    situation = truth.situation
    for r, angle in enumerate(truth.outcome.angle[:, column]):
        seen = _support(situation, r)
        if not seen:
            continue
        distance = oracle.trace_distance(oracle.reduced(state, seen), oracle.reduced(other, seen))
        limit = np.sin(min(angle, pi / 2)) + slack
        require(distance <= limit, "angle of the states (T2)", f"output {r}, column {column}: {distance} > {limit}")


def _support(situation: Situation, r: int) -> tuple[int, ...]:
    if situation.observables is None:
        return situation.outputs_from
    labels = [label for label, _ in situation.observables[r]]
    return tuple(q for q in range(situation.num_qubits) if any(label[-1 - q] != "I" for label in labels))


def _squared_distance(state, matrix, qubits, member, request: Request) -> float:
    """d_q² = 2 − 2|Tr[D_η(ρ) G†A]| on the gate's qubits in its own order."""
    coherence, beta, _ = request.noise if isinstance(request.noise, tuple) else (1.0, 1.0, 0.0)
    rho = oracle.dephased(oracle.reduced(state, qubits), 1 / np.cosh(beta * (1 - coherence)))
    return max(0.0, 2 - 2 * abs(np.trace(rho @ matrix.conj().T @ member)))


def _member(entry, qubits, size: int) -> oracle.Matrix:
    """What stands in a gate's place, on its qubits in its own order."""
    if entry.matrix is None:
        return np.eye(size)
    places = [qubits.index(q) for q in entry.qubits]
    return oracle.apply(entry.matrix, places, np.eye(size, dtype=complex))


def _chances(truth: Truth) -> NDArray[np.float64]:
    given = np.array(truth.situation.extras.get("probabilities", np.ones(len(truth.points))))
    chances = given[list(truth.outcome.samples)]
    return chances / chances.sum()


def _aggregated(truth: Truth, request: Request, squares) -> float:
    each = np.array(squares)
    return float(each.max()) if request.others.get("aggregate") == "max" else float(each @ _chances(truth))


def _squared_tolerance(request: Request, width: int) -> float:
    coherence, _, gamma = request.noise or (1.0, 1.0, 0.0)
    return request.tolerance**2 + gamma * (1 - coherence) * (1 - 0.5**width)


def _check_distances(truth: Truth, request: Request, by, squares) -> None:
    """T1, soundness: within its tolerance, and the distance that is claimed."""
    known = 2 * min(truth.outcome.error, LARGEST_ERROR)
    for site, entry in by.items():
        square, width = _aggregated(truth, request, squares[site]), len(entry.qubits)
        digits = (SQUARED_DISTANCE if max(squares[site]) < 1.9 else 1e-7) + known * 2**width
        found = f"gate {site}: d² = {square}, claimed {entry.distance**2}"
        high = square - entry.distance**2
        low = 0.0 if request.measures else -high
        require(max(high, low) <= digits, "q-overlap distance", found)  # what is measured is an upper limit
        if request.tolerance is not None:
            limit = _squared_tolerance(request, width)
            require(square <= limit + digits, "tolerance (T1)", f"gate {site}: {square} > {limit}")


def check_completeness(truth: Truth, request: Request) -> None:
    """T1: no gate that the identity could replace is left, unless it cancels with another that is."""
    situation, outcome = truth.situation, truth.outcome
    by = {entry.site: entry for entry in outcome.replaced}
    steps = oracle.steps_of(outcome.simplified)
    squares: dict[int, list[float]] = {
        k: [] for k in range(len(steps)) if k not in by and _is_prunable(truth, request, k)
    }
    for sample in outcome.samples:
        state = oracle.zero(situation.num_qubits)
        for k, (operation, qubits) in enumerate(steps):
            matrix = oracle.matrix_of(operation, truth.points[sample])
            if k in squares:
                squares[k].append(_squared_distance(state, matrix, qubits, np.eye(len(matrix)), request))
            state = oracle.apply(matrix, qubits, state)
    for k, each in squares.items():
        tolerance = sqrt(_squared_tolerance(request, len(steps[k][1]))) - 1e-9  # of d, on which it is decided
        if tolerance > 0 and _aggregated(truth, request, each) < tolerance**2 * (1 - 1e-9) - SQUARED_DISTANCE:
            name = steps[k][0].name
            require(_cancels(truth, by, k), "completeness (T1)", f"{name} (gate {k}) should have gone")


def _is_prunable(truth: Truth, request: Request, k: int) -> bool:
    """Whether docs/theory.md, section 2, has a subgroup for the gate, and no input enters it unless that is allowed."""
    operation, qubits = oracle.steps_of(truth.outcome.simplified)[k]
    plain = getattr(operation, "ctrl_state", None) in (None, 2 ** getattr(operation, "num_ctrl_qubits", 0) - 1)
    free = {p.name for angle in operation.params for p in getattr(angle, "parameters", ())}
    if free & set(truth.situation.input_names) and not request.others.get("prune_encoding"):
        return False
    known = operation.name in PRUNABLE or (operation.name == "unitary" and len(qubits) <= 2)
    return known and plain and operation.base_class.__module__.startswith("qiskit.circuit.library")


def _cancels(truth: Truth, by, k: int) -> bool:
    """Whether gate k and one other do nothing together once the others are replaced."""
    point, size = truth.points[truth.outcome.samples[0]], 2**truth.situation.num_qubits
    steps = oracle.steps_of(truth.outcome.simplified)

    def whole(without: set[int]) -> oracle.Matrix:
        state = np.eye(size, dtype=complex)
        for j, (operation, qubits) in enumerate(steps):
            if j in by:
                state = state if by[j].matrix is None else oracle.apply(by[j].matrix, by[j].qubits, state)
            elif j not in without:
                state = oracle.apply(oracle.matrix_of(operation, point), qubits, state)
        return state

    all_of_them = whole(set())
    others = [j for j in range(len(steps)) if j != k and j not in by]
    return any(abs(np.vdot(all_of_them, whole({k, j}))) > size * (1 - 1e-9) for j in others)
