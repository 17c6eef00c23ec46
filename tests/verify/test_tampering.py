"""Every single claim, tampered with, is caught by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from honest_results import ansatz, forged, network, pruned, rows, with_entry
from qiskit.quantum_info import Statevector

from qprune import (
    CertificateError,
    CertificateViolation,
)
from qprune.results.certificate import Certificate
from qprune.results.hashes import circuit_hash, task_hash
from qprune.results.result import recorded
from qprune.verify import states as simulation
from qprune.verify.check import verify

# -- tampering ----------------------------------------------------------------------------------------------------

TINY = 3e-6  # more than any rounding that is allowed for


def moved(field, by, r=0, i=3):
    """Shift one entry of a matrix."""

    def tamper(result):
        matrix = np.array(getattr(result.certificate, field))
        matrix[r, i] += by
        return forged(result, **{field: rows(matrix)})

    return tamper


def scaled(field, factor):
    return lambda result: forged(result, **{field: rows(factor * np.array(getattr(result.certificate, field)))})


def entry(**changes):
    """Change the first replacement; callables get the old value."""

    def tamper(result):
        first = result.certificate.replaced[0]
        values = {k: v(getattr(first, k)) if callable(v) else v for k, v in changes.items()}
        return with_entry(result, replace(first, **values))

    return tamper


def setting(**changes):
    """Options as they were not: of the limit, or else of what all limits have in common."""

    def tamper(result):
        options = dict(result.certificate.options)
        common = {name: value for name, value in changes.items() if name in options}
        limit = options["limit"] | {name: value for name, value in changes.items() if name not in options}
        return forged(result, options=options | common | {"limit": limit})

    return tamper


def noise_of(options, **changes):
    """The result of other options, with its record of the noise changed: numbers are those of the first gate."""

    def tamper(_):
        result = pruned(options)
        noise = result.certificate.noise
        entries = {
            name: change(getattr(noise, name)) if callable(change) else (change, *getattr(noise, name)[1:])
            for name, change in changes.items()
        }
        return forged(result, noise=replace(noise, **entries))

    return tamper


def expected(**changes):
    return lambda result: forged(result, expectations=replace(result.certificate.expectations, **changes))


def number(field, by):
    return lambda result: forged(result, **{field: getattr(result.certificate, field) + by})


def held_out(**changes):
    def tamper(result):
        claim = result.certificate.holdout
        values = {k: v(getattr(claim, k)) if callable(v) else v for k, v in changes.items()}
        return forged(result, holdout=replace(claim, **values))

    return tamper


def drop_a_replacement(result):
    return replace(result, certificate=replace(result.certificate, replaced=result.certificate.replaced[1:]))


def replace_twice(result):
    entries = result.certificate.replaced
    return replace(result, certificate=replace(result.certificate, replaced=(*entries, entries[0])))


def certify_everything(result):
    flags = [None if row is None else (True,) * len(row) for row in result.certificate.certified_predictions]
    return forged(result, certified_predictions=tuple(flags))


def certify_a_sum(result):
    flags = list(result.certificate.certified_predictions)
    flags[1] = (False,) * len(result.certificate.samples)
    return forged(result, certified_predictions=tuple(flags))


def other_representative(result):
    """The first replaced one-qubit gate is said to have become a tiny rotation."""
    at, first = next((j, e) for j, e in enumerate(result.certificate.replaced) if len(e.qubits) == 1)
    matrix = np.diag(np.exp([1e-3j, -1e-3j]))
    return with_entry(result, replace(first, matrix=as_entries(matrix)), at)


def not_unitary(result):
    first = result.certificate.replaced[0]
    return with_entry(result, replace(first, matrix=as_entries(np.eye(2 ** len(first.qubits)) * 1.001)))


def as_entries(matrix):
    return tuple(tuple((float(x.real), float(x.imag)) for x in row) for row in matrix.astype(complex))


def tighter_tolerance(result):
    """A tolerance that is consistent everywhere, but that the distances do not keep."""
    certificate, gamma = result.certificate, result.certificate.options["gamma"]
    assert certificate.options["coherence"] == 1
    assert gamma >= 0
    small = max(e.distance for e in certificate.replaced) - TINY
    entries = tuple(replace(e, tolerance=small) for e in certificate.replaced)
    return setting(tolerance=small)(forged(result, replaced=entries))


def circuit_without_last_gate(result):
    shorter = result.circuit.copy()
    shorter.data.pop()
    return shorter


def other_pruned_circuit(result):
    return replace(result, task=result.task.with_circuit(circuit_without_last_gate(result)))


def other_pruned_circuit_and_hash(result):
    forgery = other_pruned_circuit(result)
    return forged(recorded(forgery), pruned_hash=circuit_hash(forgery.circuit))


def everything_but_the_replacements(result):
    """A gate more is gone, and what can be measured is recorded faithfully; only the list of replacements lies."""
    forgery, task = other_pruned_circuit_and_hash(result), network()
    after = [forgery.task.with_circuit(forgery.circuit).bound_circuit(i) for i in range(task.num_samples)]
    outputs = simulation._Outputs(task, list(range(4)))
    values = [
        [outputs.of(Statevector(circuit).data)[0] for circuit in (task.bound_circuit(i), after[i])]
        for i in range(task.num_samples)
    ]
    measured = np.array([np.abs(b - a) for a, b in values]).T[:, task.selected]
    bound = np.maximum(np.array(result.certificate.bound), measured)
    return forged(forgery, measured=rows(measured), bound=rows(bound))


def other_simplified_circuit(result):
    longer = result.simplified.copy()
    longer.rx(0.1, 3)
    return replace(result, simplified=longer)


def other_simplified_circuit_and_hash(result):
    forgery = other_simplified_circuit(result)
    return forged(forgery, simplified_hash=circuit_hash(forgery.simplified))


def other_weights_in_the_result(result):
    weights = {p.name: v + 0.01 for p, v in zip(result.task.weight_params, result.weights.tolist(), strict=True)}
    return recorded(replace(result, task=result.task.with_circuit(result.circuit, weights)))


VIOLATIONS = {
    "measured": (moved("measured", TINY), "measured deviation does not hold at output ZIII, sample"),
    "measured 2": (moved("measured", -TINY, 2), "measured deviation does not hold at output IIYZ, sample"),
    "bound far too small": (scaled("bound", 0), "bound on the deviation does not hold .* claimed at most 0, found"),
    "bound below proof": (scaled("bound", 1 - 1e-4), "bound from Θ"),
    "one bound below proof": (moved("bound", -TINY), "bound from Θ"),
    "bound of a sum": (moved("bound", -TINY, 1), "bound from Θ .* 3 terms|bound from Θ .* at output \\+0.7·IXYI"),
    "angle": (moved("angle", -TINY), "Θ ≥ angle of the states does not hold at output ZIII, sample"),
    "angle of all": (scaled("angle", 0.5), "Θ ≥ angle of the states"),
    "angle folded": (moved("angle", np.pi), "Θ ≤ π/2"),
    "gate's angle": (entry(largest_angle=lambda a: a - TINY), "largest angle of a gate does not hold at gate 1 "),
    "gate's angle 2": (entry(largest_angle=lambda a: a - 1e-7), "largest angle of a gate does not hold"),
    "gate's angle 3": (entry(largest_angle=lambda a: a + TINY), "largest angle of a gate"),
    "distance": (entry(distance=lambda d: d + TINY), "q-overlap distance does not hold at gate 1 "),
    "distance 2": (entry(distance=lambda d: d - TINY), "q-overlap distance"),
    "λ": (setting(coherence=0.5), "λ without noise"),
    "λ of a gate": (noise_of("noise", coherence=0.9), "λ of a gate"),
    "r of a gate": (noise_of("noise", infidelity=0.3), "infidelity of a gate"),
    "Λ of a gate": (noise_of("noise", accumulated=0.9), "Λ of a gate"),
    "λ of a device's gate": (noise_of("device", coherence=0.9), "Λ of a gate"),
    "r of a device's gate": (noise_of("device", infidelity=0.3), "noise infidelity"),
    "Σ r": (noise_of("device", totals=lambda t: (t[0], t[1] + TINY, t[2])), "noise infidelity"),
    "Λ of a device's gate": (noise_of("device", accumulated=0.9), "Λ of a gate"),
    "aggregate": (setting(aggregate="rms"), "q-overlap distance"),
    "κ": (entry(kappa=lambda k: k - TINY), "κ does not hold"),
    "gate's tolerance": (entry(tolerance=0.2), "tolerance of a gate"),
    "tolerance": (setting(tolerance=0.1), "tolerance of a gate"),
    "tolerance kept": (tighter_tolerance, r"distance in tolerance \(T1\) does not hold at gate"),
    "budget": (lambda _: setting(budget=0.01)(pruned("budget")), "bound in budget"),
    "verified budget": (lambda _: setting(budget=1e-4)(pruned("verified")), "measured in budget"),
    "representative": (other_representative, "rewriting|q-overlap distance"),
    "not unitary": (not_unitary, "representative is unitary"),
    "replacement left out": (drop_a_replacement, "rewriting"),
    "predictions": (certify_everything, r"certified predictions \(T4\) does not hold at output"),
    "predictions of a sum": (certify_a_sum, "is not ±r"),
    "mean state error": (number("mean_state_error", -TINY), "… as a sum over gates"),
    "mean state error 0": (lambda r: forged(r, mean_state_error=0.0), "mean state error"),
    "closed form": (number("angle_from_tolerances", -TINY), "angle from tolerances does not hold"),
    "closed form without max": (
        lambda r: forged(pruned("tolerance"), angle_from_tolerances=1.0),
        "angle from tolerances: claimed without",
    ),
    "samples": (lambda r: forged(r, samples=tuple(range(12))), "samples of the selection"),
    "hold-out mean": (held_out(mean=lambda v: v - TINY), "hold-out: mean"),
    "hold-out largest": (held_out(largest=lambda v: v - TINY), "hold-out: largest"),
    "hold-out limit": (held_out(expected_upper=lambda v: v - TINY), "hold-out: expected deviation"),
    "hold-out flips": (held_out(flips=lambda v: v + 1), "hold-out: flips"),
    "hold-out rate": (held_out(flip_rate_upper=lambda v: v - TINY), "hold-out: flip rate"),
    "hold-out samples": (held_out(samples=40), "hold-out: claimed 40 samples"),
    "hold-out confidence": (held_out(delta=1e-6), "hold-out: expected deviation"),
    "hold-out delta": (held_out(delta=0.0), "hold-out: claimed"),
    "another pruned circuit": (other_pruned_circuit_and_hash, "measured deviation|rewriting"),
    "a gate more is gone": (everything_but_the_replacements, "rewriting does not hold"),
    "another simplified circuit": (other_simplified_circuit_and_hash, "exact simplification does not hold"),
    "weights of the result": (other_weights_in_the_result, "measured deviation"),
}


@pytest.mark.thinned(4)
@pytest.mark.parametrize("name", VIOLATIONS)
def test_false_claim(name):
    tamper, message = VIOLATIONS[name]
    with pytest.raises(CertificateViolation, match=message) as caught:
        verify(network(), tamper(pruned()))
    assert len(str(caught.value).splitlines()) == 1


DAMAGE = {
    "pruned circuit": (other_pruned_circuit, "hash of the pruned circuit differs"),
    "simplified circuit": (other_simplified_circuit, "hash of the simplified circuit differs"),
    "original hash": (lambda r: forged(r, original_hash="0" * 64), "hash of the task's circuit differs"),
    "task hash": (lambda r: forged(r, task_hash="0" * 64), "another task"),
    "outputs": (lambda r: forged(r, outputs=("ZIII",)), "damaged: its claims are not for 1 outputs"),
    "rows": (lambda r: forged(r, bound=r.certificate.bound[:2]), "damaged: its claims"),
    "columns": (lambda r: forged(r, angle=tuple(row[1:] for row in r.certificate.angle)), "damaged: its claims"),
    "predictions": (lambda r: forged(r, certified_predictions=((True,), None, None)), "damaged: its claims"),
    "no such gate": (entry(site=1000), "has no gate 1000"),
    "another gate": (entry(gate="swap"), "has no gate "),
    "other qubits": (entry(qubits=(1,)), "has no gate "),
    "twice": (replace_twice, "replaced twice"),
    "size of a matrix": (entry(matrix=as_entries(np.eye(8))), "must be a matrix of size"),
    "option missing": (
        lambda r: forged(r, options={"limit": {"name": "threshold"}, "simulator": {"name": "statevector"}}),
        "option coherence must be a number",
    ),
    "noise of fewer gates": (noise_of("device", coherence=lambda row: row[1:]), "numbers in"),
    "noise out of range": (noise_of("device", infidelity=-0.1), "damaged: Expected `float` >= 0.0"),
    "measured nan": (moved("measured", np.nan), "damaged, it holds a number that is none"),
    "bound infinite": (moved("bound", np.inf), "damaged, it holds a number that is none"),
    "error infinite": (expected(error=np.inf), "damaged, it holds a number that is none"),
    "option nan": (setting(budget=np.nan), "damaged, it holds a number that is none"),
    "simulator": (setting(simulator={"name": "anything"}), "unknown simulator 'anything'"),
    "option": (setting(beta="large"), "option beta must be a number, is 'large'"),
    "unknown limit": (setting(name="total"), "unknown limit 'total'"),
    "limit on something else": (setting(judged_by="every_input"), "is on 'bound', not 'every_input'"),
    "limit with a budget": (setting(budget=0.5), "the limit 'threshold' has no budget"),
    "aggregate": (setting(aggregate="mean"), "unknown aggregate 'mean'"),
    "tolerances": (setting(tolerance=None), "do not fit the option tolerance"),
    "not numbers": (entry(distance="near"), "damaged"),
    "nothing": (lambda r: forged(r, angle=None), "damaged"),
}


@pytest.mark.thinned(5)
@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_or_of_another(name):
    tamper, message = DAMAGE[name]
    with pytest.raises(CertificateError, match=message):
        verify(network(), tamper(replace(pruned(), certificate=pruned().certificate)))


def test_of_another_circuit():
    with pytest.raises(CertificateError, match="another circuit: the hash of the task's circuit"):
        verify(ansatz(), pruned())


@pytest.mark.parametrize("change", ["weights", "inputs", "probabilities", "selected"])
def test_of_another_task(change):
    task = network()
    swapped = np.arange(len(getattr(task, change)))
    swapped[:2] = 1, 0
    ensemble = {"probabilities": task.probabilities, "holdout": task.heldout, "labels": task.labels}
    if change == "weights":
        task = task.with_weights(task.weights[swapped])
    elif change == "inputs":
        task = task.with_inputs(task.inputs[swapped], **ensemble)
    elif change == "probabilities":
        task = task.with_inputs(task.inputs, **ensemble | {"probabilities": task.probabilities[swapped]})
    else:
        task = task.with_inputs(task.inputs, **ensemble | {"holdout": [*task.selected[:1], *task.heldout[1:]]})
    assert task_hash(task) != task_hash(network())
    with pytest.raises(CertificateError, match="another task"):
        verify(task, pruned())


def test_weaker_claims_are_still_true():
    """Certificates may be modest: no hold-out, larger bounds and angles, fewer certified predictions."""
    result, certificate = pruned(), pruned().certificate
    modest = forged(
        result,
        holdout=None,
        angle=rows(np.minimum(np.array(certificate.angle) * 1.01, np.pi / 2)),
        bound=rows(np.array(certificate.bound) * 2 + 1),
        certified_predictions=(None, None, (False,) * len(certificate.samples)),
        mean_state_error=certificate.mean_state_error + 1,
        angle_from_tolerances=None,
        versions={"qprune": "0"},
    )
    assert verify(network(), modest).checks
    assert verify(network(), forged(result, **vars(Certificate.from_json(certificate.to_json())))).checks


def test_probabilities():
    task, result = network("probabilities"), pruned(outputs="probabilities")
    with pytest.raises(CertificateViolation, match=r"bound from Θ .* at output probabilities"):
        verify(task, moved("bound", -TINY)(result))
    with pytest.raises(CertificateViolation, match="measured deviation"):
        verify(task, moved("measured", TINY)(result))
    with pytest.raises(CertificateViolation, match="predicts no sign"):
        verify(task, forged(result, certified_predictions=((False,) * len(result.certificate.samples),)))
    with pytest.raises(CertificateViolation, match="no output is ±r"):
        verify(task, held_out(flips=0, flip_rate_upper=1.0)(result))


def test_without_windows_the_sum_of_angles_counts():
    task, result = network(), pruned("sum of angles")
    assert result.certificate.options["limit"]["window"] == 0
    with pytest.raises(CertificateViolation, match=r"Θ ≥ sum of angles \(T2\)"):
        verify(task, moved("angle", -TINY)(result))
