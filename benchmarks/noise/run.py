"""Whether the pruned circuit is closer to the ideal original than the unpruned one, on noisy machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from tqdm import tqdm

import qprune
from benchmarks.noise.estimates import SHOTS, deviation, estimates
from benchmarks.noise.extrapolation import extrapolated_outputs, shares
from benchmarks.noise.outputs import exact_outputs, noisy_outputs, observables_of
from benchmarks.noise.pruners import PRUNERS, Pruned
from benchmarks.noise.regimes import Regime, regime_of
from benchmarks.noise.sets import (
    DEFAULT,
    MOST_SEEDS,
    QUICK,
    SAMPLES,
    Config,
    everything,
    hours,
    jobs_of,
    key_of,
)
from benchmarks.records import RESULTS, ROOT, Row, append, provenance, read, timed
from qprune._arrays import FloatArray
from qprune.gates.sites import sites_of
from qprune.noise.at_shots import ErrorAtShots
from qprune.noise.forecast import Forecast
from qprune.noise.models import resolve
from qprune.results.every_input import EveryInput
from qprune.results.hashes import circuit_hash
from qprune.simulators.choices import final_outputs
from qprune.task.domain import outside

NAME = "noise"
SHARE = 0.8  # of the training inputs, drawn by the seed, that are pruned on; seed 0 has all
QUICK_SAMPLES = 6
SEED = 0
CLAIM = 1e-9  # what rounding may add to a certified deviation
# Over an output's largest change, from level 3: a gate on two qubits may become another of fidelity 1 − 1e-9.
COMPILER = 5e-4


def run(
    out: Path,
    *,
    quick: bool = False,
    full: bool = False,
    again: bool = False,
    bundles: Sequence[str] = (),
    models: Sequence[str] = (),
    pruners: Sequence[str] = (),
    samples: int = SAMPLES,
    seeds: int = MOST_SEEDS,
) -> None:
    """Prune networks by pruners and run them under noise models; what the file holds is not run again.

    Args:
        out: File to which rows are added.
        quick: One small network, two models, four pruners.
        full: Every pruner at every setting, on all networks, noise models and device snapshots.
        again: Measure anew what the file holds already.
        bundles: Networks, of those in the set; default all.
        models: Noise models, likewise.
        pruners: Names in `PRUNERS`, likewise.
        samples: Test inputs in each row, and training inputs.
        seeds: At most so many of each pruner's.

    Raises:
        CertificateViolation: A compiled circuit deviates by more than its certificate allows.
        MissingExtraError: Extrapolation is asked for, and mitiq is not installed.
        OptionError: Nothing of the set is left.
    """
    parts = QUICK if quick else everything() if full else DEFAULT
    parts = [part.narrowed(bundles, models, pruners, seeds) for part in parts]
    done = set() if again else {key_of(row["config"]) for row in read(out.parent, NAME)}

    def left_out(config: Config) -> bool:
        return key_of(config) in done or not fits(config["model"], config["bundle"])

    samples = QUICK_SAMPLES if quick else samples
    if not jobs_of(parts, samples, lambda config: False):
        raise qprune.OptionError(
            f"bundles={list(bundles)}, models={list(models)} and pruners={list(pruners)} must leave some of the set, "
            "left nothing; add --full"
        )
    jobs = jobs_of(parts, samples, left_out)
    if any(PRUNERS[configs[0]["pruner"]].base for configs in jobs):
        shares()  # what is missing is said before hours of work, not after
    expected = hours(jobs, [*read(RESULTS, NAME), *read(out.parent, NAME)])
    words = "unknown" if expected is None else f"about {expected:.2f} h, by rows that were measured before"
    print(f"{sum(map(len, jobs))} rows to measure; processor time: {words}")
    with tqdm(total=sum(len(configs) for configs in jobs), desc=NAME, unit="row", disable=None) as bar:
        for configs in jobs:
            pruned: Timed | None = None
            for config in configs:
                regime = _regime(config["model"], config["bundle"])
                pruned = pruned if pruned is not None else _prune(config, regime)
                append(out, _row(config, regime, pruned))
                bar.update()


@dataclass(frozen=True)
class Timed:
    """A smaller circuit, the network on the inputs that it was pruned on, and how long that took.

    Attributes:
        pruned: The circuit.
        task: The network.
        seconds: By the clock.
        processor: Seconds of the processor.
    """

    pruned: Pruned
    task: qprune.Task
    seconds: float
    processor: float


@lru_cache(maxsize=64)
def _regime(model: str, bundle: str) -> Regime:
    found = regime_of(model, network(bundle).circuit)
    if found is None:
        raise RuntimeError(f"{model} has too few qubits for {bundle}")
    return found


@lru_cache(maxsize=64)
def fits(model: str, bundle: str) -> bool:
    """Whether a noise model has qubits enough for a network."""
    qubits = _size(model)
    return qubits is None or qubits >= network(bundle).num_qubits


@lru_cache(maxsize=64)
def _size(model: str) -> int | None:
    """Qubits of a device; None of a model that any circuit fits."""
    found = resolve(model)
    return None if isinstance(found, Path) else int(found.num_qubits)


@lru_cache(maxsize=16)
def network(bundle: str) -> qprune.Task:
    """On all its training inputs."""
    return qprune.Task.load(ROOT / "circuits" / bundle)


@lru_cache(maxsize=4)
def both(bundle: str, samples: int) -> tuple[qprune.Task, qprune.Task]:
    """The network on some of its training inputs and some of its test inputs, evenly spaced."""
    return _some(network(bundle), samples), _some(qprune.Task.load(ROOT / "circuits" / bundle, split="test"), samples)


def _some(task: qprune.Task, samples: int) -> qprune.Task:
    rows = np.unique(np.linspace(0, len(task.inputs) - 1, min(samples, len(task.inputs))).round().astype(int))
    return task.with_inputs(task.inputs[rows], labels=None if task.labels is None else task.labels[rows])


def _prune(config: Config, regime: Regime) -> Timed:
    pruner, found = PRUNERS[config["pruner"]], list[Pruned]()
    key = key_of(
        {**config, "pruner": pruner.base or config["pruner"], "model": regime.name if pruner.calibrated else ""}
    )
    if key not in _PRUNED:
        noise = regime if pruner.calibrated else None
        task, setting, seed = _drawn(network(config["bundle"]), config["seed"]), config["setting"], config["seed"]
        begun = process_time()
        seconds = timed(lambda: found.append(pruner.prune(task, setting, seed, noise)))
        _PRUNED[key] = Timed(found[0], task, seconds, process_time() - begun)
    return _PRUNED[key]


_PRUNED: dict[str, Timed] = {}  # circuits that are run again under extrapolation


def _drawn(task: qprune.Task, seed: int) -> qprune.Task:
    """The network on some of its training inputs: what another sample of the same data would have given."""
    count = len(task.inputs)
    if seed == 0 or count < MOST_SEEDS:
        return task
    rows = np.sort(np.random.default_rng(seed).choice(count, round(SHARE * count), replace=False))
    return task.with_inputs(task.inputs[rows], labels=None if task.labels is None else task.labels[rows])


def _row(config: Config, regime: Regime, timed_: Timed) -> Row:
    origin, pruned, begun = provenance(config["seed"]), timed_.pruned, process_time()
    bundle, samples = config["bundle"], config["samples"]
    extrapolated = PRUNERS[config["pruner"]].base is not None
    if pruned.limit is not None:  # beyond level 1 the compiler approximates
        native = regime.compiled(pruned.circuit, observables_of(network(bundle)), 1, seeds=1)
        change = exact_outputs(*native, timed_.task) - ideal_outputs(timed_.task)
        _check_certificate(config, np.abs(change), pruned.limit)
        test = _inside(pruned.everywhere, timed_.task, both(bundle, samples)[1])
        if pruned.everywhere is not None and test is not None:
            change = exact_outputs(*native, test) - ideal_outputs(test)
            uppers = np.array([[output.upper] for output in pruned.everywhere.outputs])
            _check_certificate(config, np.abs(change), uppers)
    key = regime.name, bundle, samples, pruned.level, circuit_hash(pruned.circuit), extrapolated
    if key not in _MEASURED:  # many settings leave the same circuit
        _MEASURED[key] = _measured(bundle, samples, regime, pruned, extrapolated)
    return {
        "benchmark": NAME,
        "config": config,
        "form": regime.form,
        "physical_qubits": list(regime.qubits),
        "two_qubit_error": regime.two_qubit_error,
        "written": _counts(pruned.circuit),
        **_MEASURED[key],
        "certified": pruned.limit is not None,
        "seconds": timed_.seconds,
        "processor": {"pruning": timed_.processor, "running": process_time() - begun},
        **origin,
    }


_MEASURED: dict[tuple[Any, ...], Row] = {}


def _measured(bundle: str, samples: int, regime: Regime, pruned: Pruned, extrapolated: bool) -> Row:
    """What a circuit gives on a device, and what was predicted of it."""
    whole, (train, test) = network(bundle), both(bundle, samples)
    compiled, places = regime.compiled(pruned.circuit, observables_of(test), pruned.level)
    ideal, noiseless = (ideal_outputs(train), ideal_outputs(test)), exact_outputs(compiled, places, test)
    _check_compiler(noiseless, ideal_outputs(test.with_circuit(pruned.circuit)), test.largest_change)
    together = test.with_inputs(np.concatenate([train.inputs, test.inputs]))
    runner = extrapolated_outputs if extrapolated else noisy_outputs
    noisy, size = runner(compiled, places, together, regime), train.num_samples
    return {
        "inputs": {"train": train.num_samples, "test": test.num_samples},
        "compiled": _counts(compiled)
        | {"infidelity": regime.infidelity(compiled), "seconds": regime.duration(compiled)},
        "noiseless": deviation(noiseless - ideal[1]),
        "ideal_accuracy": {"original": test.accuracy(ideal[1]), "noiseless": test.accuracy(noiseless)},
        **{
            kind: estimates(found.part(slice(size)), found.part(slice(size, None)), ideal, test, SEED)
            for kind, found in (("gates", noisy.gates), ("read", noisy.read))
        },
        "method": noisy.method,
        "half_width": noisy.half_width,
        "predicted": None if extrapolated else _predicted(whole, pruned.circuit, regime),
    }


def _predicted(task: qprune.Task, circuit: QuantumCircuit, regime: Regime) -> dict[str, float] | None:
    """What qprune predicts on the training inputs, readout included, with its own compiling."""
    pruned = task.with_circuit(circuit)
    sites, original = sites_of(pruned), final_outputs(task, sites_of(task), task.selected)
    forecast = Forecast(regime.calibration().placed(task.circuit), task)
    found = ErrorAtShots(forecast).of(pruned, sites, original, final_outputs(pruned, sites, task.selected), SHOTS)
    survival = forecast.survival(pruned, sites)
    if found is None or survival is None:
        return None
    words = [word for observable in task.observables or () for word in observable.paulis.to_labels() if word.strip("I")]
    return found._asdict() | {"chain": float(np.mean([survival.of(word) for word in words]))}


def ideal_outputs(task: qprune.Task) -> FloatArray:
    """Outputs of the original circuit without noise, shape (R, M)."""
    return final_outputs(task, sites_of(task), task.selected).means


def _counts(circuit: Any) -> dict[str, int]:
    gates = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name not in ("delay", "barrier"):
            gates.append(item)
    return {"gates": gates.size(), "two_qubit_gates": gates.num_nonlocal_gates(), "depth": gates.depth()}


def _check_compiler(noiseless: FloatArray, wanted: FloatArray, unit: float) -> None:
    """The circuit that is simulated must be the one that was compiled."""
    if (most := np.abs(noiseless - wanted).max()) > COMPILER * unit:
        raise RuntimeError(f"the compiled circuit is another one: without noise an output is off by {most:.3g}")


def _inside(claim: EveryInput | None, pruned_on: qprune.Task, test: qprune.Task) -> qprune.Task | None:
    """The test inputs of which a proof for every input speaks; None where there are none."""
    if claim is None:
        return None
    rows = np.delete(np.arange(test.num_samples), outside(claim.domain, pruned_on.inputs, test.inputs))
    return test.with_inputs(test.inputs[rows]) if len(rows) else None


def _check_certificate(config: Config, change: FloatArray, limit: FloatArray) -> None:
    """What is certified of the pruned circuit must hold for the compiled one, on every input that it speaks of."""
    if np.any(change > limit + CLAIM):
        worst = float((change - limit).max())
        raise qprune.CertificateViolation(
            f"compiling voided the certificate of {config}: an output deviates by {worst:.3g} more than certified"
        )
