"""Recompute by independent means whatever a certificate claims.

Shared with the path that makes certificates are the task, records and hashes alone: no simulation, angle or bound.
"""

from __future__ import annotations

from math import log, pi, sqrt
from numbers import Real

import numpy as np

from qprune._arrays import FloatArray
from qprune._progress import is_shown
from qprune.errors import CertificateError, CertificateViolation, QpruneError, TaskError
from qprune.task.task import Task
from qprune.verify.absorbed import check_absorbed, pruned_task
from qprune.verify.checks import Check, Checks, Result, VerificationReport, damaged
from qprune.verify.every_input import check_every_input
from qprune.verify.formulas import MPS, SLACK, Noise, largest_errors, needed_bound, spectrum_of
from qprune.verify.hashes import check_hashes
from qprune.verify.record import BUDGETED, INFORMATIVE, LIMITS, check_accuracy, check_fall, check_options, check_plan
from qprune.verify.states import Replacements, indices, light_cones, past_cones, simulate, used_qubits
from qprune.verify.wide_states import simulate_wide

# Radians by which a recorded angle may exceed the true one: certificates round up, as an expectation value wrong by
# 10⁻¹⁴ can hide an angle of 10⁻⁷. Also the rounding of a distance near 0 or √2, hence of T1 and the closed form.
EXCESS = 1e-6  # on few qubits
DENSE_WIDTH = 20  # qubits up to which a certificate from matrix product states is verified by statevectors
SIMULATED, PREFIX, FORMULA = "full simulation", "prefix states", "formula of the theorem"
READ = ("certificate", "simplified", "flat", "original", "task", "plan", "accuracy", "files", "given")  # of `Result`


def verify(task: Task | Result, result: Result | None = None, *, progress: bool | None = None) -> VerificationReport:
    """Recompute every claim of `result.certificate` about pruning `task`, by full simulation.

    First all hashes, of circuits, task, plan, accuracy and every file that was read. Then every number that a claim
    rests on, from the circuits themselves: hashes made to fit do not help. What is only recorded, such as λ_k and r_k
    of a noise model, on which no bound depends, is named at the end of the report; what follows from them (Λ_k, κ, d_q,
    ε_k, Σ r) is recomputed. Beyond 8 qubits an observable is not diagonalised, and limits of its eigenvalues are the
    task's. Distances read on a noisy device are those of its states (T8), not of those found here: they may not hold.

    Args:
        task: The task that was pruned, or was given to absorb its last gates, as you know it; or the result alone, and
            its own original is then the task.
        result: What `prune` returned or `load` read.
        progress: Show a bar once the work has taken seconds; default: where a person watches.

    Raises:
        CertificateError: The certificate is damaged, or belongs to another circuit or task.
        CertificateViolation: A claim does not hold; the message says which, where, what is claimed and what was found.
        TaskError: The arguments are not a task and a result, or the statevectors do not fit into memory.

    Source: THEORY sections 3 and 5.

    Example:
        >>> import qprune
        >>> assert verify(qprune.prune(qprune.load_network("h2-vqe-4q")))
    """
    if result is None and all(hasattr(task, name) for name in READ):
        task, result = task.original, task  # type: ignore[union-attr, assignment]
    if not isinstance(task, Task) or result is None or not all(hasattr(result, name) for name in READ):
        raise TaskError(
            "verify takes the task that was pruned and what prune returned for it, got "
            f"{type(task).__name__} and {type(result).__name__}; of a pruned QNode call its own verify()"
        )
    hashes = [*check_hashes(task := pruned_task(task, result), result), *check_absorbed(result)]
    try:
        verifier = _Verifier(task, result, is_shown(progress))
        verifier.check_outputs()
        verifier.check_replacements()
        verifier.check_angles()
        verifier.check_bounds()
        verifier.check_holdout()
        verifier.checks += check_every_input(task, result, verifier.found.before, float(verifier.slack.max()))
        verifier.check_record()
    except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, QpruneError):
            raise
        raise damaged(repr(error)) from error
    return VerificationReport((*hashes, *verifier.checks), INFORMATIVE)


# -- claims -------------------------------------------------------------------------------------------------------


class _Verifier(Checks):
    """Simulates once, then compares claim after claim; stops at the first that does not hold."""

    def __init__(self, task: Task, result: Result, progress: bool) -> None:
        super().__init__()
        self.task, self.result, self.certificate = task, result, result.certificate
        self.circuit, self.pruned = result.simplified, result.task.circuit
        self.entries, self.options, self.seen = self.certificate.replaced, self.certificate.options, task.selected
        self.limit, self.simulator = self.options["limit"], self.options["simulator"]["name"]
        self.outputs = [f"output {name}" for name in task.output_names]
        self.samples = [f"sample {i}" for i in range(task.num_samples)]
        self.gates = [f"gate {e.site} ({e.gate} on {','.join(map(str, e.qubits))})" for e in self.entries]
        self.each = self.outputs, [self.samples[i] for i in self.seen]
        self.probabilities = task.probabilities[self.seen] / task.probabilities[self.seen].sum()
        scale = [1.0] if task.observables is None else [spectrum.weight for spectrum in task.spectra]
        self.check_form()
        self.spectra = [spectrum_of(task, r) for r in range(len(task.observables or ()))]
        self.by: Replacements = {
            e.site: None if e.matrix is None else np.array(e.matrix) @ np.array([1, 1j]) for e in self.entries
        }
        self.cones = light_cones(task, self.circuit, self.by)
        self.noise = self.check_noise()
        self.log_q = self.number("beta") * (1 - self.noise.accumulated[[entry.site for entry in self.entries]])
        weights = result.task.named_weights
        # On the task's own ensemble and outputs, so that a result cannot bring others
        circuits = task.with_circuit(self.circuit), task.with_circuit(result.task.circuit, weights)
        flat, width = task.with_circuit(result.flat), len(used_qubits(task, *circuits))
        run = simulate_wide if self.simulator == MPS and width > DENSE_WIDTH else simulate
        self.found = run(task, *circuits, self.by, self.cones, np.exp(-self.log_q), progress)
        self.flattened = run(task, flat, flat, {}, [()] * len(self.cones), np.zeros(0), progress).exact
        # A mean is a sum of 2^n terms, each rounded once; in matrix product states errors of the state count.
        eps = float(np.finfo(float).eps)
        own = 0.0 if run is simulate_wide else (64 + 2.0 ** (width - 1)) * eps
        error = self.check_expectations(own + (1 + len(result.flat.data)) * eps, width)
        # What is found may be off by the first. What the certificate claims may lie above the truth by the second, as
        # it allows for errors of its own; below by the first alone: no claimed error excuses a claim that is too small.
        self.slack = (SLACK + 4 * self.found.error) * np.array(scale)[:, None]
        self.loose = self.slack + 4 * error * np.array(scale)[:, None]
        # Likewise for angles, which go with the root of a mean's error.
        self.near = EXCESS + 4 * np.sqrt(2 * own) + self.found.gate_error
        self.excess = EXCESS + 4 * np.sqrt(2 * max(own, error)) + self.found.gate_error

    def number(self, option: str) -> float:
        """A finite number among the limit's fields, the simulator's or the other options."""
        places = (self.limit, self.options["simulator"], self.options)
        value = next((place[option] for place in places if option in place), None)
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else np.nan
        if not np.isfinite(number):
            raise damaged(f"option {option} must be a number, is {value!r}")
        return number

    def check_form(self) -> None:
        """Refuse entries that cannot be what they stand for, before anything is simulated."""
        certificate, shape = self.certificate, (len(self.outputs), len(self.seen))
        flags = [[True] * shape[1] if row is None else row for row in certificate.certified_predictions]
        for rows in (certificate.angle, certificate.bound, certificate.measured, flags):
            if [len(row) for row in rows] != [shape[1]] * shape[0] or certificate.outputs != self.task.output_names:
                raise damaged(f"its claims are not for {shape[0]} outputs and {shape[1]} samples like the task's")
        for circuit in (self.circuit, self.pruned):
            strange = {p.name for p in circuit.parameters} - {p.name for p in self.task.circuit.parameters}
            if strange or circuit.num_qubits != self.task.num_qubits:
                raise CertificateError("the result's circuits have other parameters or qubits than the task's")
        gates = [(item.operation.name, indices(self.circuit, item)) for item in self.circuit.data]
        sites = [entry.site for entry in self.entries]
        for entry, name in zip(self.entries, self.gates, strict=True):
            at, size = entry.site, 2 ** len(entry.qubits)
            if not 0 <= at < len(gates) or gates[at] != (entry.gate, entry.qubits) or sites.count(at) > 1:
                raise damaged(f"the simplified circuit has no {name}, or it is replaced twice")
            if entry.matrix is not None and np.shape(entry.matrix) != (size, size, 2):
                raise damaged(f"the representative of {name} must be a matrix of size {size}")
        if certificate.samples != tuple(self.seen) or set(certificate.samples) & set(self.task.heldout.tolist()):
            found = tuple(self.seen.tolist())
            raise CertificateViolation(f"samples of the selection: claimed {certificate.samples}, found {found}")
        self.checks.append(Check("samples of the selection", "comparison"))

    def check_noise(self) -> Noise:
        """λ_k and r_k by gate, as recorded or as a single λ makes them, and Λ_k and Σ r as they follow."""
        record, sizes = self.certificate.noise, [len(item.qubits) for item in self.circuit.data]
        ones = np.ones(len(sizes))
        if record is None:
            self.equal("λ without noise", "definition", self.number("coherence"), 1, 0)
            return Noise(0 * ones, ones)
        gates = [f"gate {k}" for k in range(len(sizes))]
        rows = [np.array(row) for row in (record.coherence, record.infidelity, record.accumulated)]
        if any(row.shape != ones.shape for row in rows) or not np.all((np.array(rows) >= 0) & (np.array(rows) <= 1)):
            raise damaged(f"its noise must be numbers in [0, 1] for {len(sizes)} gates")
        coherence, infidelity, accumulated = rows
        if self.options.get("coherence") is None:
            past = np.array([np.prod(coherence[list(cone)]) for cone in past_cones(self.circuit)])
        else:
            past = self.number("coherence") * ones
            self.equal("λ of a gate", "definition", past, coherence, SLACK, gates)
            saved = (1 - past) * (1 - 0.5 ** np.array(sizes))
            self.equal("infidelity of a gate", "definition", saved, infidelity, SLACK, gates)
        self.equal("Λ of a gate", "definition", past, accumulated, SLACK, gates)
        self.equal("noise infidelity Σ r", "sum", infidelity.sum(), record.totals[1], SLACK)
        if record.tried:
            best = min(record.tried, key=lambda pair: pair[1])[0]
            self.equal("budget of least predicted deviation", "comparison", best, self.number("budget"), 0)
        return Noise(infidelity, past)

    def check_expectations(self, rounding: float, width: int) -> float:
        """How far the certificate's own expectation values may be off, which the simulator that it names limits."""
        known = self.certificate.expectations
        limits = largest_errors(self.simulator, known, rounding, width, len(self.result.flat.data))
        if limits is None:
            raise damaged(f"unknown simulator {self.simulator!r}")
        for name, limit in limits.items():
            self.check(f"expectation values: {name}", FORMULA, getattr(known, name), limit, 0)
        least = 2 * known.truncation + np.finfo(float).eps
        self.check("expectation values: error, at least", FORMULA, least, known.error, 0)
        if known.failure:
            self.check("failure probability", "comparison", known.failure, self.number("delta"), 0)
        return known.error

    def check_outputs(self) -> None:
        """Deviations of every output, and that the circuit is what the replacements say."""
        found, measured, everywhere = self.found, self.found.measured[:, self.seen], (self.outputs, self.samples)
        self.equal("exact simplification", SIMULATED, found.exact, 0, self.slack, *everywhere)
        self.equal("circuit that the plan counts", SIMULATED, self.flattened, 0, self.slack, *everywhere)
        claimed = self.certificate.measured
        self.check("measured deviation", SIMULATED, measured, claimed, self.slack, *self.each, below=self.loose)
        self.check("bound on the deviation", SIMULATED, measured, self.certificate.bound, self.slack, *self.each)
        defects = [0.0 if m is None else np.max(np.abs(m.conj().T @ m - np.eye(len(m)))) for m in self.by.values()]
        self.equal("representative is unitary", "matrices", defects, 0, SLACK, self.gates)
        self.equal("rewriting", "matrices", found.rewriting, 0, self.slack, *everywhere)

    def check_replacements(self) -> None:
        """Distances, tolerances (T1), κ and angles of every replaced gate (section 3)."""
        entries, deformed = self.entries, f"D_η on {PREFIX}"
        distances, angle = self.found.deformed[:, self.seen], self.found.angle[:, self.seen]
        aggregate = self.limit.get("aggregate", "rms")
        if aggregate not in ("rms", "max"):
            raise damaged(f"unknown aggregate {aggregate!r}")
        distance = distances.max(axis=1) if aggregate == "max" else self.rms(distances)
        lows = [e.distance if e.distance_low is None else e.distance_low for e in entries]
        self.holds(
            "distances are intervals if measured",
            "comparison",
            self.certificate.expectations.estimates > 0 or all(e.distance_low is None for e in entries),
            "a lower limit is claimed, and nothing was measured",
        )
        highs = np.array([e.distance for e in entries])
        below = np.where([e.distance_low is None for e in entries], self.excess, self.near + highs - lows)
        self.check("q-overlap distance", deformed, distance, highs, self.near, self.gates, below=below)
        sizes, eta = np.array([len(e.qubits) for e in entries]), 1 / np.cosh(np.minimum(self.log_q, 700))
        kappa = (2 / (1 + eta)) ** (sizes / 2)
        self.equal("κ", "definition", kappa, [e.kappa for e in entries], SLACK, self.gates)
        limit = kappa[:, None] * distances
        self.check("d_1 ≤ κ d_q", PREFIX, 2 * np.sin(angle / 2), limit, SLACK, self.gates, self.each[1])
        claimed = [np.inf if e.tolerance is None else e.tolerance for e in entries]
        if not np.all(np.isinf(claimed) == (self.limit.get("tolerance") is None)):
            raise damaged("tolerances of gates do not fit the option tolerance")
        if self.limit.get("tolerance") is not None:
            tolerance = self.tolerances([entry.site for entry in entries])
            self.equal("tolerance of a gate", "definition", tolerance, claimed, SLACK, self.gates)
            self.check("distance in tolerance (T1)", deformed, distance, tolerance, self.near, self.gates)
        largest, claimed, near = angle.max(axis=1), [e.largest_angle for e in entries], SLACK + self.found.gate_error
        self.check("largest angle of a gate", PREFIX, largest, claimed, near, self.gates, below=self.excess)

    def tolerances(self, sites: list[int]) -> FloatArray:
        """ε_k by definition: of what is saved as infidelity, or with shots of their error (section 6)."""
        base, gamma, shots = self.number("tolerance"), self.number("gamma"), self.options.get("shots")
        if shots is None:
            return np.sqrt(base**2 + gamma * self.noise.infidelity[sites])
        record = self.certificate.noise
        contrast = 1.0 if record is None or record.at_shots is None else record.at_shots.contrast[0]
        coherence = np.ones(len(self.circuit.data)) if record is None else np.array(record.coherence)
        with np.errstate(divide="ignore", invalid="ignore"):
            saved = (1 - coherence[sites] ** 2) / (4 * contrast**2 * shots)
        return np.minimum(np.sqrt(base**2 + gamma * np.nan_to_num(saved, nan=2.0, posinf=2.0)), np.sqrt(2))

    def rms(self, values: FloatArray) -> FloatArray:
        return np.sqrt(values**2 @ self.probabilities)

    def check_angles(self) -> None:
        """Θ, the mean over the ensemble and the closed form (T2)."""
        angle, state = self.found.angle[:, self.seen], self.found.state[:, self.seen]
        doubt = SLACK + self.found.gate_error.sum()
        theta, total = np.array(self.certificate.angle), np.minimum(np.array(self.cones) @ angle, pi / 2)
        # Windows (T6) may fall below the sum of angles, but no claim may fall below the angle of the states.
        if not self.limit.get("window"):
            self.check("Θ ≥ sum of angles (T2)", PREFIX, total, theta, doubt, *self.each)
        doubt = SLACK + self.found.angle_error
        self.check("Θ ≥ angle of the states", SIMULATED, state[1:], theta, doubt, *self.each)
        self.check("Θ ≤ π/2", "comparison", theta, pi / 2, SLACK, *self.each)
        mean, claimed = self.rms(2 * np.sin(state[0] / 2)), self.certificate.mean_state_error
        self.check("mean state error by the replacements", SIMULATED, mean, claimed, doubt)
        over_gates, doubt = self.rms(2 * np.sin(angle / 2)).sum(), SLACK + self.found.gate_error.sum()
        self.check("… as a sum over gates (T2)", PREFIX, over_gates, claimed, doubt)
        if (closed := self.certificate.angle_from_tolerances) is None:
            return
        if self.entries and (self.limit.get("aggregate") != "max" or self.limit.get("tolerance") is None):
            raise CertificateViolation("angle from tolerances: claimed without a tolerance and the aggregate 'max'")
        chords = np.array([e.kappa * (e.tolerance or 0) / 2 for e in self.entries])
        formula = min(pi / 2, 2 * np.arcsin(np.minimum(1, chords)).sum())
        self.equal("angle from tolerances", FORMULA, formula, closed, SLACK)
        slack = np.max(self.near, initial=0) * (1 + len(self.entries))
        self.check("… as an upper limit", PREFIX, total, closed, slack, *self.each)

    def check_bounds(self) -> None:
        """Bounds and certified predictions that Θ allows (T2, T4), and the budget."""
        certificate, theta = self.certificate, np.array(self.certificate.angle)
        if self.task.observables is None:
            self.check("bound from Θ (T2)", FORMULA, np.sin(theta), certificate.bound, self.slack, *self.each)
        for r, flags in enumerate(certificate.certified_predictions):
            spectrum = self.spectra[r] if self.spectra else None
            if flags is not None and not (spectrum and spectrum.predicts_sign):
                raise CertificateViolation(f"certified predictions: {self.outputs[r]} is not ±r, it predicts no sign")
            if spectrum is None:
                continue
            slack, here = self.slack[r], [f"{self.outputs[r]}, {name}" for name in self.each[1]]
            mean, spread = self.found.before[r, self.seen], self.found.spread[r, self.seen]
            needed = needed_bound(theta[r], mean, spread, spectrum)
            self.check("bound from Θ (T2)", spectrum.how, needed, certificate.bound[r], slack, here)
            if flags is not None:
                # The least that sign⟨O⟩·⟨O⟩ can become within Θ, and what it is in the pruned circuit
                sign, after = mean - spectrum.middle, self.found.after[r, self.seen] - spectrum.middle
                least = spectrum.radius * np.cos(np.minimum(np.arctan2(spread, np.abs(sign)) + 2 * theta[r], pi))
                became = np.sign(sign) * after
                for claim, how, value in (("(T4)", FORMULA, least), ("not flipped", SIMULATED, became)):
                    self.check(f"certified predictions {claim}", how, np.where(flags, -value, -np.inf), 0, slack, here)
        judged = LIMITS.get(self.limit["name"])
        budgeted = self.limit["name"] in BUDGETED or self.limit.get("budget") is not None
        if budgeted and judged != "every_input":  # which `check_every_input` holds
            what = "bound" if judged == "bound" else "measured"
            within, budget = getattr(certificate, what), self.number("budget")
            self.check(f"{what} in budget", "comparison", within, budget, self.slack, *self.each)
            found = self.found.measured[:, self.seen]
            self.check("deviation in budget", SIMULATED, found, budget, self.slack, *self.each)

    def check_holdout(self) -> None:
        """T5 anew, from samples that selection never saw."""
        claim, held = self.certificate.holdout, self.task.heldout
        if claim is None:
            return
        if claim.samples != len(held) or not len(held) or not 0 < claim.delta < 1:
            claimed = f"{claim.samples} samples, δ = {claim.delta}"
            raise CertificateViolation(f"hold-out: claimed {claimed}; found {len(held)} samples")
        values, slack, loose = self.found.measured[:, held].max(axis=0), self.slack.max(), self.loose.max()
        self.check("hold-out: mean deviation", SIMULATED, values.mean(), claim.mean, slack, below=loose)
        self.check("hold-out: largest deviation", SIMULATED, values.max(), claim.largest, slack, below=loose)
        ceiling = max((s.high - s.low for s in self.spectra), default=1.0)
        size, term = len(held), log(2 / claim.delta)  # two limits, so each may fail with half of δ
        hoeffding = ceiling * sqrt(term / (2 * size))
        term += log(2)
        deviation = values.std(ddof=1) if size > 1 else np.inf
        bernstein = deviation * sqrt(2 * term / size) + 7 * ceiling * term / (3 * max(1, size - 1))
        upper = min(ceiling, values.mean() + min(hoeffding, bernstein))
        self.check("hold-out: expected deviation (T5)", FORMULA, upper, claim.expected_upper, slack)
        if (claim.flips is None) != (claim.flip_rate_upper is None):
            raise CertificateViolation("hold-out: flips are claimed without their rate, or the rate without them")
        if claim.flips is None or claim.flip_rate_upper is None:
            return
        signed = [r for r, s in enumerate(self.spectra) if s.predicts_sign]
        if not signed:
            raise CertificateViolation("hold-out: flips are claimed, but no output is ±r")
        middles = np.array([[self.spectra[r].middle] for r in signed])
        before, after = (side[signed][:, held] - middles for side in (self.found.before, self.found.after))
        # The sign of a mean that is zero up to rounding is not defined: such a sample may be counted or not.
        smallest, differs = np.minimum(np.abs(before), np.abs(after)), np.sign(before) != np.sign(after)
        least = (differs & (smallest > slack)).any(axis=0).sum()
        most = (differs | (smallest <= loose)).any(axis=0).sum()
        self.equal("hold-out: flips", SIMULATED, np.clip(claim.flips, least, most), claim.flips, 0)
        from scipy.stats import binomtest  # takes half a second, and few results have a hold-out

        rate = binomtest(claim.flips, size, alternative="less").proportion_ci(1 - claim.delta, method="exact").high
        self.check("hold-out: flip rate (T5)", "SciPy's binomial test", rate, claim.flip_rate_upper, SLACK)

    def check_record(self) -> None:
        """Options, plan and accuracy against the circuits and what was found."""
        check_options(self, self.task, self.result)
        check_plan(self, self.task, self.result)
        means, doubt = None, self.loose
        if self.task.observables is not None:  # classes are told by ⟨O⟩ itself, with the identity's part
            centres = np.array([[spectrum.centre] for spectrum in self.task.spectra])
            means = self.found.before + centres, self.found.after + centres
            doubt = self.loose + 2 * np.finfo(float).eps * np.abs(centres)  # the sum rounds, here and there
        check_accuracy(self, self.task, self.result.accuracy, means, doubt)
        if self.limit["name"] == "accuracy" and means is not None:
            check_fall(self, self.task, self.number("loss"), means, doubt)
