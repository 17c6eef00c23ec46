"""No field of a saved result can be changed unnoticed; who mends all hashes is caught by what is recomputed.

The forgeries are those of `mutations.py`, which knows nothing of what fields mean.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from mutations import applied, is_noticed, mutations, one_of_each
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qprune import (
    CertificateError,
    CertificateViolation,
    Measured,
    Proven,
    Task,
    Threshold,
    calibrate,
    load,
    prune,
    save,
    verify,
)
from qprune.errors import BundleError
from qprune.results.certificate import Certificate
from qprune.results.manifest import seal
from qprune.results.result import recorded


@cache
def small():
    """Two qubits, labels, a hold-out: every kind of field, and verified in a tenth of a second."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 5)
    circuit = QuantumCircuit(2)
    for q in range(2):
        circuit.ry(x[q], q)
    circuit.rz(w[0], 0)
    circuit.rx(w[1], 1)
    circuit.rzz(w[2], 0, 1)
    circuit.cx(0, 1)
    circuit.ry(w[3], 0)
    circuit.rx(w[4] + 0.01, 1)
    return Task(
        circuit,
        ["ZI", "IZ"],
        inputs=np.random.default_rng(1).uniform(-1, 1, (6, 2)),
        input_params=list(x),
        weights=[0.02, 0.3, 0.04, 0.8, 0.01],
        labels=[0, 1, 1, 0, 1, 0],
        holdout=0.34,
        seed=1,
    )


MORE, SHARE = (8, 1) if os.environ.get("QPRUNE_SOAK") else (1, 6)
ASKED = {
    "threshold": {"limit": Threshold(0.1, aggregate="max")},
    "refit": {"limit": Measured(0.05, refit=True)},
    "noise": {"limit": Proven(0.2), "noise": calibrate("FakeManilaV2", beta=3.0, gamma=0.5)},
}


@cache
def pruned(asked="threshold"):
    return prune(small(), **ASKED[asked])


@pytest.fixture
def folder(request, tmp_path):
    save(pruned(getattr(request, "param", "threshold")), tmp_path / "result", drawings=False)
    return tmp_path / "result"


def sample(folder, count, seed=0):
    """Kinds of changes of every file once, under `make soak` all of them, and so many others at random."""
    kinds = one_of_each(mutations(folder), key=lambda m: (m.file, m.change.split(" of byte")[0]))
    kinds = kinds[seed % SHARE :: SHARE]
    others = one_of_each(mutations(folder))
    chosen = np.random.default_rng(seed).choice(len(others), min(count, len(others)), replace=False)
    return [*kinds, *(others[k] for k in chosen)]


@pytest.mark.filterwarnings("ignore:.*encountered in multiply:RuntimeWarning")  # Qiskit's, of forged coefficients
@pytest.mark.parametrize("folder", ASKED, indirect=True)
def test_every_change_is_noticed(folder):
    assert not is_noticed(folder)
    unnoticed = []
    for mutation in sample(folder, 25 * MORE):
        with applied(folder, mutation):
            unnoticed += [] if is_noticed(folder) else [str(mutation)]
    assert not unnoticed, "\n".join(unnoticed)
    assert not is_noticed(folder)


# What a forger who mends the hashes may still change: how the result was looked for, where it came from, how it was
# written, and claims made weaker than they could be. By file the beginnings of the fields.
FREE = {
    "certificate.json": (
        *("options.strategy", "options.seed", "options.costs", "options.representatives", "options.prune_encoding"),
        *(
            "options.resynthesis",
            "options.couplings",
            "options.form",
            "options.limit.window",
            "options.limit.refit",
            "options.beta",
            "options.gamma",
        ),
        *("noise.source", "noise.layout", "noise.noiseless", "noise.predicted", "noise.totals", "noise.tried"),
        *("noise.at_shots", "options.shots", "options.limit.shots"),
        *("noise.coherence", "noise.infidelity", "noise.accumulated"),
        *(f"every_input.outputs[].{name}" for name in ("runs", "cells", "method", "rounding", "certain_share")),
        *("replaced[].subgroup", "replaced[].origins", "versions", "files", "sha256"),
    ),
    "plan.json": ("holdout[]",),
    # Names of circuits and registers, and final measurements beside observables: no claim speaks of them.
    **dict.fromkeys(
        ("flat.json", "simplified.json", "original/circuit.json", "pruned/circuit.json"),
        ("name", "registers", "measured"),
    ),
}
WEAKER = {
    *("bound[][]", "certified_predictions[]", "certified_predictions[][]", "holdout", "mean_state_error"),
    *("angle[][]", "angle_from_tolerances", "holdout.expected_upper", "holdout.flip_rate_upper", "holdout.delta"),
    *("every_input", "every_input.outputs[].upper", "every_input.outputs[].lower"),
    *("options.limit.budget", "replaced", "options", "options.limit", "options.simulator"),
}


def is_free(mutation):
    if not mutation.field:
        return mutation.file.endswith(".json")
    fields = FREE.get(mutation.file, ())
    return mutation.field.startswith(fields) or (mutation.file == "certificate.json" and mutation.field in WEAKER)


@pytest.mark.parametrize("folder", ASKED, indirect=True)
def test_mending_the_hashes_does_not_help(folder):
    unnoticed = []
    for mutation in sample(folder, 10 * MORE):
        if not is_free(mutation):
            with applied(folder, mutation, reseal=True):
                unnoticed += [] if is_noticed(folder) else [str(mutation)]
    assert not unnoticed, "\n".join(unnoticed)


# -- who mends the hashes of the records too -----------------------------------------------------------------------


def with_plan(change):
    def forge(result):
        return replace(result, plan=tuple(change(entry) for entry in result.plan))

    return forge


def options(**changes):
    def forge(result):
        asked = result.certificate.options
        within = {name: value for name, value in changes.items() if name in asked["limit"]}
        told = asked | {"limit": asked["limit"] | within} | {n: v for n, v in changes.items() if n not in within}
        return replace(result, certificate=replace(result.certificate, options=told))

    return forge


def expectations(**changes):
    def forge(result):
        known = replace(result.certificate.expectations, **changes)
        return replace(result, certificate=replace(result.certificate, expectations=known))

    return forge


def another_simulator(result):
    """The old trick: a simulator nobody knows, errors of everything, and nothing measured."""
    forged = expectations(error=2.0, truncation=1.0)(options(simulator={"name": "anything"})(result))
    nothing = tuple(tuple(0.0 for _ in row) for row in forged.certificate.measured)
    return replace(forged, certificate=replace(forged.certificate, measured=nothing))


def claimed_errors(simulator, **known):
    def forge(result):
        forged = expectations(**known)(options(simulator=simulator)(result))
        nothing = tuple(tuple(0.0 for _ in row) for row in forged.certificate.measured)
        certificate = replace(forged.certificate, measured=nothing, holdout=None)
        return replace(forged, certificate=certificate)

    return forge


def labels_swapped(result):
    task = result.original
    other = task.with_inputs(
        task.inputs, probabilities=task.probabilities, labels=1 - task.labels, holdout=task.holdout, seed=task.seed
    )
    return replace(result, original=other)


def other_flat(result):
    circuit = result.flat.copy()
    circuit.data[3] = circuit.data[3].replace(operation=circuit.data[3].operation.inverse())
    return replace(result, flat=circuit)


RECORDS = {
    "accuracy": (lambda r: replace(r, accuracy=(r.accuracy[0], 1.0)), "accuracy before and after"),
    "accuracy before": (lambda r: replace(r, accuracy=(1.0, r.accuracy[1])), "accuracy before and after"),
    "no accuracy": (lambda r: replace(r, accuracy=None), "accuracy is None"),
    "actions": (with_plan(lambda e: replace(e, action="keep")), "plan: "),
    "an action that there is not": (with_plan(lambda e: replace(e, action="hide")), "plan: actions"),
    "roles": (with_plan(lambda e: replace(e, role="fixed")), "plan: gates, qubits and roles"),
    "names": (with_plan(lambda e: replace(e, gate="x")), "plan: gates, qubits and roles"),
    "qubits": (with_plan(lambda e: replace(e, qubits=(0,))), "plan: gates, qubits and roles"),
    "fixes": (with_plan(lambda e: replace(e, fixes=("w[0]",))), "plan: weights that became numbers"),
    "a plan of nothing": (lambda r: replace(r, plan=()), "plan: gates, qubits and roles"),
    "representative in the plan": (with_plan(lambda e: replace(e, detail="h")), "plan: what was replaced"),
    "flat circuit": (other_flat, "circuit that the plan counts"),
    "simulator": (another_simulator, "unknown simulator"),
    "errors": (expectations(error=2.0), "expectation values: error"),
    "truncation": (expectations(truncation=0.01), "expectation values: truncation"),
    "matrix product states": (
        claimed_errors({"name": "matrix_product_state"}, error=0.08 + 1e-12, truncation=0.04),
        "measured deviation",
    ),
    "a device": (
        claimed_errors({"name": "on_device", "estimator": "E", "delta": 0.05}, error=2.0, estimates=10, failure=0.05),
        "measured deviation",
    ),
    "more truncation than there can be": (
        claimed_errors({"name": "matrix_product_state"}, error=1.8 + 1e-12, truncation=0.9),
        "expectation values: truncation",
    ),
    "an unknown limit": (
        lambda r: options(limit=dict(r.certificate.options["limit"], name="trust"))(r),
        r"unknown limit 'trust'",
    ),
    "a negative tolerance": (options(tolerance=-0.1), "option tolerance cannot be"),
    "seed": (options(seed=-1), "option seed cannot be"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_recomputed(name):
    forge, words = RECORDS[name]
    with pytest.raises((CertificateError, CertificateViolation), match=words):
        verify(small(), recorded(forge(pruned())))


@pytest.mark.parametrize("name", ["accuracy", "actions", "flat circuit"])
def test_records_are_those_certified(name):
    with pytest.raises(CertificateError, match="is not what was certified"):
        verify(small(), RECORDS[name][0](pruned()))


def test_labels_belong_to_the_task():
    with pytest.raises(CertificateError, match="belongs to another task: inputs, labels"):
        verify(labels_swapped(pruned()))


def test_encoding_gates_go_only_where_they_may():
    result = prune(small(), Threshold(1.4), prune_encoding=True)
    assert verify(result).checks
    with pytest.raises(CertificateViolation, match="gates with inputs stay"):
        verify(options(prune_encoding=False)(result))


def test_weights_move_only_in_refit():
    result = prune(small(), Measured(0.3, refit=True))
    before = dict(zip([p.name for p in small().weight_params], small().weights, strict=True))
    assert any(before[p.name] != v for p, v in zip(result.task.weight_params, result.weights, strict=True))
    assert verify(result).checks
    with pytest.raises(CertificateViolation, match=r"weights stay|gates only go"):
        verify(options(refit=False)(result))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -1.0])
@pytest.mark.parametrize("field", ["measured", "bound", "angle"])
def test_no_number_that_is_none(field, value):
    rows = [list(row) for row in getattr(pruned().certificate, field)]
    rows[0][0] = value
    certificate = replace(pruned().certificate, **{field: tuple(map(tuple, rows))})
    with pytest.raises(CertificateError, match="damaged"):
        verify(replace(pruned(), certificate=certificate))
    with pytest.raises(CertificateError, match="damaged"):
        certificate.to_json()


# -- words ---------------------------------------------------------------------------------------------------------


def test_what_changed_is_named(folder):
    (folder / "report.txt").write_text("nothing happened\n")
    result = load(folder)  # people may write what they like beside a result
    with pytest.raises(CertificateError, match=r"file report\.txt was changed after the result was saved"):
        verify(result)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(CertificateError, match=r"file notes\.txt is none of the result's own; take it out"):
        load(folder)
    (folder / "notes.txt").unlink()
    (folder / "plan.json").unlink()
    with pytest.raises(BundleError, match=r"cannot read .*plan\.json"):
        load(folder)


def test_both_bundles_say_the_same(folder):
    """Inputs and observables of the pruned bundle are read by whoever loads it alone."""
    path = folder / "pruned" / "task.json"
    description = json.loads(path.read_text())
    description["observables"][0][0][1] = -1.0
    path.write_text(json.dumps(description, indent=2) + "\n")
    seal(folder, load_certificate(folder))
    with pytest.raises(CertificateError, match=r"file pruned/task\.json says something else"):
        load(folder)


def load_certificate(folder):
    return Certificate.from_json((folder / "certificate.json").read_text())


def test_what_is_only_recorded_is_named():
    report = verify(pruned())
    assert "as recorded, no claim rests on it: strategy, seed and costs" in " ".join(str(report).split())
    assert all("rounding" in check.result for check in report.checks if check.kind == "margin" and check.number < 0)


def test_a_result_alone_is_enough(folder):
    assert len(verify(load(folder)).checks) == len(verify(pruned()).checks) + 1  # its files
    assert verify(small(), load(folder)).checks
